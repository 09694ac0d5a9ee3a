from converge.diagnostics import Mark, Report
from converge.render import github


def test_annotations(report: Report) -> None:
    assert list(github.diagnostics(report)) == [
        (
            "::error file=school.yaml,line=6,endLine=6,col=7,endColumn=18,title=unknown-parameter"
            "::flatpak-remote has no parameter 'colection_id'%0Adid you mean 'collection_id'?"
        ),
        (
            "::error file=school.yaml,line=8,endLine=8,col=3,endColumn=9,title=duplicate-id"
            "::the id 'flathub' is declared twice%0Ause `override`"
        ),
        "::warning title=stale::100%25 stale:%0Areally%0Afix it, or: not",
    ]


def test_stretch_over_lines_has_no_columns_and_path_is_escaped() -> None:
    report = Report()
    report.error("code", "message", Mark("a,b:c.yaml", 1, 2, 3, 4))
    assert list(github.diagnostics(report)) == ["::error file=a%2Cb%3Ac.yaml,line=1,endLine=3,title=code::message"]
