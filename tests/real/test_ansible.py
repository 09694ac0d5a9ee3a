"""The real Ansible: under each policy in a root with its own Python, and on a live machine with our example.

Each run of Ansible takes seconds, so each test does as much as possible with one machine.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converge.engine.plan import Plan
from converge.engine.result import Run
from converge.model import Decision, Event
from converge.providers.run.ansible import playbook
from tests.machine import Machine, decisions, outcomes, reasons
from tests.programs import put_programs, put_python
from tests.real.livebox import Livebox, livebox, needs_livebox
from tests.stories.hunting import Hunt
from tests.stories.test_foreign_root import fingerprint

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(
        not shutil.which(playbook.PROGRAM, path=f"{Path(sys.executable).parent}:{playbook.PATH}"),
        reason="needs ansible-core",
    ),
]

TEN_TASKS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: a folder
      ansible.builtin.file: {path: "/var/lib/{{ name }}", state: directory, owner: scanner, mode: "0750"}
    - name: settings
      ansible.builtin.copy: {content: "of={{ name }}\\n", dest: "/etc/{{ name }}.conf", mode: "0640"}
      notify: notified
    - name: a page
      ansible.builtin.template: {src: page.j2, dest: "/var/lib/{{ name }}/page", mode: "0644"}
    - name: a line
      ansible.builtin.lineinfile: {path: "/etc/{{ name }}.line", line: "of={{ name }}", regexp: "^", create: true,
                                   mode: "0644"}
      tags: [line]
    - name: a block
      ansible.builtin.blockinfile: {path: /etc/blocks, block: "x {{ name }}", marker: "# {mark} {{ name }}",
                                    create: true, mode: "0644"}
    - name: a link
      ansible.builtin.file: {path: "/etc/{{ name }}.link", src: "/var/lib/{{ name }}", state: link}
    - name: nothing old
      ansible.builtin.file: {path: "/etc/{{ name }}.old", state: absent}
    - name: several
      ansible.builtin.copy: {content: "{{ item }}", dest: "/var/lib/{{ name }}/{{ item }}", mode: "0600"}
      loop: [one, two]
    - name: made by a command
      ansible.builtin.command: {argv: [cp, "/etc/{{ name }}.conf", "/var/lib/{{ name }}/copy"],
                                creates: "/var/lib/{{ name }}/copy"}
    - name: only looked at
      ansible.builtin.command: {argv: [cat, /etc/passwd]}
      changed_when: false
  handlers:
    - name: notified
      ansible.builtin.shell: echo {{ name }} >>/var/notified
"""

RESOURCE = """
{id}:
  type: ansible
  apply: {policy}
  with: {{playbook: site.yml, domain: machine, variables: {{name: {id}}}, tags: {tags}}}
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine.make(tmp_path)
    for name in ("dev", "proc", "tmp"):
        machine.path(name).mkdir()
    put_programs(machine.root)
    put_python(machine.root)
    put(machine, "site.yml", TEN_TASKS)
    put(machine, "page.j2", "a page of {{ name }}\n")
    yield machine
    shutil.rmtree(machine.path("/usr"))  # pytest would keep these megabytes


def put(machine: Machine, name: str, text: str) -> None:
    """Write a file beside the manifest."""
    path = machine.manifest.parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def line(id_: str, policy: str) -> str:
    """A resource with one task of the ten."""
    return RESOURCE.format(id=id_, policy=policy, tags="[line]")


def whole(policy: str) -> str:
    return RESOURCE.format(id="whole", policy=policy, tags="[]")


def text(machine: Machine, path: str) -> str:
    return machine.path(path).read_text()


def pending(plan: Plan | Run, id_: str) -> tuple[str, ...]:
    """The tasks that a step would run, and their changes."""
    steps = plan.steps if isinstance(plan, Plan) else [result.step for result in plan.results]
    [step] = [step for step in steps if step.id == id_]
    found: Any = next((change.before for change in step.changes if change.field == "pending"), ())
    return tuple(found)


def test_ten_tasks_planned_then_applied_then_in_place(machine: Machine) -> None:
    machine.declare(whole("always"))
    machine.path("/etc/whole.old").touch()
    host = fingerprint("/etc/whole.conf", "/var/lib/whole", "/etc/hosts", "/root/.ansible", "/etc/ansible")
    before = machine_files(machine)
    tasks = pending(machine.plan(Event.INSTALL), "whole")
    assert machine_files(machine) == before, "a plan changes nothing"
    assert "settings\n--- before\n+++ after: /etc/whole.conf\n@@ -0,0 +1 @@\n+of=whole" in tasks
    names = [task.splitlines()[0] for task in tasks]
    assert names[:3] == ["a folder", "settings", "a page"]
    assert "only looked at" not in names
    run = machine.apply(Event.INSTALL)
    assert outcomes(run) == {"whole": "changed"}, reasons(run)
    assert pending(run, "whole") == tasks, "the applied changes are the planned ones"
    assert text(machine, "/var/lib/whole/page") == "a page of whole\n"
    assert text(machine, "/var/lib/whole/copy") == "of=whole\n"
    assert text(machine, "/var/notified") == "whole\n"
    assert machine.path("/var/lib/whole").stat().st_uid == 117, "scanner's, by the root's own accounts"
    assert not machine.path("/etc/whole.old").exists()
    after = machine_files(machine)
    assert decisions(machine.apply(Event.INSTALL)) == {"whole": Decision.IN_PLACE}
    assert machine_files(machine) == after
    assert fingerprint("/etc/whole.conf", "/var/lib/whole", "/etc/hosts", "/root/.ansible", "/etc/ansible") == host


def machine_files(machine: Machine) -> dict[str, tuple[float, int]]:
    """The files on the machine except programs and converge's own: Ansible must leave no other file behind."""
    paths = [path for path in machine.root.rglob("*") if path.relative_to(machine.root).parts[0] not in ("usr", "lib")]
    kept = [path for path in paths if "converge" not in str(path.relative_to(machine.root))]
    return {str(path): (path.lstat().st_mtime, path.lstat().st_mode) for path in kept if not path.is_dir()}


def test_each_policy_applies_when_due(machine: Machine) -> None:
    first = line("kept", "always") + line("once", "once") + line("new", "install-only")
    fixing = line("fixed", "once\n  events: [upgrade]")
    machine.declare(first + fixing)
    assert outcomes(machine.apply(Event.INSTALL)) == {
        "kept": "changed",
        "once": "changed",
        "new": "changed",
        "fixed": "unchanged",
    }
    assert not machine.path("/etc/fixed.line").exists()
    machine.apply(Event.REFRESH)
    machine.upgrade_os("3.8.0")
    for name in ("kept", "once", "new"):
        machine.path(f"/etc/{name}.line").write_text("a user's\n")
    raised = line("once", "once\n  revision: 2")
    machine.declare(line("kept", "always") + raised + line("new", "install-only") + fixing)
    plan = machine.plan()
    assert "-a user's\n+of=kept" in pending(plan, "kept")[0]
    assert decisions(machine.apply()) == decisions(plan)
    assert decisions(plan) == {
        "kept": Decision.APPLY,
        "once": Decision.APPLY,
        "new": Decision.SETTLED,
        "fixed": Decision.SETTLED,
    }
    found = {name: text(machine, f"/etc/{name}.line") for name in ("kept", "once", "new")}
    assert found == {"kept": "of=kept\n", "once": "of=once\n", "new": "a user's\n"}
    assert [id_ for id_, outcome in outcomes(machine.apply()).items() if outcome == "changed"] == []


def test_upgrade_fix_applied_to_old_machine_once(machine: Machine) -> None:
    machine.declare(line("fixed", "once\n  events: [upgrade]"))
    assert outcomes(machine.apply(Event.UPGRADE)) == {"fixed": "changed"}
    machine.path("/etc/fixed.line").unlink()
    assert decisions(machine.apply()) == {"fixed": Decision.SETTLED}


FAILING = """
- hosts: all
  gather_facts: false
  tasks:
    - name: comes before
      ansible.builtin.copy: {content: x, dest: /etc/before, mode: "0644"}
    - name: cannot be
      ansible.builtin.command: {argv: [sh, -c, "echo no paper >&2; exit 3"], creates: /var/never}
    - name: comes after
      ansible.builtin.copy: {content: x, dest: /etc/after, mode: "0644"}
"""
OTHER = """
other:
  type: file
  apply: always
  with: {path: /etc/other, content: x}
"""


def test_failed_task_named_and_other_resources_applied(machine: Machine) -> None:
    put(machine, "site.yml", FAILING)
    machine.declare(line("printer", "always").replace("[line]", "[]") + OTHER)
    run = machine.apply(Event.UPGRADE)
    assert (outcomes(run), int(run.exit_code)) == ({"printer": "failed", "other": "changed"}, 4)
    assert reasons(run)["printer"].startswith("the task 'cannot be' failed: non-zero return code: no paper")
    assert machine.path("/etc/before").exists()
    assert not machine.path("/etc/after").exists()


def test_missing_ansible_leaves_other_resources_applied(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    monkeypatch.setattr(playbook, "PATH", "/no/such/folder")
    machine.declare(whole("always") + OTHER)
    run = machine.apply(Event.UPGRADE)
    assert (outcomes(run), int(run.exit_code)) == ({"whole": "failed", "other": "changed"}, 4)
    expected = "Ansible is not installed (install ansible-core: pip install 'converge[ansible]')"
    assert reasons(run)["whole"] == expected


def test_task_without_prediction_run_when_due(machine: Machine) -> None:
    put(machine, "tasks.yml", "- name: count\n  ansible.builtin.shell: echo x >>/var/count\n")
    machine.declare("""
    counted: {type: ansible, apply: once, with: {tasks: tasks.yml, domain: machine}}
    """)
    plan = machine.plan(Event.UPGRADE)
    assert [(change.field, change.after) for change in plan.steps[0].changes] == [("ran", "count")]
    assert outcomes(machine.apply(Event.UPGRADE)) == {"counted": "changed"}
    assert decisions(machine.apply()) == {"counted": Decision.SETTLED}
    assert text(machine, "/var/count") == "x\n"


KINDS = """
- ansible.builtin.copy: {content: "{{ given | to_json }}", dest: /etc/given, mode: "0644"}
- name: hidden, and its condition is not met
  ansible.builtin.copy: {content: x, dest: /etc/never, mode: "0644"}
  no_log: true
  when: false
- become: true
  ansible.builtin.raw: test -e /etc/given
  changed_when: false
"""


def test_variables_keep_types_and_skipped_task_not_run(machine: Machine) -> None:
    """A text that looks like a number, a hidden task, and a privilege that the run already has."""
    put(machine, "role/tasks/main.yml", KINDS)
    machine.declare("""
    kinds:
      type: ansible
      apply: always
      with: {role: role, domain: machine, variables: {given: ["3.20", "yes", "ü😀", "{% raw %}", 1, true, null]}}
    """)
    plan = machine.plan(Event.UPGRADE)
    assert [task.splitlines()[0] for task in pending(plan, "kinds")] == ["ansible.builtin.copy"]
    assert outcomes(machine.apply(Event.UPGRADE)) == {"kinds": "changed"}
    assert json.loads(text(machine, "/etc/given")) == ["3.20", "yes", "ü😀", "{% raw %}", 1, True, None]
    assert decisions(machine.apply()) == {"kinds": Decision.IN_PLACE}


def test_task_failing_only_in_check_mode_run_and_done(machine: Machine) -> None:
    """In check mode the root is read-only, and some modules report this as an error."""
    put(machine, "tasks.yml", "- ansible.builtin.copy: {src: /etc/passwd, dest: /etc/copy, remote_src: true}\n")
    machine.declare("copied: {type: ansible, apply: once, with: {tasks: tasks.yml, domain: machine}}")
    assert outcomes(machine.apply(Event.UPGRADE)) == {"copied": "changed"}
    assert text(machine, "/etc/copy") == text(machine, "/etc/passwd")
    assert decisions(machine.apply()) == {"copied": Decision.SETTLED}


PASSWORD = 'f1rst "quoted" {{ room }}'
SECRETIVE = """
- name: password
  ansible.builtin.copy: {content: "{{ password }}\\n", dest: /etc/password, mode: "0600"}
- name: repeated
  ansible.builtin.command: {argv: [sh, -c, "echo \\"$P\\"; echo \\"$P\\" >&2; exit 3"]}
  environment: {P: "{{ password }}"}
"""


def test_role_gets_secret_without_leak(machine: Machine) -> None:
    put(machine, "role/tasks/main.yml", SECRETIVE)
    machine.declare(
        """
    printer:
      type: ansible
      apply: always
      with: {role: role, domain: machine, secrets: {password: "{{ password }}"}, variables: {room: data}}
    """,
        parameters="password: {type: secret}",
    )
    machine.settings = {"password": PASSWORD}
    hunt = Hunt((PASSWORD,), [machine.root / "etc/converge", machine.root / "var", machine.root / "tmp"])
    for acted in (machine.plan(Event.UPGRADE), machine.apply(Event.UPGRADE)):
        hunt.record("step", json.dumps([reasons(acted), pending(acted, "printer")]))
    assert text(machine, "/etc/password") == f"{PASSWORD}\n"
    assert "repeated' failed" in hunt.outputs[-1][1]
    assert "(secret)" in hunt.outputs[-1][1]
    assert hunt.found() == []


@pytest.fixture
def box() -> Iterator[Livebox]:
    with livebox() as made:
        yield made


@needs_livebox
def test_example_applied_on_live_machine(box: Livebox) -> None:
    folder = box.root / "etc/products"
    shutil.copytree(EXAMPLES / "files", folder / "files")
    shutil.copy(EXAMPLES / "ansible.yaml", folder)
    planned = box.converge("plan", "/etc/products/ansible.yaml")
    assert "+room=Library" in planned.stdout, planned.stdout + planned.stderr
    assert not (box.root / "etc/reader.conf").exists()
    applied = box.converge("apply", "/etc/products/ansible.yaml")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert (box.root / "etc/reader.conf").read_text() == "[reader]\nroom=Library\n"
    assert (box.root / "var/lib/reading-room/index").exists()
    assert (box.root / "root/.ansible").exists() == Path("/root/.ansible").exists(), "its own home was used"
    again = box.converge("apply", "/etc/products/ansible.yaml")
    assert "Applied: 0 added, 0 changed" in again.stdout
