from converge.diagnostics import Mark
from converge.engine.orphans import Orphan
from converge.model import Action, Change, Decision, Domain, Policy, Status
from converge.model import Entry as LedgerEntry
from converge.render import plan as text
from converge.render.base import Line, plain, width
from converge.system.store import address_of
from tests.steps import plan_of, step

BEFORE, AFTER = b"[text]\nsize=small\ncolor=blue\n", b"[text]\nsize=large\ncolor=blue\n"
CONTENT = Change("content", address_of(BEFORE), address_of(AFTER))
KNOWN = {address_of(BEFORE): BEFORE, address_of(AFTER): AFTER}


def shown(lines: "list[Line]") -> str:
    return "\n".join(map(plain, lines))


def rows(*lines: "Line") -> list[str]:
    return shown(list(lines)).splitlines()[2:-2]


def test_plan_names_thing_action_and_reason() -> None:
    plan = plan_of(
        step(
            "flathub",
            Decision.APPLY,
            Action.CHANGE,
            type_="flatpak-remote",
            thing="flatpak remote flathub",
            reason="drifted since the last run",
            changes=(Change("title", "Old", "Flathub"), Change("collection_id", None, "org.flathub.Stable")),
            kept=(Change("comment", "Mine", "Theirs"),),
            why="Users expect it.",
        ),
        step(
            "gimp",
            Decision.APPLY,
            Action.ADD,
            type_="flatpak-app",
            thing="flatpak app org.gimp.GIMP//stable",
            policy=Policy.ONCE,
            reason="not applied yet",
            changes=(Change("ensure", "absent", "present"), Change("origin", None, "flathub")),
        ),
        step("chrome", Decision.OWED, thing="flatpak app com.google.Chrome//stable", reason="no network"),
        step("motd", Decision.IN_PLACE),
        step("saned", Decision.SETTLED, reason="done"),
        step("cups", Decision.FAILED, thing="directory /var/cache/cups", reason="no such user"),
        adopting=True,
        root="/srv/machine",
        versions=("3.7.4", "3.8.0"),
    )
    assert shown(list(text.plan(plan, columns=None))).splitlines() == [
        "School edition (school) on /srv/machine: upgrade 3.7.4 -> 3.8.0, adopting this machine",
        "",
        "  ~ flathub  flatpak remote flathub will change                   always, drifted since the last run",
        '        title          "Old" -> "Flathub"',
        '        collection_id  unset -> "org.flathub.Stable"',
        '        comment        "Mine" stays (declared: "Theirs")',
        "        why: Users expect it.",
        "  + gimp     flatpak app org.gimp.GIMP//stable will be installed  once, not applied yet",
        '        origin  "flathub"',
        "  = chrome   flatpak app com.google.Chrome//stable: owed          no network",
        "  ! cups     directory /var/cache/cups cannot be applied          no such user",
        "  = 2 in place or settled",
        "",
        "Plan: 1 to add, 1 to change, 0 to remove; 0 kept, 1 owed, 1 in place, 1 failed.",
    ]


def test_text_change_is_shown_as_diff() -> None:
    plan = plan_of(
        step("reader", Decision.APPLY, Action.CHANGE, reason="x", changes=(CONTENT,), contents=KNOWN),
    )
    assert rows(*text.plan(plan, columns=80)) == [
        "  ~ reader  file /etc/app.conf will change  always, x",
        "        --- on the machine",
        "        +++ declared",
        "        @@ -1,3 +1,3 @@",
        "         [text]",
        "        -size=small",
        "        +size=large",
        "         color=blue",
    ]


def test_kept_text_is_shown_as_diff_that_stays() -> None:
    plan = plan_of(step("reader", Decision.KEEP, reason="x", kept=(CONTENT,), contents=KNOWN))
    assert rows(*text.plan(plan, columns=80))[:3] == [
        "  = reader  file /etc/app.conf: kept  x",
        "        --- on the machine (stays)",
        "        +++ declared",
    ]


def test_new_text_is_shown_without_header() -> None:
    change = Change("content", None, address_of(AFTER))
    plan = plan_of(step("reader", Decision.APPLY, Action.ADD, reason="x", changes=(change,), contents=KNOWN))
    assert rows(*text.plan(plan, columns=80))[1:] == [
        "        +[text]",
        "        +size=large",
        "        +color=blue",
    ]


def test_content_not_for_everybody_is_not_shown() -> None:
    hidden = dict.fromkeys(KNOWN)
    plan = plan_of(step("reader", Decision.APPLY, Action.CHANGE, reason="x", changes=(CONTENT,), contents=hidden))
    assert rows(*text.plan(plan, columns=80))[1:] == ["        content changes (not shown)"]


def test_binary_content_is_named_as_binary() -> None:
    binary = {address_of(BEFORE): b"\0", address_of(AFTER): AFTER}
    plan = plan_of(step("reader", Decision.APPLY, Action.CHANGE, reason="x", changes=(CONTENT,), contents=binary))
    assert rows(*text.plan(plan, columns=80))[1:] == ["        content changes (binary)"]


def test_long_diff_is_cut_and_counts_the_rest() -> None:
    data = "".join(f"{number}\n" for number in range(100)).encode()
    change = Change("content", None, address_of(data))
    plan = plan_of(
        step("long", Decision.APPLY, Action.ADD, reason="x", changes=(change,), contents={address_of(data): data})
    )
    lines = rows(*text.plan(plan, columns=80))
    assert (len(lines), lines[-1]) == (42, "        … 60 more lines")


def test_rows_are_shown_as_one_list_with_marks() -> None:
    before = ("  1   2048 - 12287  5.0 MiB  Linux", "  2  12288 - 20446  4.0 MiB  swap", "  3  20447 - 20479  vendor")
    after = ("  1   2048 - 20446  9.0 MiB  Linux", "  3  20447 - 20479  vendor")
    changes = (Change("root_size", 5 << 20, 9 << 20), Change("table", before, after))
    plan = plan_of(step("no-swap", Decision.APPLY, Action.REMOVE, type_="swap-partition", reason="x", changes=changes))
    assert rows(*text.plan(plan, columns=100)) == [
        "  - no-swap  file /etc/app.conf will be removed  always, x",
        "        root_size  5 MiB -> 9 MiB",
        "        table",
        "          -   1   2048 - 12287  5.0 MiB  Linux",
        "          +   1   2048 - 20446  9.0 MiB  Linux",
        "          -   2  12288 - 20446  4.0 MiB  swap",
        "              3  20447 - 20479  vendor",
    ]


def test_map_parts_are_shown_each_by_itself() -> None:
    maps = Change("arguments", {"quiet": True, "splash": None}, {"quiet": True, "splash": True, "debug": False})
    other = Change("drop_ins", None, {"10-a.conf": "x"})
    plan = plan_of(step("args", Decision.APPLY, Action.CHANGE, type_="kernel-args", changes=(maps, other)))
    assert rows(*text.plan(plan, columns=100))[1:] == [
        "        arguments[splash]    unset -> true",
        "        arguments[debug]     unset -> false",
        '        drop_ins[10-a.conf]  unset -> "x"',
    ]


def test_sizes_are_shown_in_their_unit() -> None:
    changes = (Change("size", None, 4 << 30), Change("priority", None, 1024))
    plan = plan_of(step("swap", Decision.APPLY, Action.ADD, type_="swap", changes=changes))
    assert rows(*text.plan(plan, columns=100))[1:] == ["        size      4 GiB", "        priority  1024"]


def test_verbose_shows_settled_steps_and_places() -> None:
    lines = rows(*text.plan(plan_of(step("motd", Decision.IN_PLACE, reason="as declared")), columns=None, verbose=True))
    assert lines == ["  = motd  file /etc/app.conf: in place  as declared", "        school.yaml:1"]


def test_long_values_fit_the_terminal() -> None:
    changes = (Change("url", "https://old.example.com/" + "a" * 90, "https://new.example.com/" + "b" * 90),)
    plan = plan_of(step("apps", Decision.APPLY, Action.CHANGE, reason="long " * 30, changes=changes))
    for columns in (80, 160):
        assert all(width(plain(line)) <= columns for line in text.plan(plan, columns=columns))


def test_names_cannot_steer_the_terminal() -> None:
    plan = plan_of(step("home[\x1b]0;title\x07]", Decision.APPLY, Action.CHANGE, thing="file /etc/\x1b[2J"))
    assert "\x1b" not in shown(list(text.plan(plan, columns=80)))


def test_reason_that_does_not_fit_is_below() -> None:
    reason, why = "the network is not there and so on and so forth", "Because of this and because of that."
    plan = plan_of(step("gimp", Decision.FAILED, reason=reason, why=why))
    assert rows(*text.plan(plan, columns=48)) == [
        "  ! gimp  file /etc/app.conf cannot be applied",
        "        the network is not there and so on and",
        "        so forth",
        "        why: Because of this and because of",
        "        that.",
    ]


def test_orphans_are_named() -> None:
    entry = LedgerEntry("old", "file", Status.DONE)
    plan = plan_of(orphans=(Orphan("old", "file", ((Domain.MACHINE, entry),)),))
    assert "  ? 1 orphan, no longer declared: old" in shown(list(text.plan(plan, columns=80)))


def test_verbose_place_is_where_it_was_written() -> None:
    mark = Mark("products/school.yaml", 14, 3, 14, 10)
    lines = rows(*text.plan(plan_of(step("a", Decision.OWED, mark=mark)), columns=None, verbose=True))
    assert lines[-1] == "        products/school.yaml:14"
