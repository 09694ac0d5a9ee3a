from pathlib import Path

import pytest

from converge.diagnostics import Diagnostic, Mark, Report, Severity
from converge.engine.step import Plan, Step
from converge.errors import ConvergeError
from converge.model import Action, Change, Decision, Domain, Event, Phase, Policy, Product
from converge.render import text
from converge.render.base import Line, Sources, plain, width

MARK = Mark("school.yaml", 1, 1, 1, 1)


def shown(lines: "list[Line]") -> str:
    return "\n".join(map(plain, lines))


def test_diagnostics_read_like_a_compilers(report: Report) -> None:
    assert shown(list(text.diagnostics(report, Sources()))) == "\n".join(
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
            "      = help: mend it, or: not",
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
def test_the_underline_stands_below_what_is_meant(
    line: str, stretch: tuple[int, int], underline: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(line + "\n")
    mark = Mark(str(path), 1, stretch[0], 1, stretch[1])
    lines = list(text.diagnostics([Diagnostic(Severity.ERROR, "code", "message", None, mark)], Sources()))
    assert plain(lines[3]) == "      | " + underline


@pytest.mark.parametrize("columns", [40, 80, 100])
@pytest.mark.parametrize("column", [1, 30, 95, 150])
def test_an_excerpt_fits_its_terminal(column: int, columns: int, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    line = "".join(f"{number:<10}" for number in range(16))
    path.write_text(line + "\n")
    mark = Mark(str(path), 1, column, 1, column + 8)
    found = [Diagnostic(Severity.ERROR, "code", "message", "a hint of some length", mark)]
    source, underline, *_ = map(plain, list(text.diagnostics(found, Sources(), columns=columns))[2:])
    assert max(width(source), width(underline)) <= columns
    assert source[underline.index("^") :].startswith(line[column - 1 : column + 7].rstrip())


def test_of_a_long_line_the_part_around_the_stretch_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("key: " + "x" * 200 + " bad " + "y" * 200 + "\n")
    mark = Mark(str(path), 1, 207, 1, 210)
    lines = list(text.diagnostics([Diagnostic(Severity.ERROR, "code", "message", "h" * 90, mark)], Sources()))
    source, underline, hint = map(plain, lines[2:5])
    assert width(source) < 120
    assert source[underline.index("^") : underline.rindex("^") + 1] == "bad"
    assert hint == "      = help: " + "h" * 90


def test_a_place_of_several_lines_is_underlined_on_its_first(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("with:\n  a: 1\n")
    lines = list(
        text.diagnostics([Diagnostic(Severity.ERROR, "code", "m", None, Mark(str(path), 1, 1, 2, 7))], Sources())
    )
    assert plain(lines[3]) == "      | ^^^^^"


def test_a_failure_is_an_error_and_a_hint() -> None:
    assert shown(list(text.failure(ConvergeError("cannot\n", hint="try")))) == "error: cannot\\n\nhint: try"


def step(id_: str, decision: Decision, action: Action = Action.NONE, **more: object) -> Step:
    known = {
        "type": "file",
        "policy": Policy.ALWAYS,
        "event": Event.UPGRADE,
        "reason": "",
        "domains": (Domain.MACHINE,),
        "phase": Phase.BOOT,
        "source": MARK,
    }
    return Step(id=id_, decision=decision, action=action, **(known | more))  # type: ignore[arg-type]  # a table of fields


def plan_of(*steps: Step) -> Plan:
    product = Product("school", "School edition", MARK, {}, {})
    return Plan(product, dict.fromkeys(Domain, Event.UPGRADE), adopting=True, steps=steps)


def test_a_plan_reads_like_opentofus() -> None:
    plan = plan_of(
        step(
            "flathub",
            Decision.APPLY,
            Action.CHANGE,
            changes=(Change("title", "Old", "Flathub"), Change("collection_id", None, "org.flathub.Stable")),
            kept=(Change("comment", "Mine", "Theirs"),),
            why="Users expect it.",
        ),
        step("gimp", Decision.APPLY, Action.ADD, changes=(Change("ensure", "absent", "present"),)),
        step("chrome", Decision.OWED, reason="the network is not there"),
        step("motd", Decision.IN_PLACE),
        step("saned", Decision.SETTLED, reason="done"),
        step("cups", Decision.FAILED, reason="no such user"),
    )
    assert shown(list(text.plan(plan, columns=None))) == "\n".join(
        [
            "School edition (school): upgrade, adopting this machine",
            "",
            "  ~ flathub  file, always",
            '      title:         "Old" -> "Flathub"',
            '      collection_id: unset -> "org.flathub.Stable"',
            '      comment:       "Mine" kept, not "Theirs"',
            "      why: Users expect it.",
            "  + gimp     file, always",
            "  = chrome   file, always  owed: the network is not there",
            "  ! cups     file, always  failed: no such user",
            "  = 2 in place or settled",
            "",
            "Plan: 1 to add, 1 to change, 0 to remove; 0 kept, 1 owed, 1 in place, 1 failed.",
        ]
    )


def test_rows_are_shown_as_one_list_with_what_goes_and_comes_marked() -> None:
    before = ("  1   2048 - 12287  5.0 MiB  Linux", "  2  12288 - 20446  4.0 MiB  swap", "  3  20447 - 20479  vendor")
    after = ("  1   2048 - 20446  9.0 MiB  Linux", "  3  20447 - 20479  vendor")
    changes = (Change("root_size", 5 << 20, 9 << 20), Change("table", before, after))
    plan = plan_of(step("no-swap", Decision.APPLY, Action.REMOVE, type="swap-partition", changes=changes))
    assert shown(list(text.plan(plan, columns=100))).splitlines()[2:9] == [
        "  - no-swap  swap-partition, always",
        "      root_size: 5 MiB -> 9 MiB",
        "      table:",
        "        -   1   2048 - 12287  5.0 MiB  Linux",
        "        +   1   2048 - 20446  9.0 MiB  Linux",
        "        -   2  12288 - 20446  4.0 MiB  swap",
        "            3  20447 - 20479  vendor",
    ]


def test_of_a_map_the_parts_that_change_are_shown_each_by_itself() -> None:
    maps = Change("arguments", {"quiet": True, "splash": None}, {"quiet": True, "splash": True, "debug": False})
    other = Change("drop_ins", None, {"10-a.conf": "x"})
    plan = plan_of(step("args", Decision.APPLY, Action.CHANGE, type="kernel-args", changes=(maps, other)))
    assert shown(list(text.plan(plan, columns=100))).splitlines()[3:6] == [
        "      arguments[splash]:   unset -> true",
        "      arguments[debug]:    unset -> false",
        '      drop_ins[10-a.conf]: unset -> "x"',
    ]


def test_sizes_are_shown_in_their_unit() -> None:
    changes = (Change("size", None, 4 << 30), Change("priority", None, 1024))
    plan = plan_of(step("swap", Decision.APPLY, Action.ADD, type="swap", changes=changes))
    assert shown(list(text.plan(plan, columns=100))).splitlines()[3:5] == [
        "      size:     unset -> 4 GiB",
        "      priority: unset -> 1024",
    ]


def test_verbose_shows_what_is_in_place_and_where_it_was_written() -> None:
    lines = shown(list(text.plan(plan_of(step("motd", Decision.IN_PLACE)), columns=None, verbose=True)))
    assert "  = motd  file, always  in place" in lines
    assert "      school.yaml:1" in lines


def test_long_values_fit_the_terminal() -> None:
    changes = (Change("url", "https://old.example.com/" + "a" * 90, "https://new.example.com/" + "b" * 90),)
    plan = plan_of(step("apps", Decision.APPLY, Action.CHANGE, changes=changes))
    assert all(width(plain(line)) <= 80 for line in text.plan(plan, columns=80))


def test_names_cannot_steer_the_terminal() -> None:
    plan = plan_of(step("home[\x1b]0;title\x07]", Decision.APPLY, Action.CHANGE))
    assert "\x1b" not in shown(list(text.plan(plan, columns=80)))


def test_a_reason_that_does_not_fit_stands_below() -> None:
    reason, why = "the network is not there and so on and so forth", "Because of this and because of that."
    plan = plan_of(step("gimp", Decision.FAILED, reason=reason, why=why))
    assert shown(list(text.plan(plan, columns=40))).splitlines()[2:7] == [
        "  ! gimp  file, always",
        "      failed: the network is not there",
        "      and so on and so forth",
        "      why: Because of this and because",
        "      of that.",
    ]
