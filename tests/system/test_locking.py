import os
import subprocess
import sys
from pathlib import Path

import pytest

from converge.errors import Locked
from converge.system import System, lock

HOLDER = "import sys\nfrom converge.system import *\nwith lock(System(sys.argv[1])):\n  print(flush=True)\n  input()\n"


def test_the_lock_is_the_roots_and_held_once(root: Path, system: System) -> None:
    with lock(system):
        assert (root / "run/converge.lock").exists()
        with pytest.raises(Locked, match="another run"), lock(System(str(root))):
            pass
    with lock(system):
        pass


def test_a_killed_run_holds_no_lock(root: Path, system: System) -> None:
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-c", HOLDER, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(Locked), lock(system):
            pass
        holder.kill()
    with lock(system):
        pass
