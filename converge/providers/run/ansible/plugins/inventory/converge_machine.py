"""The machine is the only host, whatever its name in a play; its secrets come from standard input, as a map in JSON."""

import json

from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.utils.unsafe_proxy import wrap_var

DOCUMENTATION = """
name: converge_machine
short_description: the machine that converge acts on
description: [the machine that converge acts on]
options: {}
"""

HOST = "localhost"


class InventoryModule(BaseInventoryPlugin):
    NAME = "converge_machine"

    def verify_file(self, path: str) -> bool:
        return True

    def parse(self, inventory: object, loader: object, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        with open(0, closefd=False) as stdin:
            secrets = json.loads(stdin.read() or "{}")
        self.inventory.add_host(HOST)
        self.inventory.set_variable(HOST, "converge_secrets", wrap_var(secrets))
