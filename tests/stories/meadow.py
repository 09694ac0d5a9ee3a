"""A machine with Meadow OS in a scratch root: the files of its releases, and its state before converge."""

import os
import shutil
from pathlib import Path

from attrs import frozen

from converge.formats.keyfile import Keyfile
from converge.system import ReadOnlySystem, System, flatpak

HERE = Path(__file__).parent
PRODUCTS = {"3.7.4": HERE / "products-3.7", "3.8.0": HERE.parent.parent / "products"}

PASSWD = "root:x:0:0:root:/root:/bin/sh\nsaned:x:117:117::/var/lib/saned:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nsaned:x:117:\n"
FORMER_SANED = 113
SCANS = "var/lib/saned/scans"
OSTREE_CONFIG = """\
[core]
repo_version=1
mode=bare

[remote "meadow"]
url=https://ostree.meadow.example.org/os
gpg-verify=true
"""

FLATPAK_IDS = {
    "3.7.4": ("meadow-apps", "commons", "apps", "draw", "quiz"),
    "3.8.0": (
        *("meadow-apps", "apps-collection-id", "commons", "commons-moved", "school-catalogue"),
        *("apps", "office", "paint", "maps", "old-quiz"),
    ),
}
OWNER_IDS = {"3.7.4": ("sudo-lecture",), "3.8.0": ("sudo-lecture", "saned-permissions")}


def flatpak_runs(folder: Path) -> bool:
    """Whether flatpak, the builder of its repositories, and its sandbox work here."""
    if not all(map(shutil.which, ("flatpak", "ostree", "gpg", "bwrap"))):
        return False
    return ReadOnlySystem(str(folder)).query(["flatpak", "--version"]).ok


@frozen
class Meadow:
    """`mirror` is the address of a repository with Meadow's apps; None if flatpak does not run."""

    root: Path
    mirror: str | None

    @property
    def name(self) -> str:
        return self.root.name

    def ship(self, version: str) -> None:
        """Give the machine a release of the OS, and with it that release's products."""
        write(self.root / "etc/os-release", f'ID=meadow\nVERSION_ID="{version}"\n')
        products = self.root / "usr/share/converge/products"
        shutil.rmtree(products, ignore_errors=True)
        shutil.copytree(PRODUCTS[version], products)
        self._write_site(version)

    def _write_site(self, version: str) -> None:
        """The school has a mirror of its own, and drops resources that cannot be applied here."""
        without = () if self.mirror else FLATPAK_IDS[version]
        without += () if os.geteuid() == 0 else OWNER_IDS[version]
        lines = [f"without: [{', '.join(without)}]"] if without else []
        if self.mirror:
            lines += ["parameters:", f"  apps_url: {self.mirror}", "  apps_key: /etc/meadow/mirror.gpg"]
            write(self.root / "etc/meadow/mirror.gpg", (self.root.parent / "mirror.gpg").read_bytes())
        write(self.root / "etc/converge/site.yaml", "\n".join(lines) + "\n")

    def move_in(self, **homes: int) -> None:
        """Make the rest of the machine: accounts, homes with their modes, and the remote that updates the OS."""
        write(self.root / "etc/passwd", PASSWD)
        write(self.root / "etc/group", GROUP)
        write(self.root / "ostree/repo/config", OSTREE_CONFIG)
        (self.root / "home").symlink_to("var/home")
        for name, mode in homes.items():
            write(self.root / "var/home" / name / "letter.txt", "Dear all,\n")
            (self.root / "var/home" / name).chmod(mode)
        scans = self.root / SCANS
        scans.mkdir(parents=True)
        if os.geteuid() == 0:
            os.chown(scans, FORMER_SANED, FORMER_SANED)

    def flatpak(self, *words: str) -> bool:
        """Run flatpak on the machine, as its user would; whether it succeeded."""
        return System(str(self.root)).run(["flatpak", *words]).ok

    def has_app(self, app: str) -> bool:
        return (self.root / "var/lib/flatpak/app" / app / "current/active/files").is_dir()

    def remote(self, name: str, key: str) -> str | None:
        """A value of a remote in flatpak's configuration."""
        return keyfile_value(self.root / "var/lib/flatpak/repo/config", name, key)

    def os_remote(self, key: str) -> str | None:
        return keyfile_value(self.root / "ostree/repo/config", "meadow", key)

    def owner_of_scans(self) -> str:
        system = ReadOnlySystem(str(self.root))
        found = system.stat(f"/{SCANS}")
        return system.user_name(found.uid) if found else "nobody"

    def home_mode(self, user: str) -> str:
        return mode(self.root / "var/home" / user)


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def keyfile_value(path: Path, remote: str, key: str) -> str | None:
    return Keyfile.parse(path.read_bytes(), str(path)).get(flatpak.group_of(remote), key)


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o7777:04o}"
