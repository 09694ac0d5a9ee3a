"""INI-like files of many dialects: to the letter where nothing changes, in their own style where something does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.formats.ini import Inifile

SAMBA = b"""\
# kept = as it is
; kept = too
skip-this
[global] ; the first
\tguest ok = yes
\tpath =
   aligned     =  a ; b
empty=

[Homes]
\xff=\xfe
Exec = one \\
  two = 2 \\
  # three
Name[de]=x
"""


def test_what_is_parsed_is_dumped_to_the_letter() -> None:
    for data in (SAMBA, SAMBA.replace(b"\n", b"\r\n"), SAMBA.rstrip(), b""):
        assert Inifile.parse(data).dump() == data


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("global", "guest ok", "yes"),
        ("global", "path", ""),
        ("global", "aligned", "a ; b"),
        ("global", "empty", ""),
        ("Homes", "\udcff", "\udcfe"),
        ("Homes", "Name[de]", "x"),
        ("Homes", "Exec", None),
    ],
)
def test_value_is_taken_as_written(group: str, key: str, value: str | None) -> None:
    ini = Inifile.parse(SAMBA)
    (number,) = ini.find(group, key)
    assert ini.value(number) == value


@pytest.mark.parametrize(
    ("group", "key"),
    [(None, "# kept"), (None, "kept"), (None, "skip-this"), ("Homes", "two"), ("homes", "Exec"), ("global", "Path")],
)
def test_text_that_is_not_a_pair_is_not_found(group: str | None, key: str) -> None:
    assert Inifile.parse(SAMBA).find(group, key) == []


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        (b"\tk = a\r\n", "b", b"\tk = b\r\n"),
        (b"k=a  \n", "b", b"k=b  \n"),
        (b"k     =   a", "b", b"k     =   b"),
        (b"k =\n", "b", b"k = b\n"),
        (b"k=\n", "b", b"k=b\n"),
        (b"k = a\n", "", b"k =\n"),
    ],
)
def test_a_line_keeps_its_style(before: bytes, value: str, after: bytes) -> None:
    ini = Inifile.parse(before)
    ini.set_value(0, value)
    assert ini.dump() == after


@pytest.mark.parametrize(
    ("before", "group", "after"),
    [
        (b"", None, b"k=v\n"),
        (b"a=b", None, b"a=b\nk=v"),
        (b"# top\n\n# of the group\n[g]\na=b\n", None, b"# top\n\nk=v\n# of the group\n[g]\na=b\n"),
        (b"[g]\n", None, b"k=v\n[g]\n"),
        (b"a = b\n[g]\n", None, b"a = b\nk = v\n[g]\n"),
        (b"# only a comment\n", None, b"# only a comment\nk=v\n"),
        (b"[g]\na=b\n# below\n\n[h]\nc = d\n", "g", b"[g]\na=b\nk=v\n# below\n\n[h]\nc = d\n"),
        (b"[g]\n[h]\nc = d\n", "g", b"[g]\nk=v\n[h]\nc = d\n"),
        (b"[g]\n\ta = b \\\n  c\n\n", "g", b"[g]\n\ta = b \\\n  c\n\tk = v\n\n"),
        (b"[g]\na=1\n[h]\n[g]\nb=2\n", "g", b"[g]\na=1\n[h]\n[g]\nb=2\nk=v\n"),
        (b"", "new", b"[new]\nk=v\n"),
        (b"[g]\na = b\n", "new", b"[g]\na = b\n\n[new]\nk = v\n"),
        (b"[g]\r\na=b", "new", b"[g]\r\na=b\r\n\r\n[new]\r\nk=v"),
        (b"[g]\n\n", "new", b"[g]\n\n\n[new]\nk=v\n"),
    ],
)
def test_a_key_is_added_in_its_group_and_goes_without_trace(before: bytes, group: str | None, after: bytes) -> None:
    ini = Inifile.parse(before)
    had_group = group is None or ini.has_group(group)
    ini.add(group, "k", "v")
    assert ini.dump() == after
    ini.lines.remove(ini.find(group, "k"))
    if group is not None and not had_group:
        ini.remove_group_if_empty(group)
    assert ini.dump() == before


@pytest.mark.parametrize("data", [b"[g]\na=b\n", b"[g]\n# note\n", b"[g]\n[h]\n[g]\n"])
def test_a_group_in_which_something_is_left_stays(data: bytes) -> None:
    ini = Inifile.parse(data)
    ini.remove_group_if_empty("g")
    assert ini.dump() == data


pieces = st.sampled_from([b"[g]\n", b"[h]\r\n", b"k=1\n", b" k = 2", b"# c\n", b"\n", b"x=\\\n", b"\xff\n", b"word\n"])


@given(st.lists(pieces, max_size=8), st.sampled_from([None, "g", "h"]), st.sampled_from(["", "v", "a=b", "[x]"]))
def test_what_is_set_is_found_and_comes_away_again(data: list[bytes], group: str | None, value: str) -> None:
    before = b"".join(data)
    ini = Inifile.parse(before)
    if before.rstrip(b"\r\n").endswith(b"\\"):
        return  # the line that would be added is swallowed, as every reader of the file would
    had_group = group is None or ini.has_group(group)
    ini.add(group, "new", value)
    (number,) = ini.find(group, "new")
    assert ini.value(number) == value
    ini.lines.remove([number])
    if group is not None and not had_group:
        ini.remove_group_if_empty(group)
    assert ini.dump() == before
