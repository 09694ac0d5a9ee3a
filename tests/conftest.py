"""Which examples the tests of properties draw: the same ones each time, or new ones where they are being looked for."""

import os

from hypothesis import settings

# A change is to fail for what it did, and not for an example that nobody had drawn before: `make soak` looks for those.
settings.register_profile("known", derandomize=True)
settings.register_profile("new", max_examples=int(os.environ.get("CONVERGE_EXAMPLES", "100")))
settings.load_profile("new" if "CONVERGE_EXAMPLES" in os.environ else "known")
