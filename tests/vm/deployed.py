"""A system deployed by ostree, booted under qemu in software emulation, with this checkout of converge in it.

Each boot of the default boot loader entry runs an errand, which is a shell script, and then turns the machine off.
Between the boots the disk can be read and changed.

    machine = Deployed.made(tmp_path)
    machine.write("/etc/test.yaml", "…")
    assert "Applied: 1 added" in machine.boot("python3 -m converge apply /etc/test.yaml")
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, distribution
from pathlib import Path
from shutil import copyfile, copytree

from attrs import frozen
from packaging.requirements import Requirement

from tests.vm import ostree_disk
from tests.vm.ostree_disk import NAME

TOP = Path(__file__).parents[2]
INSIDE = "/var/opt/converge"
ENVIRONMENT = f"export PYTHONPATH={INSIDE} LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1\n"
PATIENCE = 240.0
"""Seconds for a boot and its errand."""

_ENTRY = re.compile(r"^(version|options|linux|initrd) (.*)$", re.MULTILINE)


@frozen
class Entry:
    """A boot loader entry (UAPI.1), with the fields that tests need."""

    version: int
    options: str
    linux: str
    initrd: str

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(self.options.split())


@frozen
class Deployed:
    """A machine, by its disk; between boots it is off."""

    image: Path

    @classmethod
    def made(cls, folder: Path) -> "Deployed":
        machine = cls(folder / "disk.img")
        ostree_disk.copy(machine.image)
        with machine.disk() as sysroot:
            _bring_converge(sysroot / f"ostree/deploy/{NAME}/{INSIDE.removeprefix('/')}")
        return machine

    @contextmanager
    def disk(self) -> Iterator[Path]:
        """The sysroot, for the duration of a `with`."""
        with ostree_disk.mounted(self.image) as sysroot:
            yield sysroot

    def entries(self) -> tuple[Entry, ...]:
        """The boot loader's entries, the default first."""
        with self.disk() as sysroot:
            return _entries(sysroot)

    def write(self, path: str, text: str) -> None:
        """Write a file below /var."""
        with self.disk() as sysroot:
            place = sysroot / f"ostree/deploy/{NAME}" / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)

    def boot(self, errand: str, *extra: str) -> str:
        """Boot, run the errand and turn off; returns the output. `extra` are kernel arguments for this boot."""
        self.write("/var/errand/run", ENVIRONMENT + errand)
        self.write("/var/errand/output", "")
        folder = self.image.parent
        with self.disk() as sysroot:
            entry = _entries(sysroot)[0]
            for source, name in ((entry.linux, "linux"), (entry.initrd, "initrd")):
                copyfile(f"{sysroot}/boot{source}", folder / name)
        console = _emulated(self.image, folder, " ".join((entry.options, *extra)))
        with self.disk() as sysroot:
            printed = (sysroot / f"ostree/deploy/{NAME}/var/errand/output").read_text()
        assert printed, f"the errand was not run:\n{console}"
        return printed


def _emulated(image: Path, folder: Path, arguments: str) -> str:
    """Run a machine until it turns off; returns the output on its console."""
    words = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
    words += ["-m", "1024", "-nographic", "-no-reboot", "-nic", "none"]
    words += ["-drive", f"file={image},format=raw,if=virtio", "-append", arguments]
    words += ["-kernel", str(folder / "linux"), "-initrd", str(folder / "initrd")]
    done = subprocess.run(
        words, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE, cwd=folder
    )
    console = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, console
    return console


def _entries(sysroot: Path) -> tuple[Entry, ...]:
    texts = [path.read_text() for path in (sysroot / "boot/loader/entries").glob("ostree-*.conf")]
    found = [dict(_ENTRY.findall(text)) for text in texts]
    entries = [Entry(int(each["version"]), each["options"], each["linux"], each["initrd"]) for each in found]
    return tuple(sorted(entries, key=lambda entry: -entry.version))


def _bring_converge(folder: Path) -> None:
    """Copy the checkout, and the libraries that it needs from the tests' own Python."""
    folder.mkdir(parents=True)
    for name in ("converge", "schemas"):
        copytree(TOP / name, folder / name)
    for needed in _needed("converge", set()):
        for file in needed.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                copyfile(str(file.locate()), folder / file)


def _needed(name: str, met: set[str]) -> Iterator[Distribution]:
    """The distributions that one requires here, directly or indirectly, each once; without extras."""
    for requirement in map(Requirement, distribution(name).requires or ()):
        if requirement.name in met or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        met.add(requirement.name)
        yield distribution(requirement.name)
        yield from _needed(requirement.name, met)
