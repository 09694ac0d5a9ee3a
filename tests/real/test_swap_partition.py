"""The swap partition on real disks (loop devices): cases 8 and 10, disks of users, and refusals.

Killed runs: `test_swap_partition_killed.py`. The laws: `tests/test_laws.py`.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen

from converge.errors import ConvergeError, Later, ProviderError
from converge.model import Change, Decision, Event
from converge.providers.swap import partition as swap_partition
from converge.system import System
from tests.machine import GROUP, PASSWD, Machine, decisions, outcomes
from tests.real.converging import changes_of, converge, state_of
from tests.real.partitioned import (
    GPT_ID,
    LINUX,
    MIB,
    RECOVERY,
    SWAP,
    Blueprint,
    Disk,
    attached,
    grows_ext4,
    image,
    mounted,
    needs_disks,
    run,
    swaps_on,
)

pytestmark = needs_disks

CASES = Path(__file__).parents[1] / "cases/swap-partition"
ROOM, GOES = CASES / "room-for-swap/manifest.yaml", CASES / "swap-goes/manifest.yaml"

GIB = (1 << 30) // 512
"""Sectors."""
GPT = f"label: gpt\nlabel-id: {GPT_ID}\n\n"
MBR = "label: dos\nlabel-id: 0x12345678\n\n"
ABSENT = {"ensure": "absent"}


@frozen
class Box:
    """A disk with its root mounted, used as a machine."""

    disk: Disk
    machine: Machine

    @property
    def system(self) -> System:
        return System(str(self.machine.root))

    def room(self) -> int:
        """The size of the root file system, in bytes."""
        found = os.statvfs(self.machine.root)
        return found.f_blocks * found.f_frsize


@contextmanager
def box(folder: Path, blueprint: Blueprint, *, manifest: Path | None = None) -> Iterator[Box]:
    with attached(image(folder / "disk.img", blueprint)) as disk, disk.mounted(folder / "root") as root:
        for name in ("etc", "var", "run"):
            (root / name).mkdir()
        (root / "etc/passwd").write_text(PASSWD)
        (root / "etc/group").write_text(GROUP)
        machine = Machine(root, manifest or folder / "test.yaml")
        machine.upgrade_os("1")
        yield Box(disk, machine)


def refusal(system: System, **params: Any) -> ConvergeError:
    """The error that a plan raises; without the trace, which would keep the root open."""
    with pytest.raises(ConvergeError) as caught:
        changes_of(swap_partition, system, **params)
    return caught.value.with_traceback(None)


def large_disk(script: str) -> Blueprint:
    """120 GiB that are never written; the root has 4 GiB."""
    return Blueprint(script, size=120 << 10, contents={1: "xfs"})


@pytest.mark.parametrize(
    ("blueprint", "behind"),
    [
        (large_disk(f'{GPT}start=2048, size={4 * GIB}, type={LINUX}, name="the \\x22root\\x22", attrs="GUID:60"'), ()),
        (
            large_disk(
                f"{GPT}start=2048, size={4 * GIB}, type={LINUX}, attrs=LegacyBIOSBootable\n"
                f"start={110 * GIB}, size={GIB}, type={RECOVERY}, name=recovery, attrs=RequiredPartition"
            ),
            (2,),
        ),
        (large_disk(f"{MBR}start=63, size={4 * GIB}, type=83, bootable"), ()),
        (large_disk(f"{MBR}start=63, size={4 * GIB}, type=83\nstart={110 * GIB}, size=8192, type=27, bootable"), (2,)),
        (
            large_disk(
                f"{MBR}start=63, size={4 * GIB}, type=83\nstart={110 * GIB}, size={GIB}, type=f\n"
                f"start={110 * GIB + 63}, size=2048, type=7"
            ),
            (2, 5),
        ),
    ],
    ids=["GPT", "GPT with recovery", "MBR", "MBR with recovery", "MBR with logical partitions"],
)
def test_case_8_adds_swap_and_grows_root(blueprint: Blueprint, behind: tuple[int, ...], tmp_path: Path) -> None:
    with box(tmp_path, blueprint, manifest=ROOM) as made:
        before = {row["number"]: row for row in made.disk.table()}
        with open(made.disk.node, "r+b") as disk:
            disk.seek(110 << 30)
            extended = disk.read(MIB)
        assert outcomes(made.machine.apply(Event.INSTALL)) == {"swap": "changed"}
        after = {row["number"]: row for row in made.disk.table()}
        end = before[2]["start"] if behind else (120 * GIB // 2048 - 1) * 2048
        if not behind and "dos" in blueprint.script:
            end = 120 * GIB
        if 5 in behind:
            end -= 2048
        number = 3 if behind else 2
        assert (after[number]["start"], after[number]["size"]) == (end - 4 * GIB, 4 * GIB)
        assert after[1] == {**before[1], "size": end - 4 * GIB - before[1]["start"]}
        assert {name: after[name] for name in behind} == {name: before[name] for name in behind}
        with open(made.disk.node, "rb") as disk:
            disk.seek(110 << 30)
            assert not behind or disk.read(MIB) == extended
        assert made.disk.kernel()[number] == (end - 4 * GIB, 4 * GIB)
        assert made.room() > 100 << 30
        assert 'LABEL="swap"' in run("blkid", "--probe", made.disk.partition(number))
        assert outcomes(made.machine.apply()) == {"swap": "unchanged"}


@pytest.mark.parametrize("event", [Event.UPGRADE, Event.REFRESH])
def test_case_8_baselines_existing_machines(event: Event, tmp_path: Path) -> None:
    blueprint = large_disk(f"{GPT}start=2048, size={4 * GIB}, type={LINUX}")
    with box(tmp_path, blueprint, manifest=ROOM) as made:
        before = made.disk.table()
        assert decisions(made.machine.apply(event)) == {"swap": Decision.BASELINE}
        assert made.disk.table() == before


def test_case_8_without_enough_space_is_not_applicable(tmp_path: Path) -> None:
    blueprint = large_disk(f"{GPT}start=2048, size={4 * GIB}, type={LINUX}\nstart={103 * GIB}, type={RECOVERY}")
    with box(tmp_path, blueprint, manifest=ROOM) as made:
        before = made.disk.table()
        run_ = made.machine.apply(Event.INSTALL)
        assert decisions(run_) == {"swap": Decision.NOT_APPLICABLE}
        assert "are free behind the root partition; `free_at_least` requires 100 GiB" in run_.results[0].step.reason
        assert made.disk.table() == before


CASE_10 = [
    pytest.param(
        f"{GPT}start=2048, size=10240, type={LINUX}, name=root\nstart=12288, size=8159, type={SWAP}", 0, id="GPT"
    ),
    pytest.param(
        f"{GPT}start=2048, size=10240, type={LINUX}\nstart=12288, size=8159, type={SWAP}\n"
        f"start=20447, size=100, type={RECOVERY}, name=third, attrs=RequiredPartition",
        3,
        id="GPT with a third",
    ),
    pytest.param(f"{MBR}start=2048, size=10240, type=83, bootable\nstart=12288, size=8159, type=82", 0, id="MBR"),
    pytest.param(
        f"{MBR}start=2048, size=10240, type=83\nstart=12288, size=8159, type=82\n"
        "start=20447, size=99, type=27, bootable",
        3,
        id="MBR with a third",
    ),
]
"""In sectors of 4096 bytes, because with 5 MiB only an ext4 could grow."""


@pytest.mark.parametrize(("script", "third"), CASE_10)
def test_case_10_removes_swap_and_grows_root(script: str, third: int, tmp_path: Path) -> None:
    blueprint = Blueprint(script, size=81, sector=4096, contents={1: "xfs", 2: "swap"})
    with box(tmp_path, blueprint, manifest=GOES) as made:
        before = {row["number"]: row for row in made.disk.table()}
        assert outcomes(made.machine.apply(Event.UPGRADE)) == {"no-swap": "changed"}
        after = {row["number"]: row for row in made.disk.table()}
        assert after.pop(1) == {**before[1], "size": 20446 - 2048 + 1}
        assert after == ({third: before[third]} if third else {})
        assert made.disk.kernel()[1] == (2048 * 8, 18399 * 8)
        assert sorted(made.disk.kernel()) == ([1, third] if third else [1])
        assert made.room() > 64 * MIB
        assert outcomes(made.machine.apply()) == {"no-swap": "unchanged"}


@pytest.mark.skipif(not grows_ext4(), reason="the kernel does not let us grow an ext4 that is mounted")
@pytest.mark.parametrize(("script", "third"), CASE_10)
def test_case_10_in_small_sectors(script: str, third: int, tmp_path: Path) -> None:
    blueprint = Blueprint(script, size=11 if third else 10, contents={1: "ext4", 2: "swap"})
    with box(tmp_path, blueprint, manifest=GOES) as made:
        assert outcomes(made.machine.apply(Event.UPGRADE)) == {"no-swap": "changed"}
        found = {row["number"]: row for row in made.disk.table()}
        assert (found[1]["start"], found[1]["size"]) == (2048, 18399)
        assert sorted(found) == ([1, third] if third else [1])
        assert made.room() > 7 * MIB


def test_case_10_baselines_new_machines(tmp_path: Path) -> None:
    blueprint = Blueprint(f"{GPT}start=2048, size=40960\nstart=43008, type={SWAP}", 64, {1: "xfs", 2: "swap"})
    with box(tmp_path, blueprint, manifest=GOES) as made:
        before = made.disk.table()
        assert decisions(made.machine.apply(Event.INSTALL)) == {"no-swap": Decision.BASELINE}
        assert made.disk.table() == before


@pytest.mark.parametrize("script", [f"{GPT}start=2048, size=65536", f"{MBR}start=2048, size=65536"])
def test_case_10_without_swap_partition_is_in_place(script: str, tmp_path: Path) -> None:
    with box(tmp_path, Blueprint(script, 64, {1: "xfs"}), manifest=GOES) as made:
        before = made.disk.outside_the_root()
        assert decisions(made.machine.apply(Event.UPGRADE)) == {"no-swap": Decision.IN_PLACE}
        assert made.disk.outside_the_root() == before


def test_btrfs_root_grows(tmp_path: Path) -> None:
    blueprint = Blueprint(f"{GPT}size={300 << 11}\nsize={30 << 11}, type={SWAP}", 400, {1: "btrfs", 2: "swap"})
    with box(tmp_path, blueprint) as made:
        before = made.room()
        converge(swap_partition, made.system, **ABSENT)
        assert made.room() - before == 30 * MIB


SMALL = Blueprint(
    f"{GPT}start=2048, size=65536, type={LINUX}, uuid={GPT_ID}\nstart=67584, size=20000, type={SWAP}, uuid={SWAP}",
    64,
    {1: "xfs", 2: "swap"},
)
EMPTY = Blueprint(f"{GPT}start=2048, size=65536, type={LINUX}\nstart=122880, type={RECOVERY}", 64, {1: "xfs"})


def test_swap_in_use_is_turned_off_first(tmp_path: Path) -> None:
    with box(tmp_path, SMALL) as made:
        run("swapon", made.disk.partition(2))
        converge(swap_partition, made.system, **ABSENT)
        assert not swaps_on(made.disk.node)
        assert sorted(made.disk.kernel()) == [1]


@pytest.mark.parametrize("active", [True, False])
def test_boot_code_and_bootable_mark_stay(active: bool, tmp_path: Path) -> None:
    """The mark is on the protective MBR of a GPT; some BIOSes require it."""
    with attached(image(tmp_path / "disk.img", evolve(SMALL, active=active))) as disk:
        with open(disk.node, "r+b") as file:
            file.write(bytes(range(220)) * 2)
        before = disk.first_sector()
        assert (before[446] == 0x80) == active
        with disk.mounted(tmp_path / "root") as root:
            (root / "var").mkdir()
            converge(swap_partition, System(str(root)), **ABSENT)
            converge(swap_partition, System(str(root)), size="8MiB")
        assert disk.first_sector() == before


def test_large_sectors_are_supported(tmp_path: Path) -> None:
    blueprint = Blueprint(f"{GPT}start=2048, size=10240\nstart=20000, size=100, type={RECOVERY}", 81, {1: "xfs"}, 4096)
    with box(tmp_path, blueprint) as made:
        converge(swap_partition, made.system, size="8MiB")
        places = [(row["start"], row["size"]) for row in made.disk.table()]
        assert places == [(2048, 15872), (20000, 100), (17920, 2048)]
        assert made.disk.kernel() == {1: (16384, 126976), 2: (160000, 800), 3: (143360, 16384)}
        assert made.room() > 54 * MIB


def test_image_copied_to_larger_disk_is_changed(tmp_path: Path) -> None:
    """The second copy of the table is where the smaller disk ended."""
    path, blueprint = image(tmp_path / "disk.img", SMALL)
    with path.open("r+b") as file:
        file.truncate(96 * MIB)
    with attached((path, blueprint)) as disk, disk.mounted(tmp_path / "root") as root:
        (root / "var").mkdir()
        system = System(str(root))
        converge(swap_partition, system, **ABSENT)
        converge(swap_partition, system, size="8MiB")
        assert [(row["start"], row["size"]) for row in disk.table()] == [(2048, 176128), (178176, 16384)]
        assert "No errors detected" in run("sfdisk", "--verify", disk.node)


def test_swap_removed_by_user_stays_removed(tmp_path: Path) -> None:
    with box(tmp_path, EMPTY) as made:
        made.machine.declare(
            """
            swap: {type: swap-partition, apply: always, on_user_change: keep, with: {size: 8MiB}}
            """
        )
        assert outcomes(made.machine.apply(Event.INSTALL)) == {"swap": "changed"}
        run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--delete", made.disk.node, "3")
        run("delpart", made.disk.node, "3")
        assert decisions(made.machine.apply()) == {"swap": Decision.KEEP}
        assert [row["number"] for row in made.disk.table()] == [1, 2]


def test_larger_swap_of_user_stays(tmp_path: Path) -> None:
    with box(tmp_path, SMALL) as made:
        before = made.disk.outside_the_root()
        assert converge(swap_partition, made.system, size="1MiB", label="other") == ()
        assert made.disk.outside_the_root() == before


def test_swap_elsewhere_stays_and_is_reported(tmp_path: Path) -> None:
    blueprint = Blueprint(f"{GPT}start=2048, size=4096, type={SWAP}\nstart=6144, size=65536\n", 64, {2: "xfs"}, root=2)
    with box(tmp_path, blueprint) as made:
        made.machine.declare("no-swap: {type: swap-partition, apply: always, with: {ensure: absent}}")
        run_ = made.machine.apply(Event.UPGRADE)
        assert decisions(run_) == {"no-swap": Decision.NOT_APPLICABLE}
        assert run_.results[0].step.reason.endswith("p1 is not directly behind the root partition")
        made.machine.declare("swap: {type: swap-partition, apply: always, with: {size: 1MiB}}")
        assert decisions(made.machine.apply(Event.UPGRADE)) == {"swap": Decision.NOT_APPLICABLE}


def test_table_in_store_restores_the_former_one(tmp_path: Path) -> None:
    with box(tmp_path, SMALL) as made:
        before, saved = made.disk.table(), state_of(swap_partition, made.system, **ABSENT)["saved"]
        converge(swap_partition, made.system, **ABSENT)
        kept = made.system.kept(str(saved))
        assert kept is not None
        other = tmp_path / "other.img"
        with other.open("wb") as file:
            file.truncate(64 * MIB)
        run("sfdisk", "--quiet", str(other), stdin=kept.decode())
        numbered = [{key: value for key, value in row.items() if key != "number"} for row in before]
        found = run("sfdisk", "--json", str(other))
        assert all(str(value) in found for row in numbered for value in row.values())


def overlap(disk: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(446 + 12)
        file.write((70000).to_bytes(4, "little"))


def hybrid(disk: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(446 + 16)
        file.write(bytes((0, 0, 2, 0, 0x83, 0, 2, 0)) + (2048).to_bytes(4, "little") + (65536).to_bytes(4, "little"))


def first_copy(disk: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(1100)
        file.write(b"X")


def both_copies(disk: Path) -> None:
    first_copy(disk)
    with disk.open("r+b") as file:
        file.seek(-33 * 512 + 76, os.SEEK_END)
        file.write(b"X")


SMALL_MBR = Blueprint(
    f"{MBR}start=2048, size=65536, type=83\nstart=67584, size=20000, type=82", 64, {1: "xfs", 2: "swap"}
)
EXT4_THERE = evolve(SMALL, contents={1: "xfs", 2: "ext4"})
FULL = Blueprint(
    f"{MBR}start=2048, size=65536, type=83\n"
    + "".join(f"start={at}, size=2048, type=7\n" for at in (90112, 92160, 94208)),
    64,
    {1: "xfs"},
)
LOGICAL = Blueprint(f"{MBR}start=2048, type=5\nstart=4096, size=65536, type=83", 64, {5: "xfs"}, root=5)


def nothing(_: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("blueprint", "harm", "params", "words"),
    [
        (SMALL_MBR, overlap, ABSENT, "cannot change the partition table .* overlaps"),
        (SMALL, hybrid, ABSENT, "it is a GPT, but its MBR has other partitions"),
        (SMALL, first_copy, ABSENT, "The primary GPT table is corrupt"),
        (SMALL, both_copies, ABSENT, "both copies of its GPT are damaged"),
        (EXT4_THERE, nothing, ABSENT, "p2 contains ext4, which would be lost"),
        (EMPTY, nothing, {"size": "1GiB"}, "1 GiB do not fit behind the root partition: 27 MiB are free"),
        (SMALL, nothing, {"size": "1GiB"}, "p2 has 10000 KiB, but 1 GiB are requested"),
        (LOGICAL, nothing, ABSENT, "which is a logical partition"),
        (FULL, nothing, {"size": "1MiB"}, "the partition table is full: it has 4 partitions already"),
    ],
    ids=[
        "overlap",
        "hybrid",
        "first copy damaged",
        "both copies damaged",
        "other contents",
        "disk too small",
        "swap too small",
        "logical",
        "full",
    ],
)
def test_refused_disk_is_not_changed(
    blueprint: Blueprint, harm: Any, params: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with attached(image(tmp_path / "disk.img", blueprint)) as disk, disk.mounted(tmp_path / "root") as root:
        harm(disk.image)
        run("blockdev", "--flushbufs", disk.node)
        swaps = [line for line in Path("/proc/swaps").read_text().splitlines() if disk.node in line]
        run("mount", "-oremount,ro", str(root))
        before = disk.image.read_bytes()
        error = refusal(System(str(root)), **params)
        assert isinstance(error, ProviderError)
        assert re.search(words, error.message), error.message
        assert error.hint
        assert disk.image.read_bytes() == before
        assert [line for line in Path("/proc/swaps").read_text().splitlines() if disk.node in line] == swaps


def test_refused_disk_fails_the_run(tmp_path: Path) -> None:
    with box(tmp_path, SMALL_MBR) as made:
        overlap(made.disk.image)
        run("blockdev", "--flushbufs", made.disk.node)
        before = made.disk.outside_the_root()
        made.machine.declare("no-swap: {type: swap-partition, apply: always, with: {ensure: absent}}")
        run_ = made.machine.apply(Event.UPGRADE)
        assert (run_.had_errors, decisions(run_)) == (True, {"no-swap": Decision.FAILED})
        assert made.disk.outside_the_root() == before


def test_read_only_disk_is_refused(tmp_path: Path) -> None:
    path, blueprint = image(tmp_path / "disk.img", SMALL)
    before = path.read_bytes()
    with (
        attached((path, blueprint), read_only=True) as disk,
        disk.mounted(tmp_path / "root", "ro", "norecovery") as root,
    ):
        assert "is read-only" in refusal(System(str(root)), **ABSENT).message
    assert path.read_bytes() == before


def test_partition_with_loop_device_on_it_is_owed(tmp_path: Path) -> None:
    with box(tmp_path, SMALL) as made:
        before = made.disk.outside_the_root()
        over = run("losetup", "--find", "--show", made.disk.partition(2)).strip()
        try:
            made.machine.declare("no-swap: {type: swap-partition, apply: always, with: {ensure: absent}}")
            run_ = made.machine.apply(Event.UPGRADE)
            assert decisions(run_) == {"no-swap": Decision.OWED}
            assert f"{over} is on it" in run_.results[0].step.reason
            assert not run_.had_errors
        finally:
            run("losetup", "--detach", over)
        assert made.disk.outside_the_root() == before
        assert outcomes(made.machine.apply()) == {"no-swap": "changed"}


def test_open_partition_is_owed_and_still_used_as_swap(tmp_path: Path) -> None:
    with box(tmp_path, SMALL) as made:
        before = made.disk.outside_the_root()
        run("swapon", "--priority=3", made.disk.partition(2))
        with open(made.disk.partition(2), "rb"), pytest.raises(Later, match="is in use"):
            converge(swap_partition, made.system, **ABSENT)
        assert made.disk.outside_the_root() == before
        assert not list((made.machine.root / "var").rglob("*.json"))
        (line,) = (line for line in Path("/proc/swaps").read_text().splitlines() if f"{made.disk.name}p2 " in line)
        assert line.split()[-1] == "3"


def test_outdated_table_in_kernel_waits_for_reboot(tmp_path: Path) -> None:
    with box(tmp_path, EMPTY) as made:
        run("addpart", made.disk.node, "7", "90000", "2048")
        error = refusal(made.system, size="8MiB")
        assert isinstance(error, Later)
        assert (error.until, "the table on the disk does not contain" in error.message) == ("reboot", True)


def test_root_on_whole_disk_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "disk.img").open("wb") as file:
        file.truncate(16 * MIB)
    run("mkfs.ext4", "-q", str(tmp_path / "disk.img"))
    with mounted("loop", str(tmp_path / "disk.img"), tmp_path / "root") as root:
        error = refusal(System(str(root)), **ABSENT)
    assert "which is not a partition" in error.message
    assert error.hint


def test_folder_without_disk_is_owed(tmp_path: Path) -> None:
    error = refusal(System(str(tmp_path)), **ABSENT)
    assert isinstance(error, Later)
    assert (error.until, "is not the mount of a disk" in error.message) == ("facts", True)


def test_undo_of_removal_makes_one_if_there_is_space(tmp_path: Path) -> None:
    """The root partition does not shrink again."""
    with box(tmp_path, SMALL) as made:
        before = state_of(swap_partition, made.system, **ABSENT)
        converge(swap_partition, made.system, **ABSENT)
        grown = state_of(swap_partition, made.system, **ABSENT)
        take_back(made.system, before)
        after = state_of(swap_partition, made.system, **ABSENT)
        assert (after["ensure"], after["size"] >= before["size"], after["label"]) == ("present", True, "old")
        assert after["root_size"] == grown["root_size"]
        converge(swap_partition, made.system, **ABSENT)
        with pytest.raises(ProviderError, match="do not fit behind the root partition"):
            take_back(made.system, {**before, "size": 64 * MIB})


def take_back(system: System, before: dict[str, Any]) -> None:
    live = state_of(swap_partition, system, **ABSENT)
    changes = (Change(name, live[name], before[name]) for name in live if live[name] != before[name])
    swap_partition.apply(system, swap_partition.parse(ABSENT), tuple(changes))


def test_new_contents_of_partition_are_seen(tmp_path: Path) -> None:
    with box(tmp_path, SMALL) as made:
        assert state_of(swap_partition, made.system, **ABSENT)["label"] == "old"
        run("mkswap", "--label=mine", made.disk.partition(2))
        assert state_of(swap_partition, made.system, **ABSENT)["label"] == "mine"
        run("mkfs.ext4", "-q", "-F", made.disk.partition(2))
        assert "contains ext4, which would be lost" in refusal(made.system, **ABSENT).message
