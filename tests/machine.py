"""A scratch machine for tests: a root with an OS version and a manifest, on which converge runs in this process."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from attrs import define, field

from converge.engine.ledger import Ledgers
from converge.engine.plan import Plan
from converge.engine.request import Request, prepare
from converge.engine.result import Run
from converge.engine.run import carry_out
from converge.engine.status import Status, status
from converge.model import Decision, Entry, Event, Phase, Value
from converge.system import ReadOnlySystem, System, lock

PASSWD = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nscanner:x:117:117::/var/lib/scanner:\n"
GROUP = "root:x:0:\nalice:x:1000:\nscanner:x:117:\n"


@define
class Machine:
    root: Path
    manifest: Path
    settings: Mapping[str, str] = field(factory=dict)
    """Those of --set."""

    @classmethod
    def make(cls, folder: Path, version: str = "3.7.4") -> "Machine":
        root = folder / "root"
        for name in ("etc", "var", "run"):
            (root / name).mkdir(parents=True)
        (root / "etc/passwd").write_text(PASSWD)
        (root / "etc/group").write_text(GROUP)
        machine = cls(root, folder / "test.yaml")
        machine.upgrade_os(version)
        return machine

    def upgrade_os(self, version: str) -> None:
        (self.root / "etc/os-release").write_text(f'ID=test\nVERSION_ID="{version}"\n')

    def declare(self, resources: str, **sections: str) -> None:
        """Write the product; `resources` and other sections are the YAML below their key."""
        text = "converge: 1\nproduct: test\ntitle: Test\n"
        for name, body in {**sections, "resources": resources}.items():
            text += f"{name}:\n{indent(dedent(body).strip(), '  ')}\n"
        self.manifest.write_text(text)

    def request(
        self, event: Event | None = None, phase: Phase = Phase.ONLINE, facts: Mapping[str, Value] | None = None
    ) -> Request:
        given = facts or {}
        return Request(
            str(self.manifest), str(self.root), event=event, phase=phase, settings=self.settings, given=given
        )

    def plan(self, event: Event | None = None, **options: Any) -> Plan:
        return prepare(self.request(event, **options), ReadOnlySystem(str(self.root)))[0]

    def apply(self, event: Event | None = None, **options: Any) -> Run:
        system = System(str(self.root))
        with lock(system):
            plan, planner = prepare(self.request(event, **options), system.read_only())
            return carry_out(plan, planner, system)

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def entries(self) -> list[Entry]:
        """The entries of both ledgers, without aliases."""
        ledgers = Ledgers.load(ReadOnlySystem(str(self.root)))
        return [entry for ledger in ledgers for entry in ledger.memory.entries.values() if entry.alias is None]

    def status(self) -> Status:
        system = ReadOnlySystem(str(self.root))
        plan, planner = prepare(self.request(Event.REFRESH), system)
        return status(plan, planner.ledgers, system)


def decisions(plan: Plan | Run) -> dict[str, Decision]:
    """The decision of each id."""
    steps = plan.steps if isinstance(plan, Plan) else [result.step for result in plan.results]
    return {step.id: step.decision for step in steps}


def outcomes(run: Run) -> dict[str, str]:
    return {result.step.id: result.outcome.value for result in run.results}


def reasons(plan: Plan | Run) -> dict[str, str]:
    steps = plan.steps if isinstance(plan, Plan) else [result.step for result in plan.results]
    return {step.id: step.reason for step in steps}


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a folder: kind, mode, owner, and content or target; times are left out."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        what: object = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (oct(stat.st_mode), stat.st_uid, stat.st_gid, what)
    return found
