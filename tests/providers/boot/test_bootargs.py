"""Command lines, parsed and written as the kernel does it, and the places that store them."""

from pathlib import Path

import pytest

from converge.errors import Later, ProviderError
from converge.providers.boot.bootargs import Argument, edited, for_kernel, grub, kernelinstall, place_of, split
from converge.system import System


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def put(root: Path, path: str, text: str = "") -> None:
    (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    (root / path.lstrip("/")).write_text(text)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", []),
        (" quiet  splash\n", [("quiet", None), ("splash", None)]),
        ("root=UUID=1 a=", [("root", "UUID=1"), ("a", "")]),
        ('dyndbg="file a.c +p" quiet', [("dyndbg", "file a.c +p"), ("quiet", None)]),
        ('"dyndbg=file a.c +p" quiet', [("dyndbg", "file a.c +p"), ("quiet", None)]),
        ('a="b c', [("a", "b c")]),
        ("quiet -- single quiet", [("quiet", None)]),
    ],
)
def test_text_is_parsed_as_the_kernel_does(text: str, arguments: list[tuple[str, str | None]]) -> None:
    assert [(each.key, each.value) for each in for_kernel([split(text)])] == arguments


@pytest.mark.parametrize(
    ("before", "arguments", "keys", "after"),
    [
        ("quiet", {"debug": True}, {}, "quiet debug"),
        ("quiet", {"quiet": True}, {}, "quiet"),
        ("quiet=1", {"quiet": True}, {}, "quiet=1 quiet"),
        ("console=a", {"console=b": True}, {}, "console=a console=b"),
        ("module-blacklist=x", {"module_blacklist=x": True}, {}, "module-blacklist=x"),
        ('"a=b c"', {'a="b c"': True}, {}, '"a=b c"'),
        ("x a=1 y a=1 a=2", {"a=1": False}, {}, "x y a=2"),
        ("quiet -- quiet", {"quiet": False, "debug": True}, {}, "debug -- quiet"),
        ("x a y a=1 z", {}, {"a": []}, "x y z"),
        ("x a=1 y a=2 z", {}, {"a": ["a=3"]}, "x a=3 y z"),
        ("x a=1 y", {}, {"a": ["a=2", "a=3"]}, "x a=2 a=3 y"),
        ("x -- y", {}, {"a": ["a=2"]}, "x a=2 -- y"),
        ("x  x", {}, {"a": []}, "x x"),
    ],
)
def test_other_arguments_keep_their_order_and_quotes(
    before: str, arguments: dict[str, bool], keys: dict[str, list[str]], after: str
) -> None:
    once = edited([split(before)], arguments, keys)
    assert once == (split(after),)
    assert edited(once, arguments, keys) == once


def test_arguments_are_added_to_first_part_removed_from_all() -> None:
    assert edited([("a",), ("b", "c", "b")], {"b": False, "d": True}, {"c": ["c=1"]}) == (("a", "d"), ("c=1",))


def test_value_with_spaces_is_written_in_quotes() -> None:
    assert str(Argument("a", "b c")) == 'a="b c"'


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ((kernelinstall.PATH,), kernelinstall),
        ((grub.PATH,), grub),
        ((kernelinstall.PATH, grub.PATH), kernelinstall),
        ((kernelinstall.PATH, grub.PATH, "/boot/grub/grub.cfg"), grub),
        ((kernelinstall.PATH, grub.PATH, "/boot/grub2/grub.cfg", "/boot/loader/entries/a-6.1.conf"), kernelinstall),
        ((kernelinstall.PATH, grub.PATH, "/boot/grub2/grub.cfg", "/boot/loader/entries/ostree-1.conf"), grub),
        ((kernelinstall.PATH, grub.PATH, "/boot/grub/grub.cfg", "/efi/EFI/Linux/a-6.1.efi"), kernelinstall),
    ],
)
def test_place_depends_on_the_files_found(root: Path, system: System, files: tuple[str, ...], place: object) -> None:
    for path in files:
        put(root, path)
    assert place_of(system) is place


def test_place_without_any_file_is_refused(system: System) -> None:
    with pytest.raises(ProviderError, match="cannot find the kernel arguments: not an ostree system") as caught:
        place_of(system)
    assert caught.value.hint
    assert "write the present arguments into" in caught.value.hint


def test_kernelinstall_comments_stay(root: Path, system: System) -> None:
    put(root, kernelinstall.PATH, "# ours\nroot=LABEL=a ro\nquiet\n")
    assert kernelinstall.read(system) == (("root=LABEL=a", "ro", "quiet"),)
    kernelinstall.write(system, [("root=LABEL=a", "debug")], [()])
    assert (root / "etc/kernel/cmdline").read_text() == "# ours\nroot=LABEL=a debug\n"


def test_grub_last_assignment_counts(root: Path, system: System) -> None:
    put(root, grub.PATH, "GRUB_CMDLINE_LINUX_DEFAULT=quiet\nGRUB_CMDLINE_LINUX='a b'\nGRUB_CMDLINE_LINUX=c\n")
    put(root, "/etc/default/grub.d/1.cfg", 'GRUB_CMDLINE_LINUX="d e" \n')
    put(root, "/etc/default/grub.d/2.cfg", 'GRUB_CMDLINE_LINUX="${GRUB_CMDLINE_LINUX} f"\n')
    put(root, "/etc/default/grub.d/3.txt", "GRUB_CMDLINE_LINUX=g\n")
    assert grub.read(system) == (("d", "e"), ("f",), ("quiet",))
    grub.write(system, [("d", "x"), ("f",), ()], grub.read(system))
    assert (root / "etc/default/grub.d/1.cfg").read_text() == 'GRUB_CMDLINE_LINUX="d x"\n'
    with pytest.raises(ProviderError, match=r"/etc/default/grub\.d/2\.cfg adds f to GRUB_CMDLINE_LINUX"):
        grub.write(system, [("d", "y"), (), ()], grub.read(system))
    assert grub.read(system) == (("d", "x"), ("f",), ())


def test_grub_missing_variables_are_added(root: Path, system: System) -> None:
    put(root, grub.PATH, "GRUB_TIMEOUT=5\n#GRUB_CMDLINE_LINUX=x\n")
    assert grub.read(system) == ((), ())
    grub.write(system, [('a="b c"',), ()], grub.read(system))
    added = 'GRUB_CMDLINE_LINUX="a=\\"b c\\""\n'
    assert (root / "etc/default/grub").read_text() == f"GRUB_TIMEOUT=5\n#GRUB_CMDLINE_LINUX=x\n{added}"


@pytest.mark.parametrize(
    "line",
    [
        'GRUB_CMDLINE_LINUX="quiet $EXTRA"',
        "GRUB_CMDLINE_LINUX=`cat /x`",
        "GRUB_CMDLINE_LINUX=\"a\"'b'",
        'GRUB_CMDLINE_LINUX="a" # ours',
        'GRUB_CMDLINE_LINUX="a \\',
        'GRUB_CMDLINE_LINUX="a',
        "GRUB_CMDLINE_LINUX=a; x",
        'GRUB_CMDLINE_LINUX=a\nGRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX b"',
    ],
)
def test_grub_value_of_a_shell_is_refused_with_its_line(root: Path, system: System, line: str) -> None:
    put(root, grub.PATH, f"GRUB_TIMEOUT=5\n{line}\n")
    expected = r"/etc/default/grub:[23]: the value of GRUB_CMDLINE_LINUX is not plain text"
    with pytest.raises(ProviderError, match=expected) as caught:
        grub.read(system)
    assert caught.value.hint
    assert "double quotes" in caught.value.hint


def test_grub_special_characters_are_refused(root: Path, system: System) -> None:
    put(root, grub.PATH, 'GRUB_CMDLINE_LINUX="memmap=1G\\\\\\$4G"\n')
    assert grub.read(system) == (("memmap=1G\\$4G",), ())
    with pytest.raises(ProviderError, match=r"'memmap=2G\$8G' contains \$, which has a meaning"):
        grub.write(system, [("memmap=1G\\$4G", "memmap=2G$8G"), ()], grub.read(system))
    grub.write(system, [("memmap=1G\\$4G", "quiet"), ()], grub.read(system))
    assert (root / "etc/default/grub").read_text() == 'GRUB_CMDLINE_LINUX="memmap=1G\\\\\\$4G quiet"\n'


def test_grub_entries_not_generated_by_it_are_refused(root: Path, system: System) -> None:
    """As on Fedora: grub2-mkconfig does not change them."""
    put(root, grub.PATH, "GRUB_CMDLINE_LINUX=quiet\n")
    put(root, "/boot/grub2/grub.cfg")
    put(root, "/boot/loader/entries/0-6.1.conf")
    with pytest.raises(ProviderError, match="GRUB boots by /boot/loader/entries/0") as caught:
        grub.require_changeable(system)
    assert caught.value.hint
    assert "/etc/kernel/cmdline" in caught.value.hint


def test_grub_on_root_that_does_not_run_is_owed(root: Path, system: System) -> None:
    put(root, grub.PATH, "GRUB_CMDLINE_LINUX=quiet\n")
    grub.require_changeable(system)
    put(root, "/boot/grub/grub.cfg", "# It is automatically generated by grub-mkconfig\n")
    with pytest.raises(Later) as caught:
        grub.require_changeable(system)
    assert caught.value.until == "reboot"
    with pytest.raises(Later):
        grub.write(system, [("debug",), ()], grub.read(system))
    assert (root / "etc/default/grub").read_text() == "GRUB_CMDLINE_LINUX=quiet\n"
