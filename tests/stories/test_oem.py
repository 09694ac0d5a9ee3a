"""A vendor's machines through all releases of its product, and through any two with those between skipped.

The disks are real: the root is on a partition of a loop device. Sizes are those of the field, divided.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from converge.cli import app
from converge.errors import ExitCode
from tests.cases.roots import contents
from tests.real.partitioned import RECOVERY, SWAP, Blueprint, Disk, attached, image, needs_disks

pytestmark = needs_disks

HERE = Path(__file__).parent
FORMER = {path.name: path for path in sorted((HERE / "oem-releases").iterdir())}
LAST = "6.0"
RELEASES = {**FORMER, LAST: HERE.parents[1] / "products"}

GPT = "label: gpt\nfirst-lba: 2048\nstart=2048, size=131072, type=linux, name=root\n"
MBR = "label: dos\nstart=2048, size=131072, type=83, bootable\n"
DISKS = {
    "gpt": Blueprint(GPT, 300, {1: "xfs"}),
    "gpt with a recovery partition": Blueprint(f"{GPT}start=569344, size=20480, type={RECOVERY}\n", 300, {1: "xfs"}),
    "mbr with a recovery partition": Blueprint(f"{MBR}start=569344, size=20480, type=27\n", 300, {1: "xfs"}),
}
SWAPS = (SWAP, "82")
LAPTOP = {"machine.arch": "x86_64", "memory.total": "8GiB"}
TABLET = {"machine.arch": "arm", "memory.total": "782MiB"}


@frozen
class Machine:
    """One that is switched off: its disk is mounted, and converge works on the root there."""

    disk: Disk
    root: Path
    facts: dict[str, str]

    def take(self, release: str, event: str) -> Any:
        """Bring the machine to a release; a second run then finds nothing to do. Returns the first one's report."""
        (self.root / "etc/os-release").write_text(f'ID=oem\nVERSION_ID="{release}"\n')
        report = self._run(release, event)
        again = self._run(release, "refresh" if event == "upgrade" else event)
        assert (again["summary"]["add"], again["summary"]["change"], again["summary"]["remove"]) == (0, 0, 0)
        return report

    def _run(self, release: str, event: str) -> Any:
        folder = self.root.parent
        (folder / "facts.json").write_text(json.dumps(self.facts))
        words = ["--products", str(RELEASES[release]), "--root", str(self.root), "--event", event]
        words += ["--facts", str(folder / "facts.json"), "--json-into", str(folder / "run.json")]
        assert app.run(["apply", "oem", *words]) == ExitCode.OK
        return json.loads((folder / "run.json").read_text())

    def install(self, release: str) -> None:
        self.take(release, "install")

    def upgrade(self, release: str) -> None:
        self.take(release, "upgrade")

    def swap_partitions(self) -> list[int]:
        return [row["number"] for row in self.disk.table() if row["type"] in SWAPS]

    def others(self) -> list[dict[str, Any]]:
        """The rows of the table but those of the root and of swap."""
        return [row for row in self.disk.table() if row["number"] != 1 and row["type"] not in SWAPS]

    def end(self) -> tuple[Any, ...]:
        """What is the same on all machines in the end; how large the root is depends on who installed it."""
        root = next(row for row in self.disk.table() if row["number"] == 1)
        return contents(self.root), self.swap_partitions(), self.others(), root["start"]


@contextmanager
def machine(folder: Path, disk: str, facts: dict[str, str]) -> Iterator[Machine]:
    folder.mkdir()
    with attached(image(folder / "disk.img", DISKS[disk])) as made, made.mounted(folder / "root") as root:
        for name in ("etc", "run", "var", "usr/lib/systemd/system-generators"):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "usr/lib/systemd/system-generators/zram-generator").touch()
        yield Machine(made, root, facts)


def new_machine(folder: Path, disk: str, facts: dict[str, str]) -> tuple[Any, ...]:
    with machine(folder, disk, facts) as made:
        made.install(LAST)
        return made.end()


def zram(made: Machine) -> str:
    path = made.root / "etc/systemd/zram-generator.conf.d/90-converge-zram0.conf"
    return path.read_text().splitlines()[1] if path.exists() else ""


@pytest.mark.parametrize("disk", list(DISKS))
def test_a_laptop_through_all_releases(disk: str, tmp_path: Path) -> None:
    with machine(tmp_path / "old", disk, LAPTOP) as made:
        others = made.others()
        met = []
        for release in RELEASES:
            (made.install if release == "1.0" else made.upgrade)(release)
            met.append((release, len(made.swap_partitions()), zram(made)))
            assert made.others() == others
        assert met == [
            ("1.0", 1, ""),
            ("2.0", 1, ""),
            ("3.0", 1, "zram-size = 16384"),
            ("4.0", 1, "zram-size = 12288"),
            ("5.0", 0, "zram-size = 12288"),
            ("6.0", 0, "zram-size = 4096"),
        ]
        end = made.end()
    assert end == new_machine(tmp_path / "new", disk, LAPTOP)


def test_a_small_tablet_through_all_releases(tmp_path: Path) -> None:
    with machine(tmp_path / "old", "gpt", TABLET) as made:
        sizes = []
        for release in RELEASES:
            (made.install if release == "1.0" else made.upgrade)(release)
            sizes.append(zram(made).removeprefix("zram-size = "))
        assert sizes == ["", "200", "1564", "1173", "1173", "391"]
        end = made.end()
    assert end == new_machine(tmp_path / "new", "gpt", TABLET)


@pytest.mark.parametrize("stops", list(combinations(list(FORMER), 2)), ids="-".join)
def test_any_two_releases_and_the_last(stops: Sequence[str], tmp_path: Path) -> None:
    first, second = stops
    with machine(tmp_path / "old", "gpt", LAPTOP) as made:
        made.install(first)
        made.upgrade(second)
        made.upgrade(LAST)
        end = made.end()
    assert end == new_machine(tmp_path / "new", "gpt", LAPTOP)


@pytest.mark.parametrize("first", list(FORMER))
def test_from_any_release_to_the_last(first: str, tmp_path: Path) -> None:
    with machine(tmp_path / "old", "gpt", LAPTOP) as made:
        made.install(first)
        made.upgrade(LAST)
        end = made.end()
    assert end == new_machine(tmp_path / "new", "gpt", LAPTOP)


def test_a_machine_from_before_converge(tmp_path: Path) -> None:
    """Its swap partition was made by a script, and its user has a swap file: that one stays."""
    with machine(tmp_path / "old", "gpt", LAPTOP) as made:
        made.install("1.0")
        for path in (made.root / "etc/converge", made.root / "var/lib/converge"):
            for file in path.rglob("ledger*"):
                file.unlink()
        (made.root / "etc/fstab").write_text("/home/me/swapfile none swap sw 0 0\n")
        made.upgrade(LAST)
        assert made.swap_partitions() == []
        assert (made.root / "etc/fstab").read_text() == "/home/me/swapfile none swap sw 0 0\n"
