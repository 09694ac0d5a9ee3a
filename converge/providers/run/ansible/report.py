"""The result of a playbook run, as the plugin `converge_report` reports it."""

import json
from collections.abc import Iterable, Iterator

from attrs import frozen

from converge.errors import ProviderError
from converge.system import CommandResult

RECORD, FIELD = "\x1e", "\x1f"

LINES_SHOWN = 10
LINE_SHOWN = 100
ROOM = 3000
"""Characters that a plan, and so the ledger, may use for the changes of a playbook."""


@frozen
class Task:
    name: str
    text: str = ""
    """The diff of its change, or the reason why it failed."""

    @property
    def complaint(self) -> str:
        return f"the task '{self.name}' failed: {': '.join(self.text.splitlines())[: 4 * LINE_SHOWN]}"


@frozen
class Report:
    """`unknown` are the tasks whose changes check mode cannot predict."""

    changed: tuple[Task, ...]
    unknown: tuple[Task, ...]
    failed: Task | None = None


def read(done: CommandResult) -> Report:
    """The report of a run that ended, even in a failed task; ProviderError if it could not begin."""
    records = [_record(text) for text in done.stdout.split(RECORD)[1:]]
    kinds = [kind for kind, _ in records]
    if "unmatched" in kinds:
        raise ProviderError("no play in the playbook matches this machine", hint="write `hosts: all`")
    if "end" not in kinds:
        raise ProviderError(f"ansible-playbook failed with code {done.returncode}: {_first_error(done)}")
    failed = [task for kind, task in records if kind == "failed"]
    return Report(
        tuple(task for kind, task in records if kind == "changed"),
        tuple(task for kind, task in records if kind == "unknown"),
        None if done.ok else (failed or [Task("?", _first_error(done))])[-1],
    )


def _record(text: str) -> tuple[str, Task]:
    kind, name, content = (*text.split(FIELD, 2), "", "")[:3]
    return kind, Task(name, content.rstrip("\n"))


def _first_error(done: CommandResult) -> str:
    lines = [line.strip() for line in (*done.stderr.splitlines(), *done.stdout.splitlines()) if line.strip()]
    errors = [line.removeprefix(mark).strip() for mark in ("[ERROR]:", "ERROR!") for line in lines if mark in line[:8]]
    return (errors or lines[-1:] or ["it printed nothing"])[0][: 4 * LINE_SHOWN]


def shown(tasks: Iterable[Task]) -> tuple[str, ...]:
    """Each task with the first lines of its diff; if the space is used up, the number of further tasks."""
    return tuple(_within_room(tuple(tasks)))


def _within_room(tasks: tuple[Task, ...]) -> Iterator[str]:
    room = ROOM
    for index, task in enumerate(tasks):
        text = _excerpt(task)
        room -= len(json.dumps(text))
        if room < 0:
            yield f"and {len(tasks) - index} more"
            return
        yield text


def _excerpt(task: Task) -> str:
    lines = [line[:LINE_SHOWN] for line in task.text.splitlines()]
    more = [f"… {len(lines) - LINES_SHOWN} lines more"] if len(lines) > LINES_SHOWN else []
    return "\n".join([task.name[:LINE_SHOWN], *lines[:LINES_SHOWN], *more])
