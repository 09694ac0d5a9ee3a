import json
from pathlib import Path

import pytest

from converge.cli import app
from converge.errors import ExitCode
from converge.language import schema


@pytest.mark.parametrize("type_", schema.types())
def test_every_type_is_listed_and_explained(type_: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["explain"]) == ExitCode.OK
    assert f"  {type_}" in capsys.readouterr().out
    assert app.run(["explain", type_]) == ExitCode.OK
    printed = capsys.readouterr().out
    definitions = schema.load(type_)["definitions"]
    assert all(f"  {name}  " in printed for name in definitions["with"]["properties"])
    assert all(f"  {name} " in printed for name in definitions["state"]["properties"])


@pytest.mark.parametrize(
    ("topic", "first"),
    [
        ("file.merge", "file.merge  "),
        ("permissions.match.mode", "permissions.match.mode  text"),
        ("resource.apply", "resource.apply  install-only | once | always, required"),
        ("manifest.extends", "manifest.extends  list of text"),
        ("network-connection.psk", "network-connection.psk  secret"),
        ("network-connection.ipv4.routes", "network-connection.ipv4.routes  list of text"),
    ],
)
def test_a_field_is_explained(topic: str, first: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["explain", topic]) == ExitCode.OK
    assert capsys.readouterr().out.startswith(first)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("file.contnt", "error: file has no 'contnt'\nhint: did you mean 'content'?\n"),
        ("permissions.match.mod", "error: permissions.match has no 'mod'\nhint: did you mean 'mode'?\n"),
    ],
)
def test_unknown_topic_is_an_error(topic: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["explain", topic]) == ExitCode.ERROR
    assert capsys.readouterr().err == expected


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["explain", "file.content", "--format", "json"]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["format_version"] == "1.0"
    assert "description" in document["schema"]


def test_types_of_other_packages_are_listed_despite_a_broken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    info = tmp_path / "shelf-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[converge.providers]\nshelf = no_such_module\nfile = theirs\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert app.run(["explain"]) == ExitCode.OK
    printed = capsys.readouterr().out
    assert "Resource types of other packages\n  shelf  the module no_such_module is missing (install" in printed
    assert printed.count("  file  ") == 1
    assert app.run(["explain", "shelf"]) == ExitCode.ERROR
    assert "the module no_such_module is missing" in capsys.readouterr().err
