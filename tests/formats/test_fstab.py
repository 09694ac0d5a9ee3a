"""The lines about swap in an fstab: which count, what is written, and that all others stay to the letter."""

import shutil
import subprocess
from pathlib import Path

import pytest

from converge.formats.fstab import Fstab

ROOT = "LABEL=root\t/\text4 defaults\t0 1 # a comment?\n"


def parse(text: str) -> Fstab:
    return Fstab.parse(text.encode())


def put(text: str, source: str, *options: str) -> str:
    file = parse(text)
    file.put((source,), options)
    return file.dump().decode()


def dropped(text: str, source: str) -> str:
    file = parse(text)
    file.drop((source,))
    return file.dump().decode()


@pytest.mark.parametrize(
    ("line", "options", "ours"),
    [
        ("/swap none swap sw 0 0", ("sw",), False),
        ("/swap none swap sw", ("sw",), False),
        ("/swap none swap", (), False),
        ("  /swap\tswap \t swap\tdefaults,x-converge,pri=3\t0\t0", ("defaults", "pri=3"), True),
        ("/swap none swap x-converge 0 0", (), True),
        ("/swap none swap x-converged 0 0", ("x-converged",), False),
    ],
)
def test_a_line_about_swap(line: str, options: tuple[str, ...], ours: bool) -> None:
    found = parse(f"{ROOT}\n{line}\n").find(("/swap",))
    assert found is not None
    assert (found.number, found.options, found.ours) == (2, options, ours)


@pytest.mark.parametrize(
    "line",
    ["#/swap none swap sw 0 0", "/swap /mnt ext4 defaults 0 0", "/swap none", "", "/swapfile none swap sw 0 0"],
)
def test_other_lines(line: str) -> None:
    assert parse(f"{line}\n").find(("/swap",)) is None


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("/a b", "/a\\040b"),
        ("/a\tb\\c", "/a\\011b\\134c"),
        ("/#1", "/\\0431"),
        ("/a\u00a0b\u2003ü", "/a\u00a0b\u2003ü"),
        ("LABEL=swap 2", "LABEL=swap\\0402"),
    ],
)
def test_odd_names_are_found_again(source: str, written: str) -> None:
    text = put(ROOT, source, "pri=3")
    assert text == f"{ROOT}{written} none swap pri=3,x-converge 0 0\n"
    assert put(text, source, "pri=3") == text
    found = parse(text).find((source,))
    assert found is not None
    assert found.ours
    assert dropped(text, source) == ROOT


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("/swap\tnone\tswap\tsw\t0 0 # for the big compile", "/swap\tnone\tswap\tsw,noauto\t0 0 # for the big compile"),
        ("  /swap  swap swap   sw", "  /swap  swap swap   sw,noauto"),
        ("/swap none swap", "/swap none swap sw,noauto"),
        ("/swap none swap ", "/swap none swap sw,noauto"),
    ],
)
def test_a_line_of_somebodys_changes_in_its_options_alone(line: str, changed: str) -> None:
    assert put(f"{line}\n", "/swap", "sw", "noauto") == f"{changed}\n"


def test_a_tag_may_stand_in_quotes() -> None:
    assert parse('LABEL="swap" none swap sw 0 0\n').find(("LABEL=swap",)) is not None


def test_each_of_its_names_will_do() -> None:
    names = ("LABEL=swap", "/dev/disk/by-label/swap")
    file = parse("/dev/disk/by-label/swap none swap sw 0 0\n")
    file.put(names, ["pri=3"])
    assert file.dump() == b"/dev/disk/by-label/swap none swap pri=3 0 0\n"


def test_only_our_own_lines_are_dropped() -> None:
    foreign = "/swap none swap sw 0 0\n"
    assert (
        dropped(f"{foreign}/swap none swap x-converge 0 0\n/swap none swap pri=1,x-converge 0 0\n", "/swap") == foreign
    )


def test_a_foreign_line_stays_foreign_and_in_its_place() -> None:
    text = f"{ROOT}/swap none swap sw 0 0\nproc /proc proc defaults 0 0\n"
    assert put(text, "/swap", "sw", "pri=4") == text.replace("sw 0", "sw,pri=4 0")


def test_a_line_without_options_has_the_defaults() -> None:
    assert put("/swap none swap sw 0 0\n", "/swap") == "/swap none swap defaults 0 0\n"


def test_all_other_lines_stay_to_the_letter() -> None:
    text = f"{ROOT}\n  # one\r\n/x\\040y /mnt auto noauto"
    assert dropped(put(text, "/swap"), "/swap") == text


def test_dropping_what_is_not_there() -> None:
    assert dropped(ROOT, "/swap") == ROOT


@pytest.mark.skipif(not shutil.which("findmnt"), reason="needs findmnt")
@pytest.mark.parametrize("source", ["/a b", "/a\tb\\c", "/#1", "/a\u00a0b\u2003ü"])
def test_libmount_reads_what_is_written(source: str, tmp_path: Path) -> None:
    (tmp_path / "fstab").write_text(put(ROOT, source, "pri=3"))
    argv = ["findmnt", "--tab-file", str(tmp_path / "fstab"), "--noheadings", "--raw", "--types", "swap"]
    argv += ["--output", "SOURCE,OPTIONS"]
    printed = subprocess.run(argv, capture_output=True, check=True).stdout.decode("unicode_escape").encode("latin-1")
    assert printed.decode().rstrip("\n") == f"{source} pri=3,x-converge"
