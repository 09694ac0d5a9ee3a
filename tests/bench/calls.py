"""Count the functions of converge that one run calls: `python -m tests.bench.calls`.

One resource, a flatpak remote, is applied to an empty root through the command line; a second run has nothing to do.
Counted are the calls of functions with a name that are defined in converge/, the functions, and their files. What an
import executes is not counted: a first run on another root loads all modules.
"""

import sys
import tempfile
from contextlib import redirect_stdout, suppress
from io import BytesIO, TextIOWrapper
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest import mock

from converge.cli.app import main as converge

HOUSE = f"{Path(__file__).parents[2] / 'converge'}/"
MANIFEST = """\
converge: 1
product: bench
resources:
  flathub:
    type: flatpak-remote
    apply: always
    with: {name: flathub, url: "https://dl.flathub.org/repo/", title: Flathub}
"""


def make_machine(folder: Path) -> Path:
    """A new machine, with the manifest for it beside its root."""
    (folder / "root/etc").mkdir(parents=True)
    (folder / "root/etc/os-release").write_text('ID=bench\nVERSION_ID="1"\n')
    (folder / "bench.yaml").write_text(MANIFEST)
    return folder


def apply(machine: Path) -> str:
    """What `converge apply` prints."""
    argv = ["converge", "apply", str(machine / "bench.yaml"), "--root", str(machine / "root")]
    output = TextIOWrapper(BytesIO(), write_through=True)
    with mock.patch.object(sys, "argv", argv), redirect_stdout(output), suppress(SystemExit):
        converge()
    output.seek(0)
    return output.read()


def count(machine: Path, expected: str) -> str:
    calls: dict[CodeType, int] = {}
    frames: set[FrameType] = set()  # a generator that goes on is not called again

    def watch(frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        ours = code.co_filename.startswith(HOUSE) and not code.co_name.startswith("<")
        if event == "call" and ours and frame not in frames:
            frames.add(frame)
            calls[code] = calls.get(code, 0) + 1

    sys.setprofile(watch)
    try:
        output = apply(machine)
    finally:
        sys.setprofile(None)
    assert expected in output, output
    files = {code.co_filename for code in calls}
    return f"{sum(calls.values())} calls of {len(calls)} functions in {len(files)} files"


def main() -> None:
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        apply(make_machine(Path(first)))
        machine = make_machine(Path(second))
        print("apply:", count(machine, "Applied: 1 added"))
        print("no-op:", count(machine, "Applied: 0 added"))


if __name__ == "__main__":
    main()
