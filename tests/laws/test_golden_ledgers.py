"""Ledgers that an earlier converge has written, one file per type in `golden/`: what is done stays done.

Each specimen has two, as they were on the disk: of a `once` at an install, which is still open, and of an `always` on a
machine that was adopted. A golden ledger is never written again to please a test: machines have such ledgers.
"""

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from converge.engine.ledger import Ledgers
from converge.engine.request import Request, prepare
from converge.engine.run import carry_out
from converge.language import schema
from converge.model import Asset, Decision, Event, Secret
from converge.providers.registry import load
from converge.system import System
from converge.system.secrets import KEY
from tests.laws.workshop import Specimen, Workshop, specimens
from tests.programs import put_programs, put_python
from tests.real.flatpakrepo import ARCH, Key
from tests.real.partitioned import let_go

GOLDEN = Path(__file__).parent / "golden"
PLACES = {"deployment": "/etc/converge/ledger.json", "machine": "/var/lib/converge/ledger.json"}
REMEMBERED = ("id", "type", "status", "things", "revision", "base", "definition")
"""What of an entry a run leaves as it is that finds everything in place, or makes it so again."""
AROSE = ("event", "adopting")
"""What it leaves too, unless something is applied again."""
REFRESHED_BY = {"once": Event.REFRESH, "always": None}
"""An install that is open would go on by itself; where none is, the history tells that this is a refresh."""

OS_RELEASE = b'ID=test\nVERSION_ID="3.7.4"\n'
PASSWD = b"root:x:0:0::/root:/bin/sh\nsaned:x:117:117::/var/lib/saned:\n"
GROUP = b"root:x:0:\nsaned:x:117:\n"
SECRET_KEY = bytes(range(32))
TIME = "2025-01-01T00:00:00+00:00"
FOLLOWED = {"path": "/etc/other", "content": "other\n"}
"""The file `other`, declared beside each specimen that follows its changes."""

TASKS = b"""
- name: settings
  ansible.builtin.copy: {content: "of={{ name }}\\n", dest: "/etc/{{ name }}.conf", mode: "0640"}
- name: only looked at
  ansible.builtin.command: {argv: [cat, /etc/passwd]}
  changed_when: false
"""
UNFORETOLD = b"- name: count\n  ansible.builtin.shell: echo x >>/var/count\n"


def with_python(root: Path, undo: ExitStack) -> None:
    for name in ("dev", "proc", "tmp"):
        (root / name).mkdir(parents=True)
    put_programs(root)
    put_python(root)
    undo.callback(shutil.rmtree, root / "usr")  # megabytes, which pytest would keep


def tasks(_: System, workshop: Workshop) -> dict[str, Any]:
    return {"tasks": workshop.asset("tasks.yml", TASKS), "domain": "machine", "variables": {"name": "specimen"}}


def tasks_unknown_to_check_mode(_: System, workshop: Workshop) -> dict[str, Any]:
    return {"tasks": workshop.asset("tasks.yml", UNFORETOLD), "domain": "machine"}


ANSIBLE = tuple(Specimen("ansible", each, with_python) for each in (tasks, tasks_unknown_to_check_mode))
SPECIMENS = {str(specimen): specimen for specimen in (*specimens(), *ANSIBLE)}

OPAQUE = {
    # Nothing that it follows has changed, and without a guard nothing can tell that a command has run.
    "command:following:always": Decision.NOT_APPLICABLE,
    # A task that check mode cannot predict leaves nothing to find (`unseen`): it runs whenever it is due.
    "ansible:tasks_unknown_to_check_mode:always": Decision.APPLY,
}
"""What is rightly decided otherwise of types whose state nobody can see."""

LOST = {
    "ostree-remote:unwanted_remote_of_the_deployment": (
        "it is remembered with /etc, where the remote was; with the remote gone it is looked for with the machine"
    ),
}
"""Specimens whose ledgers the converge that wrote them does not find again either, and why."""


@frozen
class Golden:
    """The ledgers of one specimen under one policy, with placeholders for what differs from machine to machine."""

    specimen: str
    policy: str
    documents: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.specimen}:{self.policy}"

    @property
    def type(self) -> str:
        return self.specimen.partition(":")[0]

    @property
    def settled(self) -> Decision:
        """What is decided of a resource that is done with."""
        return Decision.SETTLED if self.policy == "once" else Decision.IN_PLACE

    @property
    def decision(self) -> Decision:
        return OPAQUE.get(str(self), self.settled)

    @property
    def asks_ansible(self) -> bool:
        """Takes seconds. What is settled is not asked about."""
        return self.type == "ansible" and self.policy == "always"

    def filled(self, key: Callable[[], Key]) -> dict[str, Any]:
        """Per domain the document of its ledger, as it would be on this machine."""
        text = json.dumps(self.documents)
        fingerprint = key().fingerprint if "{fingerprint}" in text else ""
        for name, value in {"time": TIME, "arch": ARCH, "fingerprint": fingerprint}.items():
            text = text.replace(f"{{{name}}}", value)
        documents: dict[str, Any] = json.loads(text)
        return documents


def goldens() -> dict[str, list[Golden]]:
    """Those of each type."""
    found = defaultdict(list)
    for path in sorted(GOLDEN.glob("*.json")):
        for name, policies in json.loads(path.read_text()).items():
            for policy, documents in policies.items():
                found[path.stem].append(Golden(f"{path.stem}:{name}", policy, documents))
    return found


GOLDENS = goldens()
SLOW = [pytest.mark.vm, pytest.mark.skipif(find_spec("ansible") is None, reason="needs ansible-core")]


def marked(golden: Golden) -> Any:
    known = [pytest.mark.xfail(reason=LOST[golden.specimen], raises=AssertionError)] if golden.specimen in LOST else []
    return pytest.param(golden, id=str(golden), marks=[*known, *(SLOW if golden.asks_ansible else [])])


@frozen
class Stage:
    """A specimen that stands ready on a root of its own, and the request for a product that declares it."""

    system: System
    request: Request
    resources: Mapping[str, tuple[str, Mapping[str, Any]]]
    """Per id the type and the parameters."""

    def bring_about(self) -> None:
        """Have the providers themselves bring the machine to the state that is declared."""
        for type_, given in self.resources.values():
            provider = load(type_)
            spec = provider.parse(given)
            provider.apply(self.system, spec, provider.changes(self.system, spec, provider.inspect(self.system, spec)))


def staged(specimen: Specimen, policy: str, event: Event | None, workshop: Workshop, undo: ExitStack) -> Stage:
    """Prepare a specimen on a new root, as the law tests do, and write a manifest beside its assets."""
    root = workshop.folder / "root"
    if specimen.stand:
        specimen.stand(root, undo)
    for name in ("etc", "var", "run"):
        (root / name).mkdir(parents=True)
    system = System(str(root))
    undo.callback(let_go, system)
    system.write("/etc/os-release", OS_RELEASE)
    system.write("/etc/passwd", PASSWD)
    system.write("/etc/group", GROUP)
    system.write(KEY, SECRET_KEY, mode=0o600)
    given = specimen.prepare(system, workshop)
    resources = {"specimen": (specimen.type, given)}
    if "after_change" in given:
        resources = {"other": ("file", FOLLOWED), **resources}
    manifest = workshop.folder / "golden.yaml"
    secrets: dict[str, str] = {}
    manifest.write_text(json.dumps(declared(resources, policy, secrets)))  # JSON is YAML
    return Stage(system, Request(str(manifest), str(root), event=event, settings=secrets), resources)


def declared(
    resources: Mapping[str, tuple[str, Mapping[str, Any]]], policy: str, secrets: dict[str, str]
) -> dict[str, Any]:
    """A manifest. Its `secrets` become parameters; an app that was there before is to be taken away too."""
    common = {"apply": policy, "on_user_change": "overwrite"}
    found = {
        id_: {"type": type_, **common, "with": written(given, secrets)} for id_, (type_, given) in resources.items()
    }
    head = {"converge": 1, "product": "golden", "title": "Golden"}
    return {**head, "parameters": {name: {"type": "secret"} for name in secrets}, "resources": found}


def written(value: Any, secrets: dict[str, str]) -> Any:
    """A parameter as it stands in a manifest; what is secret is put among the `secrets`."""
    match value:
        case Secret():
            name = f"secret_{len(secrets)}"
            secrets[name] = value.reveal()
            return f"{{{{ {name} }}}}"
        case Asset():
            return Path(value.path).name
        case Mapping():
            return {name: written(part, secrets) for name, part in value.items()}
        case list() | tuple():
            return [written(part, secrets) for part in value]
        case _:
            return value


def put(system: System, documents: Mapping[str, Any]) -> None:
    for domain, document in documents.items():
        if document is not None:
            system.write(PLACES[domain], f"{json.dumps(document, indent=1, sort_keys=True)}\n".encode(), mode=0o600)


def recorded(documents: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Per domain and id, what the golden ledgers say."""
    entries = {domain: document["entries"] if document else {} for domain, document in documents.items()}
    return {
        domain: {id_: {name: entry[name] for name in names} for id_, entry in found.items()}
        for domain, found in entries.items()
    }


def remembered(system: System, names: tuple[str, ...]) -> dict[str, Any]:
    """The same of what this code finds in the ledgers."""
    ledgers = Ledgers.load(system.read_only())
    entries = {domain: getattr(ledgers, domain).memory.entries for domain in PLACES}
    found = {
        domain: {id_: {name: getattr(entry, name) for name in names} for id_, entry in found.items()}
        for domain, found in entries.items()
    }
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


@pytest.fixture
def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Workshop:
    return Workshop(
        tmp_path,
        key=lambda: request.getfixturevalue("key"),
        url=lambda: request.getfixturevalue("server").url,
    )


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    """What has to be undone after a test."""
    with ExitStack() as stack:
        yield stack


def test_golden_ledgers_of_each_type_are_there() -> None:
    """A type that was added later has none: no machine has a ledger from before it."""
    assert set(GOLDENS) <= set(schema.types())
    assert len(GOLDENS) == 26


@pytest.mark.parametrize("type_", GOLDENS)
def test_old_ledgers_read_by_this_code_hold_the_same_entries(type_: str, tmp_path: Path) -> None:
    names = (*REMEMBERED, *AROSE)
    for golden in GOLDENS[type_]:
        root = tmp_path / str(golden)
        root.mkdir()
        put(System(str(root)), golden.documents)
        assert remembered(System(str(root)), names) == recorded(golden.documents, names), golden


@pytest.mark.parametrize("golden", [marked(each) for each in chain.from_iterable(GOLDENS.values())])
def test_old_ledger_at_a_refresh_leaves_nothing_to_do(golden: Golden, workshop: Workshop, undo: ExitStack) -> None:
    stage = staged(SPECIMENS[golden.specimen], golden.policy, REFRESHED_BY[golden.policy], workshop, undo)
    if golden.type != "ansible" or golden.asks_ansible:
        stage.bring_about()
    documents = golden.filled(workshop.key)
    put(stage.system, documents)
    plan, planner = prepare(stage.request, stage.system.read_only())
    assert plan.event is Event.REFRESH
    expected = {id_: (type_, golden.settled) for id_, (type_, _) in stage.resources.items()}
    expected["specimen"] = (golden.type, golden.decision)
    assert {step.id: (step.type, step.decision) for step in plan.steps} == expected
    carry_out(plan, planner, stage.system)
    names = REMEMBERED if golden.decision is Decision.APPLY else (*REMEMBERED, *AROSE)
    assert remembered(stage.system, names) == recorded(documents, names)
