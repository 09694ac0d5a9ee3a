"""A booted ostree system: converge recognizes it, and its changes are present at the next boot."""

import json

import pytest

from tests.vm.deployed import Deployed

pytestmark = pytest.mark.vm

MANIFEST = """\
converge: 1
product: test
resources:
  settings: {type: file, apply: once, with: {path: /etc/app.conf, content: "x\\n"}}
  data: {type: file, apply: always, with: {path: /var/lib/app/data, content: "y\\n"}}
  remote: {type: ostree-remote, apply: always, with: {name: os, url: "https://example.org/os"}}
"""
FACTS = "python3 -m converge facts deployment --format json\n"


def test_changes_of_booted_deployment_survive_a_reboot(deployed: Deployed) -> None:
    deployed.write("/var/test.yaml", MANIFEST)
    apply = "python3 -m converge apply /var/test.yaml; echo code $?\n"
    first = deployed.boot(f"{FACTS}ostree admin status\n{apply}")
    facts, _, rest = first.partition("\n}\n")
    assert json.loads(f"{facts}\n}}")["facts"]["deployment.booted"] is True
    assert "* os" in rest
    assert "Applied: 3 added, 0 changed" in rest
    second = deployed.boot(f"cat /etc/app.conf /var/lib/app/data\nostree config get 'remote \"os\".url'\n{apply}")
    assert second.startswith("x\ny\nhttps://example.org/os\n")
    assert "Applied: 0 added, 0 changed, 0 removed;" in second
    assert second.endswith("code 0\n")
