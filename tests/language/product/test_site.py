"""A site.yaml holds secrets: whatever is wrong in it, or with it, no finding repeats what stands there."""

import json
from pathlib import Path

import pytest

from converge.diagnostics import Diagnostic
from converge.render import github, junit, sarif, text
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


def told(shelf: Shelf) -> str:
    """What all forms of the findings say."""
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
def test_no_finding_repeats_what_stands_in_a_site(shelf: Shelf, line: str, code: str) -> None:
    shelf.put_site(f"{line}\n")
    assert shelf.load("school") is None
    assert code in [found.code for found in shelf.report.errors]
    assert SECRET not in told(shelf)
    assert all(found.hint for found in shelf.report.errors)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_no_secret_and_is_not_repeated_either(shelf: Shelf, number: str) -> None:
    shelf.put_site(f"parameters: {{psk: {number}}}\n")
    assert shelf.load("school") is None
    assert "12345678" not in told(shelf)


def test_a_line_of_a_site_is_named_and_never_shown(shelf: Shelf) -> None:
    shelf.put_site("parameters:\n  psk: hunter2-hunter2\n  colour: green\n")
    shelf.load("school")
    shown = [plain(line) for line in text.diagnostics(shelf.report, Sources(shelf.report.hidden))]
    assert any(line.endswith("site.yaml:3:3") for line in shown)
    assert "green" not in "".join(shown)


def test_a_link_to_a_site_under_another_name_is_no_way_around(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put_site("")
    site = tmp_path / "etc/site.yaml"
    site.rename(tmp_path / "etc/real.yaml")
    (tmp_path / "etc/real.yaml").write_text("parameters: {psk: !hunter2-hunter2 x}\n")
    site.symlink_to("real.yaml")
    shelf.load("school")
    assert shelf.report.errors
    assert SECRET not in told(shelf)


def test_nor_of_one_that_is_not_utf8(shelf: Shelf) -> None:
    shelf.put_site("")
    (shelf.folder / "etc/site.yaml").write_bytes(f"parameters: {{psk: {SECRET}\xe9}}\n".encode("latin-1"))
    assert shelf.load("school") is None
    assert ("syntax", "site.yaml:1") in shelf.findings()
    assert SECRET not in told(shelf)


@pytest.mark.parametrize("text", [f"parameters: {{psk: {SECRET}}}\n", f"parameters: {{psk: [{SECRET}]}}\n"])
@pytest.mark.parametrize(("name", "code"), [("site.yaml", "not-a-manifest"), ("mine.yaml", "wrong-type")])
def test_one_that_is_taken_for_a_manifest(shelf: Shelf, name: str, code: str, text: str) -> None:
    (shelf.folder / name).write_text(text)
    assert shelf.load(str(shelf.folder / name)) is None
    assert code in {code for code, _ in shelf.findings()}
    assert SECRET not in told(shelf)


def test_what_is_wrong_elsewhere_is_still_shown(shelf: Shelf) -> None:
    shelf.put("school", f"{PRODUCT}tittle: x\n")
    shelf.load("school", {"psk": SECRET})
    found: Diagnostic = shelf.report.errors[0]
    shown = [plain(line) for line in text.diagnostics([found], Sources(shelf.report.hidden))]
    assert any("tittle: x" in line for line in shown)
