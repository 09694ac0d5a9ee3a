"""Files of assignments: to the letter where nothing changes, else as systemd and a shell read them."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.formats.envfile import Envfile

LOCALE = b"""\
# LANG=no
 LANG=C.UTF-8
export LC_TIME='de_AT.UTF-8'
PRETTY="Ann's \\"old\\" \\$5 machine"
MIXED=a"b c"'d'\\ e \t
LANG=en_GB.UTF-8\t
ODD="open
=nothing
lang=lower\xff"""


def test_what_is_parsed_is_dumped_to_the_letter() -> None:
    for data in (LOCALE, LOCALE + b"\r\n", b""):
        assert Envfile.parse(data).dump() == data


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LANG", "en_GB.UTF-8"),
        ("LC_TIME", "de_AT.UTF-8"),
        ("PRETTY", 'Ann\'s "old" $5 machine'),
        ("MIXED", "ab cd e"),
        ("ODD", '"open'),
        ("lang", "lower\udcff"),
        ("LC_ALL", None),
    ],
)
def test_values_are_found(name: str, value: str | None) -> None:
    assert Envfile.parse(LOCALE).get(name) == value


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        (b"A=1", "2", b"A=2"),
        (b"A=1\n", "a b", b'A="a b"\n'),
        (b'A="1"\r\n', "2", b'A="2"\r\n'),
        (b"A='1'\n", "$2", b"A='$2'\n"),
        (b"A='1'\n", "it's", b'A="it\'s"\n'),
        (b"export A=1\n# A\n", "$2", b'export A="\\$2"\n# A\n'),
        (b"A=1\nA=2\n", "1", b"A=1\nA=1\n"),
        (b"B=1", "", b"B=1\nA="),
        (b'A="1"\n', "1", b'A="1"\n'),
    ],
)
def test_a_value_is_set_in_the_style_of_its_line(before: bytes, value: str, after: bytes) -> None:
    file = Envfile.parse(before)
    file.set("A", value)
    assert file.dump() == after


def test_all_assignments_of_a_name_are_removed() -> None:
    file = Envfile.parse(LOCALE)
    file.unset("LANG")
    file.unset("LC_ALL")
    assert file.dump() == LOCALE.replace(b" LANG=C.UTF-8\n", b"").replace(b"LANG=en_GB.UTF-8\t\n", b"")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"))


@given(texts, st.sampled_from([b"", b"A=1\n", b'A="1"\n', b"A='1'\n"]))
def test_any_text_comes_back(value: str, before: bytes) -> None:
    file = Envfile.parse(before)
    file.set("A", value)
    assert Envfile.parse(file.dump()).get("A") == value


@pytest.mark.parametrize("value", ["plain", "two words", '$HOME `id` \\ "quoted" it\'s', "", "#no comment", "ünï"])
@pytest.mark.parametrize("before", [b"", b'A=""\n', b"A=''\n"])
def test_a_shell_reads_what_is_set(tmp_path: Path, value: str, before: bytes) -> None:
    file = Envfile.parse(before)
    file.set("A", value)
    (tmp_path / "file").write_bytes(file.dump())
    printed = subprocess.run(
        ["sh", "-c", '. "$1"; printf %s "$A"', "sh", str(tmp_path / "file")], check=True, capture_output=True, text=True
    )
    assert printed.stdout == value
