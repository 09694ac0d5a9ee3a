"""Report the result of each task to converge; while the playbook runs, print the current task.

A record is the kind, the task and a text, between control characters. The text is not escaped, so that converge can
remove secrets before it splits the records. Too long lines are left out as a whole for the same reason: a part of a
secret could not be recognized.
"""

import re
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: converge_report
type: stdout
short_description: the result of each task
description: [the result of each task]
"""

PROGRAMS = ("command", "raw", "script", "shell")
RECORD, FIELD = "\x1e", "\x1f"
MOST_LINES = 100
LONGEST_LINE = 4000
"""Characters."""
TEMPORARY = re.compile(r"\S*/\.ansible/tmp/\S*/")
LONGEST_REPORT = 1_000_000
"""Characters; beyond it tasks are named only."""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "converge_report"

    def __init__(self) -> None:
        super().__init__()
        self.records: list[str] = []
        self.size = 0
        self.matching = 0

    def add(self, kind: str, name: str, text: str = "") -> None:
        shown = "\n".join(reportable(text)) if self.size < LONGEST_REPORT else ""
        self.size += len(shown)
        self.records.append(RECORD + FIELD.join((kind, *(reportable(name) or [""])[:1], shown)))

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.matching += 1

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self.matching -= 1

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        print(task.name or task.action, flush=True)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        print(task.name or task.action, flush=True)

    def v2_runner_on_ok(self, result: Any) -> None:
        if result._result.get("changed"):
            self.add("changed", name_of(result), "".join(map(self.diff, parts(result._result))))

    def diff(self, part: Any) -> str:
        """The diff as Ansible shows it, without this run's temporary folder of rendered templates."""
        text = self._get_diff(part["diff"]) if part.get("diff") and part.get("changed", True) else ""
        return TEMPORARY.sub("", text)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Check mode skips tasks that it cannot predict; one that never changes anything needs no prediction."""
        unpredicted = any(is_unpredicted(part, result._task) for part in parts(result._result))
        if unpredicted and not never_changes(result._task):
            self.add("unknown", name_of(result))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            failed = [part for part in parts(result._result) if part.get("failed", True)]
            self.add("failed", name_of(result), "\n".join(map(complaint, failed[:1])))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.add("failed", name_of(result), complaint(result._result))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self.add("end" if self.matching else "unmatched", "")
        print("".join(self.records), flush=True)


def reportable(text: str) -> list[str]:
    """The lines that are neither empty nor too long; splitting has removed the sign of a record."""
    lines = [line for line in text.splitlines() if line.strip() and len(line) <= LONGEST_LINE and FIELD not in line]
    return lines[:MOST_LINES]


def parts(result: Any) -> list[Any]:
    """The results of a loop, or the one result."""
    found = [part for part in result.get("results") or [] if isinstance(part, dict)]
    return found or [result]


def is_unpredicted(result: Any, task: Any) -> bool:
    """Whether check mode skipped a task, and not its condition or an empty loop.

    `no_log` hides the reason. A task with a condition then counts as skipped by the condition, unless check mode cannot
    predict its module anyway.
    """
    if "censored" in result and task.when:
        return task.action.rpartition(".")[2] in PROGRAMS
    return "skip_reason" not in result and "skipped_reason" not in result


def name_of(result: Any) -> str:
    """The name in the play, with its variables filled in; the module's name if a task has none."""
    return str(result.task_name if result._task.name else result._task.action)


def never_changes(task: Any) -> bool:
    return bool(task.changed_when) and all(str(each).lower() == "false" for each in task.changed_when)


def complaint(result: Any) -> str:
    """The message, and the last line that the program or the module printed."""
    printed = str(result.get("stderr") or result.get("module_stderr") or "").strip().splitlines()
    return "\n".join([str(result.get("msg") or result.get("censored") or ""), *printed[-1:]])
