from pathlib import Path

import pytest

from converge.diagnostics import Mark, Related, Report

MANIFEST = """\
converge: 1
resources:
  flathub:
    type: flatpak-remote
    with:
      colection_id: org.flathub.Stable
  日本語: {字: 値}
  flathub: {}
"""


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Findings in a manifest, whose path is relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("school.yaml").write_text(MANIFEST)
    found = Report()
    found.error(
        "unknown-parameter",
        "flatpak-remote has no parameter 'colection_id'",
        Mark("school.yaml", 6, 7, 6, 19),
        hint="did you mean 'collection_id'?",
    )
    found.error(
        "duplicate-id",
        "the id 'flathub' is declared twice",
        Mark("school.yaml", 8, 3, 8, 10),
        hint="use `override`",
        related=(Related("declared here first", Mark("school.yaml", 3, 3, 3, 10)),),
    )
    found.warning("stale", "100% stale:\nreally", hint="fix it, or: not")
    return found
