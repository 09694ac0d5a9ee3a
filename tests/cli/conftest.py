from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from converge.cli import app

MANIFEST = """\
converge: 1
product: small
title: Small edition
parameters:
  greeting: {type: text, default: hello, description: The text that users see.}
resources:
  motd:
    type: file
    apply: always
    why: Users like it.
    with: {path: /etc/motd, content: "{{ greeting }}", mode: "0644"}
  notes:
    type: file
    apply: once
    with: {path: /var/lib/notes, content: first}
"""

Converge = Callable[..., int]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system of version 1.0 whose vendor ships the product `small`."""
    root = tmp_path / "root"
    files: Mapping[str, str] = {
        "etc/os-release": "ID=test\nVERSION_ID=1.0\n",
        "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
        "etc/group": "root:x:0:\n",
        "usr/share/converge/products/small.yaml": MANIFEST,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "var/lib").mkdir(parents=True)
    return root


@pytest.fixture
def converge(root: Path) -> Converge:
    """Run a verb on the root."""

    def run(*arguments: str) -> int:
        return app.run([*arguments, "--root", str(root)])

    return run
