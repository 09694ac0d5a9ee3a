"""The real Ansible, in a root that has a Python of its own under each policy, and on a live machine with our example.

Each time that Ansible is asked or told something takes seconds, so each test does all that it can with one machine.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converge.engine.result import Run
from converge.engine.step import Plan
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
      notify: told
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
    - name: told
      ansible.builtin.shell: echo {{ name }} >>/var/told
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
    shutil.rmtree(machine.path("/usr"))  # megabytes, which pytest would keep


def put(machine: Machine, name: str, text: str) -> None:
    """A file beside the manifest."""
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
    """The tasks that a step would run, and what they would change."""
    steps = plan.steps if isinstance(plan, Plan) else [result.step for result in plan.results]
    [step] = [step for step in steps if step.id == id_]
    found: Any = next((change.before for change in step.changes if change.field == "pending"), ())
    return tuple(found)


def test_ten_tasks_are_planned_applied_and_then_in_place(machine: Machine) -> None:
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
    assert pending(run, "whole") == tasks, "what was planned is what is applied"
    assert text(machine, "/var/lib/whole/page") == "a page of whole\n"
    assert text(machine, "/var/lib/whole/copy") == "of=whole\n"
    assert text(machine, "/var/told") == "whole\n"
    assert machine.path("/var/lib/whole").stat().st_uid == 117, "scanner's, by the root's own accounts"
    assert not machine.path("/etc/whole.old").exists()
    after = machine_files(machine)
    assert decisions(machine.apply(Event.INSTALL)) == {"whole": Decision.IN_PLACE}
    assert machine_files(machine) == after
    assert fingerprint("/etc/whole.conf", "/var/lib/whole", "/etc/hosts", "/root/.ansible", "/etc/ansible") == host


def machine_files(machine: Machine) -> dict[str, tuple[float, int]]:
    """What is on the machine but for programs and what converge keeps: nothing that Ansible needs is left there."""
    paths = [path for path in machine.root.rglob("*") if path.relative_to(machine.root).parts[0] not in ("usr", "lib")]
    kept = [path for path in paths if "converge" not in str(path.relative_to(machine.root))]
    return {str(path): (path.lstat().st_mtime, path.lstat().st_mode) for path in kept if not path.is_dir()}


def test_each_policy_says_when_it_is_due(machine: Machine) -> None:
    first = line("kept", "always") + line("once", "once") + line("new", "install-only")
    mending = line("mended", "once\n  events: [upgrade]")
    machine.declare(first + mending)
    assert outcomes(machine.apply(Event.INSTALL)) == {
        "kept": "changed",
        "once": "changed",
        "new": "changed",
        "mended": "unchanged",
    }
    assert not machine.path("/etc/mended.line").exists()
    machine.apply(Event.REFRESH)
    machine.upgrade_os("3.8.0")
    for name in ("kept", "once", "new"):
        machine.path(f"/etc/{name}.line").write_text("a user's\n")
    raised = line("once", "once\n  revision: 2")
    machine.declare(line("kept", "always") + raised + line("new", "install-only") + mending)
    plan = machine.plan()
    assert "-a user's\n+of=kept" in pending(plan, "kept")[0]
    assert decisions(machine.apply()) == decisions(plan)
    assert decisions(plan) == {
        "kept": Decision.APPLY,
        "once": Decision.APPLY,
        "new": Decision.SETTLED,
        "mended": Decision.SETTLED,
    }
    found = {name: text(machine, f"/etc/{name}.line") for name in ("kept", "once", "new")}
    assert found == {"kept": "of=kept\n", "once": "of=once\n", "new": "a user's\n"}
    assert [id_ for id_, outcome in outcomes(machine.apply()).items() if outcome == "changed"] == []


def test_a_fix_for_old_machines_is_applied_to_one(machine: Machine) -> None:
    machine.declare(line("mended", "once\n  events: [upgrade]"))
    assert outcomes(machine.apply(Event.UPGRADE)) == {"mended": "changed"}
    machine.path("/etc/mended.line").unlink()
    assert decisions(machine.apply()) == {"mended": Decision.SETTLED}


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


def test_a_task_that_fails_is_named_and_the_rest_goes_on(machine: Machine) -> None:
    put(machine, "site.yml", FAILING)
    machine.declare(line("printer", "always").replace("[line]", "[]") + OTHER)
    run = machine.apply(Event.UPGRADE)
    assert (outcomes(run), int(run.exit_code)) == ({"printer": "failed", "other": "changed"}, 4)
    assert reasons(run)["printer"].startswith("the task 'cannot be' failed: non-zero return code: no paper")
    assert machine.path("/etc/before").exists()
    assert not machine.path("/etc/after").exists()


def test_where_ansible_is_absent_the_rest_goes_on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    monkeypatch.setattr(playbook, "PATH", "/no/such/folder")
    machine.declare(whole("always") + OTHER)
    run = machine.apply(Event.UPGRADE)
    assert (outcomes(run), int(run.exit_code)) == ({"whole": "failed", "other": "changed"}, 4)
    expected = "Ansible is not installed (install ansible-core: pip install 'converge[ansible]')"
    assert reasons(run)["whole"] == expected


def test_what_check_mode_cannot_foretell_is_run_whenever_it_is_due(machine: Machine) -> None:
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


def test_texts_stay_texts_and_nothing_runs_but_what_is_to(machine: Machine) -> None:
    """A text that looks like a number, a hidden task, and a privilege that the run has already."""
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


def test_what_only_check_mode_fails_at_is_run_and_counts_as_done(machine: Machine) -> None:
    """The root can only be read in check mode, which some modules take for a fault."""
    put(machine, "tasks.yml", "- ansible.builtin.copy: {src: /etc/passwd, dest: /etc/copy, remote_src: true}\n")
    machine.declare("copied: {type: ansible, apply: once, with: {tasks: tasks.yml, domain: machine}}")
    assert outcomes(machine.apply(Event.UPGRADE)) == {"copied": "changed"}
    assert text(machine, "/etc/copy") == text(machine, "/etc/passwd")
    assert decisions(machine.apply()) == {"copied": Decision.SETTLED}


PASSWORD = 'f1rst "quoted" {{ told }}'
SECRETIVE = """
- name: password
  ansible.builtin.copy: {content: "{{ password }}\\n", dest: /etc/password, mode: "0600"}
- name: repeated
  ansible.builtin.command: {argv: [sh, -c, "echo \\"$P\\"; echo \\"$P\\" >&2; exit 3"]}
  environment: {P: "{{ password }}"}
"""


def test_a_role_gets_a_secret_that_nobody_else_does(machine: Machine) -> None:
    put(machine, "role/tasks/main.yml", SECRETIVE)
    machine.declare(
        """
    printer:
      type: ansible
      apply: always
      with: {role: role, domain: machine, secrets: {password: "{{ password }}"}, variables: {told: data}}
    """,
        parameters="password: {type: secret}",
    )
    machine.settings = {"password": PASSWORD}
    hunt = Hunt((PASSWORD,), [machine.root / "etc/converge", machine.root / "var", machine.root / "tmp"])
    for acted in (machine.plan(Event.UPGRADE), machine.apply(Event.UPGRADE)):
        hunt.heard("step", json.dumps([reasons(acted), pending(acted, "printer")]))
    assert text(machine, "/etc/password") == f"{PASSWORD}\n"
    assert "repeated' failed" in hunt.said[-1][1]
    assert "(secret)" in hunt.said[-1][1]
    assert hunt.found() == []


@pytest.fixture
def box() -> Iterator[Livebox]:
    with livebox() as made:
        yield made


@needs_livebox
def test_the_live_machine_is_reached_directly(box: Livebox) -> None:
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
