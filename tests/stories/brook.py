"""The machines of a vendor whose product had six releases: those in `oem-releases/`, and the current one.

A machine is installed with one release and upgraded to others. One with a large disk has a real one, mounted; of the
others only the root counts, which is a folder. Converge finds a foreign root, as an installer does, so it gets the
hardware as `--facts`, and no swap is turned on.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from converge.engine.result import Run
from converge.model import Event, Value
from tests.machine import GROUP, PASSWD, Machine, outcomes, snapshot
from tests.real.partitioned import MIB, RECOVERY, SWAP, Blueprint, Disk, attached, image, run

HERE = Path(__file__).parent
OLDER = ("1.0", "2.0", "3.0", "4.0", "5.0")
LAST = "6.0"
RELEASES = (*OLDER, LAST)
MANIFESTS: Mapping[str, Path] = {
    **{version: HERE / f"oem-releases/{version}/oem.yaml" for version in OLDER},
    LAST: HERE.parents[1] / "products/oem.yaml",
}

SIZES = {"swap_size": "24MiB", "swap_file_size": "8MiB", "room": "64MiB"}
"""Parameters of the releases that had swap on disk: the disks of tests are small."""
SWAP_FILE_BYTES, BYTES_HERE = "1073741824", str(8 << 20)
"""The size of that file in the later releases."""
DISK_SWAP_UNTIL, GENERATOR_SINCE = "4.0", "3.0"

GIB = 1 << 30
SWAP_FILE = "/var/swapfile"
GENERATOR = "/usr/lib/systemd/system-generators/zram-generator"
CONFIGURATION = "/etc/systemd/zram-generator.conf.d/90-converge-zram0.conf"
UNIT = "/etc/systemd/system/converge-zram0.service"
SWAP_FILE_UNIT = "/etc/systemd/system/var-swapfile.swap"
PARTITION_UNIT = "/etc/systemd/system/dev-disk-by\\x2dlabel-brook\\x2dswap.swap"

_MEMORY = ("etc/converge/", "var/lib/converge/", "run/")
"""The files of converge itself, which differ between machines with different histories."""


@frozen
class Model:
    """A kind of machine: its hardware as facts and, where its disk is large, what images make of that.

    The second one is that of the releases without swap on disk: their root fills it.
    """

    arch: str
    memory: int
    disk: int
    images: tuple[Blueprint, Blueprint] | None = None

    def blueprint(self, version: str) -> Blueprint | None:
        return self.images[version > DISK_SWAP_UNTIL] if self.images else None


def _images(head: str, small: str, full: str, rest: str) -> tuple[Blueprint, Blueprint]:
    scripts = (f"{head}\n\nstart=2048, size={size}, {rest}" for size in (small, full))
    first, second = (Blueprint(script, 192, {1: "xfs"}) for script in scripts)
    return first, second


_FULL = _images("label: gpt", "389120", "389120", "type=linux\n")

MODELS: Mapping[str, Model] = {
    "tower": Model("x86_64", 64 * GIB, 256 * GIB, _images("label: gpt", "64MiB", "389120", "type=linux\n")),
    "laptop": Model(
        "x86_64",
        2 * GIB,
        256 * GIB,
        _images("label: dos", "64MiB", "358400", "type=83\nstart=360448, size=16MiB, type=27\n"),
    ),
    "workstation": Model(
        "aarch64",
        32 * GIB,
        256 * GIB,
        _images("label: gpt", "64MiB", "358400", f"type=linux\nstart=360448, size=16MiB, type={RECOVERY}\n"),
    ),
    "netbook": Model("x86_64", 16 * GIB, 16 * MIB, _FULL),
    "desk": Model("x86_64", 2 * GIB, 16 * MIB),
    "board": Model("armv7l", 782 * MIB, 16 * MIB),
}
"""The laptop has an old table, and has a recovery partition last, like the workstation. The netbook's disk is full."""


@frozen
class Brook:
    """A machine, while its disk is there."""

    model: Model
    machine: Machine
    disk: Disk | None = None

    def install(self, version: str) -> Run:
        return self._arrive(version, Event.INSTALL)

    def upgrade(self, version: str) -> Run:
        return self._arrive(version, Event.UPGRADE)

    def _arrive(self, version: str, event: Event) -> Run:
        """The first run does the work, the second one finds the result by udev; then nothing is left to do."""
        self.machine.upgrade_os(version)
        text = MANIFESTS[version].read_text()
        self.machine.manifest.write_text(text.replace(SWAP_FILE_BYTES, BYTES_HERE))
        self.machine.settings = SIZES if version <= DISK_SWAP_UNTIL else {}
        if version >= GENERATOR_SINCE:
            self.put(GENERATOR, "#!/bin/sh\n")
        first = self.run(event)
        if self.disk:
            self.run()
        assert "changed" not in outcomes(self.run()).values()
        return first

    def run(self, event: Event | None = None) -> Run:
        """Converge once. Of a root that is a folder, only the work on the disk is owed."""
        run = self.machine.apply(event, facts=self._facts())
        amiss = {result.step.id for result in run.results if result.outcome.value in ("failed", "blocked", "owed")}
        assert amiss <= (set() if self.disk else {"swap-partition"}), run
        return run

    def _facts(self) -> dict[str, Value]:
        """The facts that the machine would have if it ran."""
        labels = self._printed("blkid", "--output=value", "--match-tag=LABEL")
        return {
            "machine.arch": self.model.arch,
            "memory.total": self.model.memory,
            "disk.size": self.model.disk,
            'exists("/dev/disk/by-label/brook-swap")': "brook-swap" in labels,
        }

    def _printed(self, *words: str) -> list[str]:
        nodes = [self.disk.partition(number) for number in self.disk.kernel()] if self.disk else []
        return [run(*words, node).strip() for node in nodes]

    def put(self, path: str, text: str) -> None:
        place = self.machine.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def text(self, path: str) -> str | None:
        place = self.machine.path(path)
        return place.read_text() if place.exists() else None

    def has(self, path: str) -> bool:
        return os.path.lexists(self.machine.path(path))

    def compressed(self) -> int | None:
        """MiB of compressed memory that the next boot makes, by its configuration file."""
        unit = re.search(r"SIZE=(\d+)", self.text(UNIT) or "")
        generator = re.search(r"zram-size = (\d+)", self.text(CONFIGURATION) or "")
        assert not (unit and generator)
        return int(unit[1]) // MIB if unit else int(generator[1]) if generator else None

    def has_partition(self) -> bool:
        """Whether there is a swap partition."""
        return any(row["type"] in (SWAP, "82") for row in self.table())

    def table(self) -> list[dict[str, Any]]:
        """The partitions, without the ids that each has of its own."""
        rows = self.disk.table() if self.disk else []
        return [{name: value for name, value in row.items() if name != "uuid"} for row in rows]

    def files(self) -> dict[str, tuple[object, ...]]:
        """All files and links, but for converge's memory."""
        found = snapshot(self.machine.root).items()
        return {path: what for path, what in found if what[-1] is not None and not path.startswith(_MEMORY)}

    def end(self) -> tuple[dict[str, tuple[object, ...]], list[dict[str, Any]], int]:
        """The values that two machines of a model must have in common at the end."""
        room = os.statvfs(self.machine.root)
        return self.files(), self.table(), room.f_blocks * room.f_frsize if self.disk else 0


@contextmanager
def delivered(model: str, version: str, folder: Path) -> Iterator[Brook]:
    """A machine with an image on its disk, not installed yet."""
    blueprint = MODELS[model].blueprint(version)
    with ExitStack() as stack:
        root, disk = folder / "root", None
        if blueprint:
            disk = stack.enter_context(attached(image(folder / "disk.img", blueprint)))
            stack.enter_context(disk.mounted(root))
        for name in ("etc", "var", "run"):
            (root / name).mkdir(parents=True)
        (root / "etc/passwd").write_text(PASSWD)
        (root / "etc/group").write_text(GROUP)
        yield Brook(MODELS[model], Machine(root, folder / "oem.yaml"), disk)
