"""A temporary root with the files of a machine's kernel and system."""

from pathlib import Path

from converge.facts.fact import Origin, Source
from converge.system import ReadOnlySystem


def put(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def link(root: Path, name: str, target: str) -> None:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def source(root: Path, origin: Origin | None = None) -> Source:
    """The root, which is also the machine that converge runs on."""
    system = ReadOnlySystem(str(root))
    return Source(system, system, origin or Origin())
