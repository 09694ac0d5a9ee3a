"""Key files: to the letter where nothing changes, and as GLib reads them where something does."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile

CONFIG = b"""# kept
[core]
repo_version=1
 mode = bare-user-only \t
# kept too

[remote "flathub"]
url=https://dl.flathub.org/repo/
xa.title=Flathub\\sapps
Odd [key]=  value with  spaces
invalid=\xff

# about the next
[remote "apps"]
gpg-verify=true
unknown-key=as it is"""


def test_what_is_parsed_is_dumped_to_the_letter() -> None:
    for data in (CONFIG, CONFIG + b"\n", b"", b"\r\n[a]\r\nb=c\r\n"):
        assert Keyfile.parse(data).dump() == data


def test_values_are_found() -> None:
    keyfile = Keyfile.parse(CONFIG)
    assert keyfile.groups() == ("core", 'remote "flathub"', 'remote "apps"')
    assert keyfile.keys("core") == ("repo_version", "mode")
    assert keyfile.get("core", "mode") == "bare-user-only \t"
    assert keyfile.get('remote "flathub"', "xa.title") == "Flathub apps"
    assert keyfile.get('remote "flathub"', "Odd [key]") == "value with  spaces"
    assert keyfile.get_boolean('remote "apps"', "gpg-verify") is True
    assert keyfile.get("core", "absent") is None
    assert keyfile.get_boolean("absent", "absent") is None


def test_crlf_ends_no_value() -> None:
    assert Keyfile.parse(b"[a]\r\nb=c\r\n").get("a", "b") == "c"


def test_of_several_the_last_counts_and_is_changed() -> None:
    keyfile = Keyfile.parse(b"[a]\nk=1\nk=1\n[b]\n[a]\nk=1\nx=y\n")
    keyfile.set("a", "k", "2")
    assert keyfile.get("a", "k") == "2"
    assert keyfile.dump() == b"[a]\nk=1\nk=1\n[b]\n[a]\nk=2\nx=y\n"
    keyfile.unset("a", "k")
    assert keyfile.dump() == b"[a]\n[b]\n[a]\nx=y\n"


def test_changes_keep_the_rest() -> None:
    keyfile = Keyfile.parse(CONFIG)
    keyfile.set('remote "flathub"', "url", "https://cdn.example.com/")
    keyfile.set('remote "flathub"', "gpg-verify", value=False)
    keyfile.set('remote "apps"', "collection-id", "org.example.Apps")
    keyfile.unset("core", "mode")
    keyfile.unset("core", "absent")
    expected = (
        CONFIG.replace(b"https://dl.flathub.org/repo/", b"https://cdn.example.com/")
        .replace(b"invalid=\xff\n", b"invalid=\xff\ngpg-verify=false\n")
        .replace(b" mode = bare-user-only \t\n", b"")
    )
    assert keyfile.dump() == expected + b"\ncollection-id=org.example.Apps\n"


def test_setting_what_is_set_changes_nothing() -> None:
    keyfile = Keyfile.parse(CONFIG)
    keyfile.set("core", "mode", "bare-user-only \t")
    assert keyfile.dump() == CONFIG


def test_a_new_group_comes_and_goes_without_trace() -> None:
    before = CONFIG + b"\n"
    keyfile = Keyfile.parse(before)
    keyfile.set("new", "key", "value")
    keyfile.set("new", "more", value=True)
    assert keyfile.dump() == before + b"\n[new]\nkey=value\nmore=true\n"
    keyfile.remove_group("new")
    assert keyfile.dump() == before


@pytest.mark.parametrize(
    ("group", "rest"),
    [
        ("core", CONFIG[:7] + CONFIG[CONFIG.index(b'[remote "flathub"') :]),
        ('remote "flathub"', CONFIG[: CONFIG.index(b'[remote "fl')] + CONFIG[CONFIG.index(b"# about") :]),
        ('remote "apps"', CONFIG[: CONFIG.index(b"\n# about")]),
        ("absent", CONFIG),
    ],
)
def test_a_group_goes_with_its_comments(group: str, rest: bytes) -> None:
    keyfile = Keyfile.parse(CONFIG)
    keyfile.remove_group(group)
    assert keyfile.dump() == rest


@pytest.mark.parametrize("line", ["no pair", "=no key", "[unclosed", "[a]b]", "[]", "[tab\there]"])
def test_what_glib_refuses_is_an_error_with_its_line(line: str) -> None:
    with pytest.raises(ProviderError, match="config:3 is neither"):
        Keyfile.parse(b"[a]\nb=c\n" + line.encode(), "config")


def test_a_pair_outside_a_group_is_an_error() -> None:
    with pytest.raises(ProviderError, match=":1 is neither"):
        Keyfile.parse(b"a=b\n")


@pytest.mark.parametrize("value", ["a\\q", "trailing\\"])
def test_a_bad_escape_is_an_error(value: str) -> None:
    with pytest.raises(ProviderError, match="bad escape"):
        Keyfile.parse(f"[a]\nb={value}\n".encode()).get("a", "b")


def test_word_is_not_a_boolean() -> None:
    with pytest.raises(ProviderError, match="neither true nor false"):
        Keyfile.parse(b"[a]\nb=yes\n").get_boolean("a", "b")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\f"))  # GLib loses form feeds itself


@given(texts, texts)
def test_any_text_comes_back(first: str, second: str) -> None:
    keyfile = Keyfile.parse(b"")
    keyfile.set("group", "first", first)
    keyfile.set("group", "second", second)
    again = Keyfile.parse(keyfile.dump())
    assert (again.get("group", "first"), again.get("group", "second")) == (first, second)


@pytest.mark.skipif(shutil.which("ostree") is None, reason="ostree is not installed")
@pytest.mark.parametrize(
    "value", ["plain", "  leading", "back\\slash", "a\\sb", "trailing  ", "ünïcode", "semi;colon="]
)
def test_ostree_reads_what_is_set(tmp_path: Path, value: str) -> None:
    subprocess.run(["ostree", "init", f"--repo={tmp_path}/repo", "--mode=bare-user-only"], check=True)
    config = tmp_path / "repo/config"
    keyfile = Keyfile.parse(config.read_bytes())
    keyfile.set("test", "key", value)
    config.write_bytes(keyfile.dump())
    command = ["ostree", "config", f"--repo={tmp_path}/repo", "get", "test.key"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == f"{value}\n"


def test_a_group_can_be_called_otherwise_and_back() -> None:
    keyfile = Keyfile.parse(CONFIG)
    keyfile.rename_group('remote "flathub"', 'aside "flathub"')
    assert keyfile.dump() == CONFIG.replace(b'[remote "flathub"]', b'[aside "flathub"]')
    assert keyfile.get('aside "flathub"', "xa.title") == "Flathub apps"
    keyfile.set('aside "flathub"', "new", "x")
    keyfile.rename_group('aside "flathub"', 'remote "flathub"')
    assert keyfile.dump() == CONFIG.replace(b"invalid=\xff\n", b"invalid=\xff\nnew=x\n")


@pytest.mark.parametrize("before", [b"[a]\nb=c", b"[a]\nb=c\n", b"[a]\nb=c\n\n"])
def test_a_group_of_another_file_is_added_to_the_letter(before: bytes) -> None:
    keyfile, other = Keyfile.parse(before), Keyfile.parse(CONFIG)
    keyfile.add_group(other, 'remote "apps"', "apps")
    added = b"# about the next\n[apps]\ngpg-verify=true\nunknown-key=as it is\n"
    assert keyfile.dump() == b"[a]\nb=c\n\n" + added
    assert keyfile.get_boolean("apps", "gpg-verify") is True
    keyfile.add_group(other, "core", "core")
    assert keyfile.dump().endswith(b"as it is\n\n[core]\nrepo_version=1\n mode = bare-user-only \t\n# kept too\n")
    assert other.dump() == CONFIG
