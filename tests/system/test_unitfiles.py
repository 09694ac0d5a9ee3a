"""Names of units. Which units there are, and what starts them: tests/providers/test_systemd_unit.py."""

import shutil
import subprocess
from itertools import pairwise
from random import Random

import pytest

from converge.system.unitfiles import escaped

PATHS = [
    ("/", "-"),
    ("/var/swap/swapfile", "var-swap-swapfile"),
    ("//var///swap//", "var-swap"),
    ("/var/.hidden", "var-.hidden"),
    ("/.hidden", "\\x2ehidden"),
    ("/a-b", "a\\x2db"),
    ("/a b", "a\\x20b"),
    ("/a\\b", "a\\x5cb"),
    ("/ü", "\\xc3\\xbc"),
    ("/a%b", "a\\x25b"),
    ("/a:b_c.d", "a:b_c.d"),
    ("/dev/disk/by-label/a\\x20b", "dev-disk-by\\x2dlabel-a\\x5cx20b"),
]


@pytest.mark.parametrize(("path", "name"), PATHS)
def test_a_path_in_the_name_of_a_unit(path: str, name: str) -> None:
    assert escaped(path) == name


@pytest.mark.skipif(not shutil.which("systemd-escape"), reason="there is no systemd-escape")
def test_systemd_escapes_them_alike() -> None:
    drawn = Random(1)
    odd = "".join(map(chr, range(1, 256))) + "…日𝄞"
    names = ["".join(drawn.choices(odd.replace("/", ""), k=drawn.randint(1, 12))) for _ in range(500)]
    paths = [f"/{name}/{other}" for name, other in pairwise(names) if ".." not in (name, other)]
    paths += [path for path, _ in PATHS]
    said = subprocess.run(["systemd-escape", "--path", "--", *paths], capture_output=True, check=True, text=True)
    assert said.stdout.split() == [escaped(path) for path in paths]
