import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from converge.cli import app
from converge.errors import ExitCode

BASE = """\
converge: 1
product: base
resources:
  motd:
    type: file
    apply: always
    with: {path: /etc/motd, content: hello}
"""
FAULTY = """\
converge: 1
product: faulty
extends: [bas]
titel: Faulty
resources:
  misspelt-type:
    type: flie
    apply: once
    with: {path: /etc/a}
  misspelt-parameter:
    type: file
    apply: once
    with: {path: /etc/b, contnt: b}
  misspelt-policy:
    type: file
    apply: onec
    with: {path: /etc/c, content: c}
  misspelt-fact:
    type: file
    apply: once
    when: memory.totl > 4 * GiB
    with: {path: /etc/d, content: d}
  misspelt-need:
    type: file
    apply: once
    needs: [misspelt-fct]
    with: {path: /etc/e, content: e}
  bare-mode:
    type: file
    apply: once
    with: {path: /etc/f, content: f, mode: 0644}
  bare-branch:
    type: flatpak-app
    apply: once
    with: {remote: apps, app: org.example.App, branch: 3.20}
  unquoted:
    type: file
    apply: once
    with:
      path: /etc/g
      content: {{ os.version }}
  twice:
    type: file
    apply: once
    apply: always
    with: {path: /etc/h, content: h}
"""
EXPECTED = {
    ("unknown-product", 3),
    ("unknown-key", 4),
    ("unknown-type", 7),
    ("unknown-parameter", 13),
    ("unknown-policy", 16),
    ("unknown-fact", 21),
    ("unknown-id", 26),
    ("not-text", 31),
    ("not-text", 35),
    ("unquoted-expression", 41),
    ("duplicate-key", 45),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with one manifest that is well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE)
    return tmp_path


def test_a_folder_of_valid_manifests(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["validate", str(folder)]) == ExitCode.OK
    assert capsys.readouterr().out == "1 manifest valid\n"


def test_validate_without_path_checks_the_usual_folders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["validate", "--products", str(folder)]) == ExitCode.OK
    assert capsys.readouterr().out == "1 manifest valid\n"


def test_one_run_reports_every_fault_with_its_place_and_remedy(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "faulty.yaml").write_text(FAULTY)
    assert app.run(["validate", "faulty.yaml", "--format", "json"]) == ExitCode.INVALID
    document = json.loads(capsys.readouterr().out)
    found = {(each["code"], each["range"]["start"]["line"]) for each in document["diagnostics"]}
    assert found == EXPECTED
    assert all(each["hint"] for each in document["diagnostics"])
    assert (document["valid"], document["error_count"]) == (False, len(EXPECTED))


def test_text_underlines_each_fault(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "faulty.yaml").write_text(FAULTY)
    assert app.run(["validate", "faulty.yaml"]) == ExitCode.INVALID
    printed = capsys.readouterr().out
    assert printed.count("error[") == len(re.findall(r"^      \| +\^+ ", printed, re.MULTILINE)) == len(EXPECTED)
    assert (
        "   13 |     with: {path: /etc/b, contnt: b}\n      |                          ^^^^^^ did you mean" in printed
    )
    assert printed.splitlines()[-1] == "11 errors, 0 warnings in 1 manifest"


def test_other_formats(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "faulty.yaml").write_text(FAULTY)
    assert app.run(["validate", ".", "--format", "github"]) == ExitCode.INVALID
    assert capsys.readouterr().out.count("::error file=faulty.yaml,line=") == len(EXPECTED)
    assert app.run(["validate", ".", "--format", "sarif"]) == ExitCode.INVALID
    assert len(json.loads(capsys.readouterr().out)["runs"][0]["results"]) == len(EXPECTED)
    assert app.run(["validate", ".", "--format", "junit"]) == ExitCode.INVALID
    assert ET.fromstring(capsys.readouterr().out).get("failures") == "1"


def test_json_goes_into_a_file_beside_another_format(folder: Path, tmp_path: Path) -> None:
    into = tmp_path / "findings.json"
    assert app.run(["validate", str(folder), "--format", "github", "--json-into", str(into)]) == ExitCode.OK
    assert json.loads(into.read_text())["valid"] is True
