"""Run ansible-playbook: directly on the live machine; for another root, in a sandbox that enters the root.

In the sandbox nothing of the host can be written, and everything that a play reaches, `localhost` and delegation
included, is the root. Variables are data, even if they look like templates; secrets come through standard input.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from typing import Any

from converge.errors import ProviderError
from converge.model import Asset
from converge.providers.run.ansible.spec import Spec
from converge.system import CommandResult, CommandTimeout, ReadOnlySystem

PROGRAM = "ansible-playbook"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON = "/usr/bin/python3"
HERE = os.path.dirname(__file__)
TEMPLATES = ("{{", "{%", "{#")
"""The marks of a template."""

Run = Callable[..., CommandResult]


def run(system: ReadOnlySystem, run: Run, spec: Spec, *options: str) -> CommandResult:
    """Run the playbook with `query` or `run` of the system, to its end, whatever its exit code."""
    path = _on_host(system, spec.given)
    _require_basics(system, spec)
    program = _program()
    if system.live:
        system.require_trusted(path if spec.role else os.path.dirname(path), below=True)
    play = path if spec.playbook else f"{HERE}/plays/{'role' if spec.role else 'tasks'}.yml"
    given = (f"--extra-vars={_flow(_variables(system, spec, path))}", "--extra-vars=ansible_host={root}")
    tags = (f"--tags={tag}" for tag in spec.tags)
    try:
        return run(
            [program, *options, "--diff", "--inventory=localhost", *given, *tags, play],
            view="entered",
            reads=list(dict.fromkeys((*_prefixes(program), HERE, path if spec.role else os.path.dirname(path)))),
            environment={"ANSIBLE_CONFIG": f"{HERE}/ansible.cfg", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=spec.secrets,
            timeout=spec.timeout,
        )
    except CommandTimeout as error:
        message = f"the playbook took longer than {spec.timeout} seconds and was ended"
        raise ProviderError(message, hint="raise its `timeout`") from error


def _program() -> str:
    """The program beside converge's Python, where the extra installs it, or on the machine."""
    found = shutil.which(PROGRAM, path=f"{os.path.dirname(sys.executable)}:{PATH}")
    if found is None:
        raise ProviderError("Ansible is not installed", hint="install ansible-core: pip install 'converge[ansible]'")
    return found


def _prefixes(program: str) -> tuple[str, ...]:
    """The folders of the program and its Python."""
    if os.path.dirname(program) == os.path.dirname(sys.executable):
        return sys.prefix, sys.base_prefix
    return (os.path.dirname(os.path.dirname(os.path.realpath(program))),)


def _on_host(system: ReadOnlySystem, given: Asset | str) -> str:
    """The host's path of a file beside the manifest or on the machine."""
    if isinstance(given, Asset):
        return os.path.abspath(given.path)
    if system.stat(given) is None:
        raise ProviderError(f"{given} is missing on the machine")
    return f"{system.root.rstrip('/')}{system.resolve(given)}"


class _Template(str):
    """A text that Ansible evaluates."""


def _variables(system: ReadOnlySystem, spec: Spec, path: str) -> dict[str, Any]:
    """The manifest's variables, and converge's, which a play cannot override."""
    secrets = {name: _Template(f"{{{{ converge_secrets['{name}'] }}}}") for name in spec.secrets}
    connection = "local" if system.live else "converge_root"
    ours = {"ansible_connection": connection, "ansible_user": "root", "converge_path": path}
    return {"ansible_python_interpreter": _python(system), **spec.variables, **secrets, **ours}


def _python(system: ReadOnlySystem) -> str:
    """The machine's own Python; Ansible's if the live machine has none."""
    return _Template("{{ ansible_playbook_python }}") if system.live and not system.stat(PYTHON) else PYTHON


def _require_basics(system: ReadOnlySystem, spec: Spec) -> None:
    """Raise ProviderError if a foreign root lacks a path that Ansible needs."""
    python = spec.variables.get("ansible_python_interpreter", PYTHON)
    for path in () if system.live else (python, "/bin/sh", "/dev", "/run"):
        if system.stat(path) is None:
            hint = "first install Python 3 and a shell in the root, and make the empty folders /dev and /run"
            raise ProviderError(f"{path} is missing in this root, and Ansible needs it there", hint=hint)


def _flow(value: Any) -> str:  # noqa: ANN401  (a Value)
    """A value in YAML's flow style; a text that looks like a template is marked as data.

    Other text is not marked: if it looks like a number, Ansible would turn it into that number.
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        is_data = not isinstance(value, _Template) and any(mark in value for mark in TEMPLATES)
        return f"!unsafe {_quoted(value)}" if is_data else _quoted(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    """In double quotes; also escapes the brace of `{root}`, because that would be replaced."""
    plain = (char if char.isprintable() and char not in '"\\{' else f"\\U{ord(char):08x}" for char in text)
    return f'"{"".join(plain)}"'
