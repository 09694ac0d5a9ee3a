"""The three-way merge of lines: two changed versions of a common base, combined by `diff3` or `git merge-file`.

It works on bytes, without a root: the tool gets the texts as anonymous memory, so that no file is written.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from converge.errors import ProviderError

TIME_LIMIT = 60.0  # seconds
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_TOOLS = (("diff3", "-m", "-E"), ("git", "merge-file", "-p"))  # -E: the same change on both sides is not a conflict


def merge(base: bytes, theirs: bytes, ours: bytes) -> bytes | None:
    """The merge of `theirs` and `ours`, both made from `base`; None if they conflict or are not text."""
    if theirs in (base, ours):
        return ours
    if ours == base:
        return theirs
    for tool in _TOOLS:
        try:
            return _run(tool, (theirs, base, ours))
        except FileNotFoundError:
            continue
    raise ProviderError(
        "neither diff3 nor git is installed", hint="install one of them: `merge: three-way` requires it"
    )


def _run(tool: Sequence[str], texts: Sequence[bytes]) -> bytes | None:
    with ExitStack() as stack:
        descriptors = [stack.enter_context(_in_memory(text)) for text in texts]
        try:
            result = subprocess.run(
                [*tool, *(f"/proc/self/fd/{descriptor}" for descriptor in descriptors)],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=TIME_LIMIT,
                env={"PATH": _PATH, "LC_ALL": "C.UTF-8"},
            )
        except subprocess.TimeoutExpired as error:
            raise ProviderError(f"{tool[0]} did not finish within {TIME_LIMIT:.0f} seconds") from error
    return result.stdout if result.returncode == 0 else None


@contextmanager
def _in_memory(data: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("converge-merge")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield descriptor
    finally:
        os.close(descriptor)
