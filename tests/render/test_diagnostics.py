from pathlib import Path

import pytest

from converge.diagnostics import Diagnostic, Mark, Report, Severity
from converge.errors import ConvergeError
from converge.render import diagnostics
from converge.render.base import Line, Sources, plain, width

MARK = Mark("school.yaml", 1, 1, 1, 1)


def shown(lines: "list[Line]") -> str:
    return "\n".join(map(plain, lines))


def test_diagnostics_read_like_a_compilers(report: Report) -> None:
    assert shown(list(diagnostics.diagnostics(report, Sources()))) == "\n".join(
        [
            "error[unknown-parameter]: flatpak-remote has no parameter 'colection_id'",
            "  --> school.yaml:6:7",
            "    6 |       colection_id: org.flathub.Stable",
            "      |       ^^^^^^^^^^^^ did you mean 'collection_id'?",
            "",
            "error[duplicate-id]: the id 'flathub' is declared twice",
            "  --> school.yaml:8:3",
            "    8 |   flathub: {}",
            "      |   ^^^^^^^ use `override`",
            "  ::: school.yaml:3:3",
            "    3 |   flathub:",
            "      |   ------- declared here first",
            "",
            "warning[stale]: 100% stale:\\nreally",
            "      = help: fix it, or: not",
            "",
        ]
    )


@pytest.mark.parametrize(
    ("line", "stretch", "underline"),
    [
        ("  日本語: {字: 値}", (9, 10), " " * 11 + "^^"),
        ("\tkey: value", (2, 5), "    ^^^"),
        ("short", (6, 6), "     ^"),
        ("\x1b[2J: x", (1, 5), "^^^^^^^"),
    ],
)
def test_underline_is_below_the_marked_text(
    line: str, stretch: tuple[int, int], underline: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(line + "\n")
    mark = Mark(str(path), 1, stretch[0], 1, stretch[1])
    lines = list(diagnostics.diagnostics([Diagnostic(Severity.ERROR, "code", "message", None, mark)], Sources()))
    assert plain(lines[3]) == "      | " + underline


@pytest.mark.parametrize("columns", [40, 80, 100])
@pytest.mark.parametrize("column", [1, 30, 95, 150])
def test_an_excerpt_fits_its_terminal(column: int, columns: int, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    line = "".join(f"{number:<10}" for number in range(16))
    path.write_text(line + "\n")
    mark = Mark(str(path), 1, column, 1, column + 8)
    found = [Diagnostic(Severity.ERROR, "code", "message", "a hint of some length", mark)]
    source, underline, *_ = map(plain, list(diagnostics.diagnostics(found, Sources(), columns=columns))[2:])
    assert max(width(source), width(underline)) <= columns
    assert source[underline.index("^") :].startswith(line[column - 1 : column + 7].rstrip())


def test_long_line_is_cut_around_the_stretch(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("key: " + "x" * 200 + " bad " + "y" * 200 + "\n")
    mark = Mark(str(path), 1, 207, 1, 210)
    lines = list(diagnostics.diagnostics([Diagnostic(Severity.ERROR, "code", "message", "h" * 90, mark)], Sources()))
    source, underline, hint = map(plain, lines[2:5])
    assert width(source) < 120
    assert source[underline.index("^") : underline.rindex("^") + 1] == "bad"
    assert hint == "      = help: " + "h" * 90


def test_a_place_of_several_lines_is_underlined_on_its_first(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("with:\n  a: 1\n")
    lines = list(
        diagnostics.diagnostics([Diagnostic(Severity.ERROR, "code", "m", None, Mark(str(path), 1, 1, 2, 7))], Sources())
    )
    assert plain(lines[3]) == "      | ^^^^^"


def test_a_failure_is_an_error_and_a_hint() -> None:
    assert shown(list(diagnostics.failure(ConvergeError("cannot\n", hint="try")))) == "error: cannot\\n\nhint: try"
