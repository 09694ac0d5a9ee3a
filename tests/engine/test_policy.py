"""How often a resource applies and who made a difference, as whole tables: the first row that fits decides."""

from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import Any

import pytest
from attrs import astuple, frozen
from hypothesis import given
from hypothesis import strategies as st

from converge.diagnostics import Mark
from converge.engine.policy import Judgement, Missing, Verdict, due, judge, merge
from converge.model import (
    Change,
    Decision,
    Entry,
    Event,
    OnAdopt,
    OnUserChange,
    Policy,
    Resource,
    Status,
    Unknown,
    Value,
    WhenFalse,
)

MARK = Mark("p.yaml", 1, 1, 1, 2)
RUN_EVENTS = (Event.INSTALL, Event.UPGRADE, Event.REFRESH)


def rows(table: str) -> tuple[dict[str, str], ...]:
    """The rows of a table as mappings from the words of its first line."""
    heading, *lines = (line.split() for line in table.strip().splitlines())
    return tuple(dict(zip(heading, line, strict=True)) for line in lines)


def ruling(table: tuple[dict[str, str], ...], situation: Mapping[str, str], answer: str) -> int:
    """The number of the first row whose columns, but for the answer, fit: `*` fits all, `a|b` either, `!a` another."""
    for number, row in enumerate(table):
        if all(_fits(pattern, situation[column]) for column, pattern in row.items() if column != answer):
            return number
    raise AssertionError(f"no row for {situation}")


def _fits(pattern: str, word: str) -> bool:
    if pattern.startswith("!"):
        return word != pattern[1:]
    return pattern == "*" or word in pattern.split("|")


# The columns:
#   memory     none; settled (done or baselined at this revision or a higher one, even if work for a still higher one is
#              open); raised (settled, but at a lower one); open (owed, failed or blocked)
#   arose      the event of the work: the one under which an open entry arose, else that of this run,
#              with a rollback as a refresh
#   run        the event of this run
#   listed     whether `events` lists the event of the work
#   adopted    whether the work arose in an adopting run
DUE = rows("""
policy              memory   arose     run       listed  when     when_false  on_adopt  adopted  absent  decision
once|install-only   settled  *         *         *       *        *           *         *        *       settled
install-only        *        !install  *         *       *        *           *         *        *       baseline
once                *        install   *         no      *        *           *         *        *       baseline
*                   *        *         *         no      *        *           *         *        *       not-applicable
*                   *        *         *         *       unknown  *           *         *        *       owed
*                   *        *         *         *       false    final       *         *        *       baseline
install-only        *        *         !install  *       false    *           *         *        *       baseline
*                   *        *         *         *       false    *           *         *        *       not-applicable
once                *        *         *         *       *        *           settle    yes      yes     baseline
*                   *        *         *         *       *        *           *         *        *       apply
""")


@frozen
class Arguments:
    """The arguments of `due`."""

    resource: Resource
    event: Event
    entry: Entry | None
    condition: bool | Unknown
    adopting: bool
    absent: bool

    def situation(self) -> dict[str, str]:
        """The arguments in the words of the table."""
        memory = _memory(self.resource, self.entry)
        arose, adopted = self.event, self.adopting
        if self.entry is not None and not self.entry.status.settled:
            arose, adopted = self.entry.event, self.entry.adopting
        arose = Event.REFRESH if arose is Event.ROLLBACK else arose
        return {
            "policy": self.resource.apply,
            "memory": memory,
            "arose": arose,
            "run": self.event,
            "listed": _yes(arose in self.resource.events),
            "when": "unknown" if isinstance(self.condition, Unknown) else str(self.condition).lower(),
            "when_false": self.resource.when_false,
            "on_adopt": self.resource.on_adopt,
            "adopted": _yes(adopted),
            "absent": _yes(self.absent),
        }


def _memory(resource: Resource, entry: Entry | None) -> str:
    if entry is None:
        return "none"
    if entry.revision >= resource.revision:
        return "settled"
    return "raised" if entry.status.settled else "open"


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"


def resources() -> Iterator[Resource]:
    """Every kind of resource that validation lets through: revisions are for `once`, and `always` is never final."""
    lists = [frozenset(events) for size in (1, 2, 3) for events in combinations(RUN_EVENTS, size)]
    for policy, events, when_false, on_adopt in product(Policy, lists, WhenFalse, OnAdopt):
        if policy is Policy.ALWAYS and when_false is WhenFalse.FINAL:
            continue
        for revision in (1, 2) if policy is Policy.ONCE else (1,):
            yield Resource(
                "a", "t", policy, MARK, events=events, revision=revision, when_false=when_false, on_adopt=on_adopt
            )


def entries() -> Iterator[Entry | None]:
    yield None
    for status, revision in product((Status.DONE, Status.BASELINED), (1, 2, 3)):
        yield Entry("a", "t", status, revision=revision, event=Event.INSTALL, adopting=True)
    for status, event, adopting in product((Status.OWED, Status.FAILED, Status.BLOCKED), RUN_EVENTS, (True, False)):
        for revision in (0, 1):
            yield Entry("a", "t", status, revision=revision, event=event, adopting=adopting)


def all_arguments() -> Iterator[Arguments]:
    conditions: tuple[bool | Unknown, ...] = (True, False, Unknown("unknown here"))
    for resource, entry in product(resources(), tuple(entries())):
        for event, condition, adopting, absent in product(Event, conditions, (True, False), (True, False)):
            yield Arguments(resource, event, entry, condition, adopting, absent)


def test_due_answers_every_case_as_its_table() -> None:
    ruled = [0] * len(DUE)
    for arguments in all_arguments():
        situation = arguments.situation()
        number = ruling(DUE, situation, "decision")
        ruled[number] += 1
        answer = due(*astuple(arguments, recurse=False))
        expected = (DUE[number]["decision"], situation["arose"], situation["adopted"])
        assert (answer.decision, answer.event, _yes(answer.adopting)) == expected, (number, arguments)
    assert all(ruled), f"rows that never rule: {[n for n, count in enumerate(ruled) if not count]}"


def resource(policy: Policy = Policy.ONCE, **keys: Any) -> Resource:
    return Resource("a", "t", policy, MARK, **keys)


def decision(declared: Resource, event: Event, entry: Entry | None = None, **situation: Any) -> Decision:
    known: dict[str, Any] = {"condition": True, "adopting": False, "absent": False, **situation}
    return due(declared, event, entry, **known).decision


def test_older_deployment_repeats_nothing_settled_by_a_newer() -> None:
    done = Entry("a", "t", Status.DONE, revision=3)
    assert decision(resource(revision=2), Event.ROLLBACK, done) is Decision.SETTLED
    assert decision(resource(revision=4), Event.UPGRADE, done) is Decision.APPLY


def test_a_new_resource_of_a_new_product_is_done_at_a_refresh() -> None:
    assert decision(resource(), Event.REFRESH) is Decision.APPLY


def test_a_fix_for_upgrades_never_runs_on_a_new_installation() -> None:
    fix = resource(events=frozenset((Event.UPGRADE,)))
    assert decision(fix, Event.INSTALL) is Decision.BASELINE
    baselined = Entry("a", "t", Status.BASELINED, event=Event.INSTALL)
    assert decision(fix, Event.UPGRADE, baselined) is Decision.SETTLED


def test_work_owed_by_image_build_stays_install_work_at_refresh() -> None:
    owed = Entry("a", "t", Status.OWED, revision=0, event=Event.INSTALL)
    swap = resource(Policy.INSTALL_ONLY)
    assert decision(swap, Event.REFRESH, owed) is Decision.APPLY
    assert decision(swap, Event.REFRESH) is Decision.BASELINE


def test_install_only_condition_false_after_install_is_final() -> None:
    owed = Entry("a", "t", Status.OWED, revision=0, event=Event.INSTALL)
    swap = resource(Policy.INSTALL_ONLY)
    assert decision(swap, Event.INSTALL, condition=False) is Decision.NOT_APPLICABLE
    assert decision(swap, Event.REFRESH, owed, condition=False) is Decision.BASELINE


def test_work_owed_since_adoption_keeps_the_users_removals() -> None:
    owed = Entry("a", "t", Status.OWED, revision=0, event=Event.UPGRADE, adopting=True)
    app = resource(on_adopt=OnAdopt.SETTLE)
    assert decision(app, Event.REFRESH, owed, absent=True) is Decision.BASELINE
    assert decision(app, Event.REFRESH, absent=True) is Decision.APPLY


@pytest.mark.parametrize("declared", [resource(Policy.INSTALL_ONLY), resource(events=frozenset((Event.INSTALL,)))])
def test_every_answer_but_apply_gives_its_reason(declared: Resource) -> None:
    answer = due(declared, Event.UPGRADE, None, condition=True, adopting=False, absent=False)
    assert answer.reason.endswith("(this is an upgrade)")
    assert answer.reason_code in ("install-only", "other-event")


def test_owed_reason_names_the_unknown_value() -> None:
    answer = due(resource(), Event.INSTALL, None, Unknown("disk.size is unknown here"), adopting=False, absent=False)
    assert answer.reason == "disk.size is unknown here"


# The columns:
#   base   none; live (it equals the live value); other
#   live   absent (the thing itself); desired (it equals the desired value); other
MERGE = rows("""
base   live     on_user_change  verdict
*      desired  *               in-place
none   absent   *               ours
live   *        *               ours
*      *        overwrite       overwrite
*      *        keep            keep
""")

VALUES: tuple[Value, ...] = (None, "", "a", "b", "c", ("a", "b"))


def test_merge_answers_every_case_as_its_table() -> None:
    ruled = set()
    bases, lives = (Missing.BASE, *VALUES), (Missing.THING, *VALUES)
    for base, live, desired, rule in product(bases, lives, VALUES, OnUserChange):
        situation = {
            "base": "none" if base is Missing.BASE else "live" if base == live else "other",
            "live": "absent" if live is Missing.THING else "desired" if live == desired else "other",
            "on_user_change": str(rule),
        }
        number = ruling(MERGE, situation, "verdict")
        ruled.add(number)
        assert merge(base, live, desired, rule) == MERGE[number]["verdict"], (base, live, desired, rule)
    assert ruled == set(range(len(MERGE)))


def test_unset_field_is_a_value_and_not_missing() -> None:
    assert merge(None, None, "a", OnUserChange.KEEP) is Verdict.OURS
    assert merge("a", None, "a", OnUserChange.KEEP) is Verdict.KEEP
    assert merge(Missing.BASE, None, "a", OnUserChange.KEEP) is Verdict.KEEP


@pytest.mark.parametrize(
    ("base", "live", "verdict"),
    [
        (Missing.BASE, {"a": None, "b": None}, "ours"),
        (Missing.BASE, {"a": "theirs", "b": None}, "keep"),
        ({"a": "x"}, {"a": "x", "b": None}, "ours"),
        ({"a": "x"}, {"a": "x", "b": "theirs"}, "keep"),
        ({"a": "x", "b": "x"}, {"a": "x", "b": None}, "keep"),
        ({"a": "x", "b": None}, {"a": "x", "b": None}, "ours"),
        ({"a": "x", "c": "x"}, {"a": "x", "b": "new", "c": "theirs"}, "ours"),
        ({"a": "x"}, {"a": "new", "b": "new", "c": "theirs"}, "in-place"),
    ],
)
def test_a_map_is_judged_by_the_parts_that_would_change(
    base: Mapping[str, Value] | Missing, live: Mapping[str, Value], verdict: str
) -> None:
    desired = {**live, "a": "new", "b": "new"}
    assert merge(base, live, desired, OnUserChange.KEEP) == verdict
    overwritten = "overwrite" if verdict == "keep" else verdict
    assert merge(base, live, desired, OnUserChange.OVERWRITE) == overwritten


ADD = (Change("ensure", "absent", "present"), Change("url", None, "u"), Change("title", None, "t"))
EDIT = (Change("url", "theirs", "u"), Change("title", "theirs", "t"))
REMOVE = (Change("ensure", "present", "absent"),)
MADE = {"ensure": "present", "url": "u", "title": "t"}
MASK = (Change("masked", False, True),)


def names(judgement: Judgement) -> tuple[str, str, str]:
    """The fields to apply, those kept, and those that overwrite what a user did."""
    apply, kept, overwritten = (
        " ".join(change.field for change in part) for part in (judgement.apply, judgement.kept, judgement.overwritten)
    )
    return apply, kept, overwritten


@pytest.mark.parametrize(
    ("changes", "base", "absent", "on_user_change", "expected"),
    [
        pytest.param(ADD, {}, True, "keep", ("ensure url title", "", ""), id="never-there-is-ours-to-add"),
        pytest.param(ADD, MADE, True, "keep", ("", "ensure url title", ""), id="tombstone-kept"),
        pytest.param(ADD, MADE, True, "overwrite", ("ensure url title", "", "ensure url title"), id="tombstone-undone"),
        pytest.param(ADD, {"ensure": "absent"}, True, "keep", ("ensure url title", "", ""), id="removed-by-us"),
        pytest.param(EDIT, {}, False, "keep", ("", "url title", ""), id="found-and-different-kept"),
        pytest.param(EDIT, {}, False, "overwrite", ("url title", "", "url title"), id="found-and-different-taken"),
        pytest.param(EDIT, MADE, False, "keep", ("", "url title", ""), id="edited-by-the-user-kept"),
        pytest.param(EDIT, MADE, False, "overwrite", ("url title", "", "url title"), id="edited-by-the-user-undone"),
        pytest.param(EDIT, {**MADE, "url": "theirs"}, False, "keep", ("url", "title", ""), id="field-by-field"),
        pytest.param(REMOVE, {}, False, "keep", ("", "ensure", ""), id="the-users-thing-is-not-removed"),
        pytest.param(REMOVE, {}, False, "overwrite", ("ensure", "", "ensure"), id="found-and-removed"),
        pytest.param(REMOVE, MADE, False, "keep", ("ensure", "", ""), id="what-we-made-is-ours-to-remove"),
        pytest.param(REMOVE, {"ensure": "absent"}, False, "keep", ("", "ensure", ""), id="added-back-by-the-user"),
        pytest.param(MASK, {}, True, "keep", ("masked", "", ""), id="ours-although-we-do-not-make-the-thing"),
        pytest.param(MASK, {"masked": True}, True, "keep", ("", "masked", ""), id="the-users-although-we-do-not"),
        pytest.param((), MADE, False, "keep", ("", "", ""), id="nothing-to-judge"),
    ],
)
def test_judge(
    changes: tuple[Change, ...],
    base: Mapping[str, Value],
    absent: bool,
    on_user_change: str,
    expected: tuple[str, str, str],
) -> None:
    assert names(judge(changes, base, OnUserChange(on_user_change), absent=absent)) == expected


def test_a_raised_revision_forgets_a_tombstone() -> None:
    judgement = judge(ADD, MADE, OnUserChange.KEEP, absent=True, tombstones=False)
    assert names(judgement) == ("ensure url title", "", "")


def test_raised_revision_keeps_other_changes_of_the_user() -> None:
    judgement = judge(EDIT, MADE, OnUserChange.KEEP, tombstones=False)
    assert names(judgement) == ("", "url title", "")


def test_fields_that_move_together_are_kept_together() -> None:
    base = {**MADE, "url": "theirs"}
    apart = judge(EDIT, base, OnUserChange.KEEP)
    together = judge(EDIT, base, OnUserChange.KEEP, groups=[("url", "title", "icon")])
    assert names(apart) == ("url", "title", "")
    assert names(together) == ("", "url title", "")


def test_kept_group_does_not_keep_other_fields() -> None:
    changes = (*EDIT, Change("icon", "i", "j"))
    judgement = judge(changes, {"icon": "i"}, OnUserChange.KEEP, groups=[("url", "title")])
    assert names(judgement) == ("icon", "url title", "")


def test_overwritten_group_names_only_the_users_changes() -> None:
    judgement = judge(EDIT, {"url": "theirs"}, OnUserChange.OVERWRITE, groups=[("url", "title")])
    assert names(judgement) == ("url title", "", "title")


def test_unprotected_field_is_ours_while_the_thing_is_present() -> None:
    assert names(judge(EDIT, {}, OnUserChange.KEEP, unprotected=("url",))) == ("url", "title", "")
    assert names(judge(EDIT, {}, OnUserChange.OVERWRITE, unprotected=("url",))) == ("url title", "", "title")


def test_tombstone_covers_unprotected_fields() -> None:
    assert names(judge(ADD, MADE, OnUserChange.KEEP, absent=True, unprotected=("ensure",))) == (
        "",
        "ensure url title",
        "",
    )


MIGRATE = (
    Change("ensure", "absent", "present"),
    Change("origin", None, "flathub"),
    Change("replaced", "present", "absent"),
)
MIGRATED = {"ensure": "present", "origin": "flathub", "replaced": "absent"}


@pytest.mark.parametrize(
    ("changes", "base", "absent", "expected"),
    [
        pytest.param(MIGRATE, {}, True, ("ensure origin replaced", "", ""), id="not-there-yet"),
        pytest.param(
            (Change("origin", "elsewhere", "flathub"), MIGRATE[2]),
            {},
            False,
            ("replaced", "origin", ""),
            id="there-from-elsewhere-is-left-as-it-is-and-the-old-one-goes",
        ),
        pytest.param(
            MIGRATE, MIGRATED, True, ("", "ensure origin replaced", ""), id="the-user-went-back-to-the-old-one"
        ),
    ],
)
def test_an_app_that_replaces_another(
    changes: tuple[Change, ...], base: Mapping[str, Value], absent: bool, expected: tuple[str, str, str]
) -> None:
    """CASES 16: a field that the manifest names leaves a kept group."""
    groups = [("ensure", "origin", "replaced")]
    judgement = judge(changes, base, OnUserChange.KEEP, absent=absent, groups=groups, unprotected=("replaced",))
    assert names(judgement) == expected


@given(
    base=st.dictionaries(st.sampled_from("abcd"), st.sampled_from((None, "x", "y"))),
    live=st.dictionaries(st.sampled_from("abcd"), st.sampled_from((None, "x", "y"))),
    rule=st.sampled_from(OnUserChange),
    absent=st.booleans(),
    raised=st.booleans(),
    groups=st.sampled_from([(), (("a", "b"),), (("a", "b"), ("c", "d")), (("a", "b", "c"),)]),
)
def test_judge_loses_no_change_and_names_each_overwritten_one(
    base: dict[str, Value],
    live: dict[str, Value],
    rule: OnUserChange,
    absent: bool,
    raised: bool,
    groups: tuple[tuple[str, ...], ...],
) -> None:
    changes = tuple(Change(name, value, "desired") for name, value in live.items())
    judgement = judge(changes, base, rule, absent=absent, tombstones=not raised, groups=groups)
    assert sorted((*judgement.apply, *judgement.kept), key=changes.index) == list(changes)
    assert set(judgement.overwritten) <= set(judgement.apply)
    assert not (judgement.kept if rule is OnUserChange.OVERWRITE else judgement.overwritten)
    for group in groups:
        assert not {c.field for c in judgement.apply} & set(group) or not {c.field for c in judgement.kept} & set(group)
