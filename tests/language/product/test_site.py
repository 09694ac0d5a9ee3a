"""A site.yaml contains secrets: no finding about it repeats its text."""

import json
from pathlib import Path

import pytest

from converge.diagnostics import Diagnostic
from converge.render import diagnostics as text
from converge.render import github, junit, sarif
from converge.render import json as as_json
from converge.render.base import Sources, plain
from tests.manifests import Shelf

SECRET = "hunter2-hunter2"
PRODUCT = """
parameters: {psk: {type: secret}, size: {type: size, default: 1GiB}}
resources:
  wifi:
    type: network-connection
    apply: always
    with: {name: Wifi, type: wifi, ssid: Wifi, security: wpa2-psk, psk: "{{ psk }}"}
"""

LINES = [
    ("parameters: {psk: hunter2-hunter2", "syntax"),
    ("parameters: {psk: 'hunter2-hunter2}", "syntax"),
    ('parameters: {psk: "hunter2-hunter2\\q"}', "syntax"),
    ("parameters:\n  psk: hunter2-hunter2: or so", "syntax"),
    ("parameters:\n  psk: @hunter2-hunter2", "syntax"),
    ("parameters:\n  psk: %hunter2-hunter2", "syntax"),
    ("parameters:\n  psk: 'a' hunter2-hunter2", "syntax"),
    ("parameters:\n\tpsk: hunter2-hunter2", "syntax"),
    ("parameters:\n  psk: [hunter2-hunter2", "syntax"),
    ("parameters:\n  psk: !hunter2-hunter2", "unknown-tag"),
    ("parameters:\n  psk: !hunter2-hunter2 x", "unknown-tag"),
    ("parameters:\n  psk: *hunter2-hunter2", "unknown-alias"),
    ("parameters:\n  psk: &hunter2-hunter2 [*hunter2-hunter2]", "recursive-alias"),
    ("parameters:\n  psk: {{ hunter2-hunter2 }}", "unquoted-expression"),
    ("parameters:\n  psk: x{{hunter2-hunter2", "unquoted-expression"),
    ("parameters:\n  psk: {hunter2-hunter2: x}", "wrong-type"),
    ("parameters:\n  psk: {hunter2-hunter2, hunter2-hunter2}", "duplicate-key"),
    ("parameters:\n  psk: [hunter2-hunter2]", "wrong-type"),
    ("parameters: {psk:hunter2-hunter2}", "wrong-type"),
    ("parameters: {psk = hunter2-hunter2}", "wrong-type"),
    ("parameters:\n  ? hunter2-hunter2\n  ? hunter2-hunter2", "duplicate-key"),
    ("parameters: hunter2-hunter2", "wrong-type"),
    ("parameters:\n  psk hunter2-hunter2", "wrong-type"),
    ("parameters: [psk, hunter2-hunter2]", "wrong-type"),
    ("override: {wifi: hunter2-hunter2}", "wrong-type"),
    ("override: {wifi: {apply: hunter2-hunter2}}", "bad-value"),
    ("override: {wifi: {with: {psk: hunter2-hunter2}}}", "written-out-secret"),
    ("override: {wifi: {with: {psk: [hunter2-hunter2]}}}", "written-out-secret"),
    ("product: hunter2 hunter2-hunter2", "bad-value"),
    ("without: hunter2-hunter2", "wrong-type"),
    ("hunter2-hunter2", "wrong-type"),
    ("parameters: {psk: hunter2-hunter2, psk: hunter2-hunter2}", "duplicate-key"),
    ("parameters: {psk: hunter2-hunter2, pks: hunter2-hunter2}", "unknown-parameter-setting"),
    ("parameters: {psk: hunter2-hunter2, size: big}", "wrong-type"),
]
NUMBERS = ["12345678.25", "-1234567825", "0x1234567825", "1e12345678", "{1234567825}", "0644123456"]


def printed(shelf: Shelf) -> str:
    """The findings in all output formats."""
    report = shelf.report
    lines = text.diagnostics(report, Sources(report.hidden))
    forms = [
        *map(plain, lines),
        json.dumps(as_json.validation(report)),
        *github.diagnostics(report),
        json.dumps(sarif.diagnostics(report)),
        junit.diagnostics(report, []),
        *map(repr, report),
    ]
    return "\n".join(forms)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.put("school", PRODUCT)
    return shelf


@pytest.mark.parametrize(("line", "code"), LINES)
def test_site_fault_does_not_repeat_secret(shelf: Shelf, line: str, code: str) -> None:
    shelf.put_site(f"{line}\n")
    assert shelf.load("school") is None
    assert code in [found.code for found in shelf.report.errors]
    assert SECRET not in printed(shelf)
    assert all(found.hint for found in shelf.report.errors)


@pytest.mark.parametrize("number", NUMBERS)
def test_site_number_for_secret_is_not_repeated(shelf: Shelf, number: str) -> None:
    shelf.put_site(f"parameters: {{psk: {number}}}\n")
    assert shelf.load("school") is None
    assert "12345678" not in printed(shelf)


def test_site_line_is_named_but_not_shown(shelf: Shelf) -> None:
    shelf.put_site("parameters:\n  psk: hunter2-hunter2\n  colour: green\n")
    shelf.load("school")
    shown = [plain(line) for line in text.diagnostics(shelf.report, Sources(shelf.report.hidden))]
    assert any(line.endswith("site.yaml:3:3") for line in shown)
    assert "green" not in "".join(shown)


def test_site_link_target_is_not_shown(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put_site("")
    site = tmp_path / "etc/site.yaml"
    site.rename(tmp_path / "etc/real.yaml")
    (tmp_path / "etc/real.yaml").write_text("parameters: {psk: !hunter2-hunter2 x}\n")
    site.symlink_to("real.yaml")
    shelf.load("school")
    assert shelf.report.errors
    assert SECRET not in printed(shelf)


def test_site_not_utf_8_is_not_shown(shelf: Shelf) -> None:
    shelf.put_site("")
    (shelf.folder / "etc/site.yaml").write_bytes(f"parameters: {{psk: {SECRET}\xe9}}\n".encode("latin-1"))
    assert shelf.load("school") is None
    assert ("syntax", "site.yaml:1") in shelf.findings()
    assert SECRET not in printed(shelf)


@pytest.mark.parametrize("text", [f"parameters: {{psk: {SECRET}}}\n", f"parameters: {{psk: [{SECRET}]}}\n"])
@pytest.mark.parametrize(("name", "code"), [("site.yaml", "not-a-manifest"), ("mine.yaml", "wrong-type")])
def test_site_loaded_as_manifest_is_not_shown(shelf: Shelf, name: str, code: str, text: str) -> None:
    (shelf.folder / name).write_text(text)
    assert shelf.load(str(shelf.folder / name)) is None
    assert code in {code for code, _ in shelf.findings()}
    assert SECRET not in printed(shelf)


def test_manifest_fault_is_shown(shelf: Shelf) -> None:
    shelf.put("school", f"{PRODUCT}tittle: x\n")
    shelf.load("school", {"psk": SECRET})
    found: Diagnostic = shelf.report.errors[0]
    shown = [plain(line) for line in text.diagnostics([found], Sources(shelf.report.hidden))]
    assert any("tittle: x" in line for line in shown)
