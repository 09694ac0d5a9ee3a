"""A small real repository of an operating system, signed, and a machine whose own repository is real too."""

import subprocess
from pathlib import Path

from converge.system import CommandResult, System
from tests.real.flatpakrepo import Key

BRANCH, COLLECTION = "os/example/stable", "com.example.Os"


def build(path: Path, key: Key, *, content: str = "1") -> None:
    """Create a repository with one branch, bound to a collection, or add a version with other content."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _ostree("init", f"--repo={path}", "--mode=archive", f"--collection-id={COLLECTION}")
    tree = path.with_name("tree")
    (tree / "usr").mkdir(parents=True, exist_ok=True)
    (tree / "usr/content").write_text(content)
    signing = (f"--repo={path}", f"--gpg-sign={key.fingerprint}", f"--gpg-homedir={key.home}")
    _ostree("commit", *signing, f"--branch={BRANCH}", f"--tree=dir={tree}", "--canonical-permissions")
    _ostree("summary", "--update", *signing)


def install(system: System) -> None:
    """Give a machine the repository of an ostree system, with the link /ostree to it."""
    folder = Path(system.root, "sysroot/ostree")
    folder.mkdir(parents=True)
    _ostree("init", f"--repo={folder}/repo", "--mode=archive")
    Path(system.root, "ostree").symlink_to("sysroot/ostree")
    for path in ("etc/ostree/remotes.d", "var/tmp"):
        Path(system.root, path).mkdir(parents=True)


def run(system: System, *words: str) -> CommandResult:
    """Run ostree on the machine's repository, as it would run there."""
    return system.run(["ostree", *words])


def _ostree(*words: str) -> None:
    subprocess.run(["ostree", *words], check=True, stdout=subprocess.DEVNULL)
