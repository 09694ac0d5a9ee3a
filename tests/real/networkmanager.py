"""The real NetworkManager: the host's, or the one that .ci/setup unpacked; and roots that have it."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

UNPACKED = Path(__file__).parents[2] / ".venv/networkmanager"
LIBRARIES = ":".join(map(str, sorted(UNPACKED.glob("usr/lib/*-linux-gnu"))))


def program() -> str | None:
    found = shutil.which("nmcli") or str(UNPACKED / "usr/bin/nmcli")
    return found if os.access(found, os.X_OK) else None


def read_back(profile: bytes) -> tuple[bytes, str]:
    """The profile as NetworkManager writes it again, and its error messages."""
    argv = [program() or "nmcli", "--offline", "connection", "modify", "connection.lldp", "default"]
    done = subprocess.run(argv, input=profile, env=_environment(), capture_output=True, check=False)
    return done.stdout, done.stderr.decode()


def install(root: Path) -> None:
    """Install nmcli with its libraries into a root."""
    nmcli = program()
    assert nmcli
    for folder in ("usr/bin", "usr/lib", "proc", "dev", "tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(nmcli, root / "usr/bin/nmcli")
    for library in _libraries(nmcli):
        is_loader = library.startswith("/lib64/")
        target = root / (library.lstrip("/") if is_loader else f"usr/lib/{Path(library).name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)


def _libraries(path: str) -> Iterator[str]:
    printed = subprocess.run(["ldd", path], env=_environment(), capture_output=True, check=True, text=True).stdout
    return (found[1] for found in re.finditer(r"(/\S+) \(0x", printed))


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": LIBRARIES}
