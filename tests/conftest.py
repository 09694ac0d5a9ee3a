"""The examples of property tests: the same ones each time, or new ones with CONVERGE_EXAMPLES."""

import os

from hypothesis import settings

# A change must fail because of its own fault, and not because of a new example: `make soak` searches for those.
settings.register_profile("known", derandomize=True)
settings.register_profile("new", max_examples=int(os.environ.get("CONVERGE_EXAMPLES", "100")))
settings.load_profile("new" if "CONVERGE_EXAMPLES" in os.environ else "known")
