"""`make demo`: a school's machine is installed, lived with and upgraded, by converge's command line alone.

All is real (flatpak, a signed repository on loopback, the products in products/) and happens in a scratch folder. Each
point that is made has a line of its own, `[ok]` or `[FAILED]`, decided by looking at the machine.
"""

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.machine import snapshot
from tests.real import flatpakrepo
from tests.stories.meadow import Meadow, flatpak_runs, mode
from tests.stories.telling import Telling

APPS = [f"org.meadow.{name}" for name in ("Browser", "Classroom", "Draw", "Office", "Paint", "Quiz")]
COLLECTION = "org.meadow.Apps"
REMOVED = "org.meadow.Classroom"
TITLE = "Our apps"
WALLPAPER = "var/lib/meadow/wallpaper.svg"
WELCOME = "var/lib/meadow/welcome.txt"
NO_FLATPAK = "Flatpak does not run here: the parts about flatpaks are left out."
NO_ROOT = "This is not root: the parts about owners of files are left out."


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--keep", action="store_true", help="leave the scratch folder, and print its path")
    with scratch_folder(keep=parser.parse_args().keep) as folder, ExitStack() as stack:
        telling = Telling(folder)
        mirror = apps_mirror(folder, stack) if flatpak_runs(folder) else None
        telling.say(f"Meadow's apps are built, signed and served: {mirror}" if mirror else NO_FLATPAK)
        if os.geteuid() != 0:
            telling.say(NO_ROOT)
        tell(telling, Meadow(folder / "machine", mirror), Meadow(folder / "new-machine", mirror))
        return telling.conclude()


@contextmanager
def scratch_folder(*, keep: bool) -> Iterator[Path]:
    """A folder for everything, also for the files of tools in home and temporary folders."""
    folder = Path(tempfile.mkdtemp(prefix="converge-demo-"))
    for variable, name in (("HOME", "home"), ("XDG_CACHE_HOME", "cache"), ("TMPDIR", "tmp")):
        (folder / name).mkdir()
        os.environ[variable] = str(folder / name)
    tempfile.tempdir = None  # so that the new TMPDIR is used
    try:
        yield folder
    finally:
        if keep:
            print(f"All is left in {folder}")
        else:
            shutil.rmtree(folder)


def apps_mirror(folder: Path, stack: ExitStack) -> str:
    """Build and sign a repository of Meadow's apps, and serve it until the stack is closed."""
    key = stack.enter_context(flatpakrepo.signing_key("Meadow", str(folder)))
    flatpakrepo.build(folder / "apps", APPS, "stable", COLLECTION, **flatpakrepo.sign_with(key))
    (folder / "mirror.gpg").write_bytes(key.public)
    return stack.enter_context(flatpakrepo.serve(folder / "apps")).url


def tell(telling: Telling, machine: Meadow, new: Meadow) -> None:
    """Run the chapters until a point fails: the later chapters build on it."""
    for chapter in (install, apply_again, live_with_it, upgrade, look_at_the_result, look_at_the_fix):
        chapter(telling, machine)
        if not telling.holds:
            return
    install_next_to_it(telling, new)


def install(telling: Telling, machine: Meadow) -> None:
    telling.chapter("Meadow OS 3.7.4 is installed on a school's machine")
    machine.ship("3.7.4")
    machine.move_in(alice=0o755, bob=0o750)
    on_machine = ("school", "--root", machine.name, "--event", "install")
    before = telling.converge("plan", *on_machine, "--detailed-exitcode")
    applied = telling.converge("apply", *on_machine, brief=True)
    after = telling.converge("plan", *on_machine, "--detailed-exitcode", brief=True)
    telling.point(before == 2, "plan --detailed-exitcode exits 2 before")
    telling.point(applied == 0, "the installation exits 0")
    telling.point(after == 0, "plan --detailed-exitcode exits 0 after")
    telling.point((machine.root / WELCOME).is_file(), f"the product is there: /{WELCOME}")
    if machine.mirror:
        telling.point(machine.has_app(REMOVED), f"its apps are there: {REMOVED}")


def apply_again(telling: Telling, machine: Meadow) -> None:
    telling.chapter("Applying it again changes nothing")
    before = snapshot(machine.root)
    again = telling.converge("apply", "school", "--root", machine.name, "--event", "install")
    telling.point(again == 0, "the second apply exits 0")
    telling.point(snapshot(machine.root) == before, "the second apply changes nothing on the machine")


def live_with_it(telling: Telling, machine: Meadow) -> None:
    telling.chapter("Alice makes the machine hers")
    if machine.mirror:
        use_flatpak(telling, machine, "uninstall", "--noninteractive", REMOVED)
        use_flatpak(telling, machine, "remote-modify", f"--title={TITLE}", "meadow-apps")
    change_mode(telling, machine, "0600", WALLPAPER)
    telling.say("")
    if machine.mirror:
        telling.point(not machine.has_app(REMOVED), f"she removed an app: {REMOVED}")
        telling.point(machine.remote("meadow-apps", "xa.title") == TITLE, f"she changed a remote's title: {TITLE}")
    telling.point(mode(machine.root / WALLPAPER) == "0600", f"she changed a file's mode: /{WALLPAPER} is 0600")


def use_flatpak(telling: Telling, machine: Meadow, *words: str) -> None:
    telling.command(shlex.join(["flatpak", *words]), user="alice")
    machine.flatpak(*words)


def change_mode(telling: Telling, machine: Meadow, octal: str, path: str) -> None:
    telling.command(f"chmod {octal} /{path}", user="alice")
    (machine.root / path).chmod(int(octal, 8))


def upgrade(telling: Telling, machine: Meadow) -> None:
    telling.chapter("The OS is upgraded to 3.8.0, and the product with it")
    machine.ship("3.8.0")
    on_machine = ("school", "--root", machine.name, "--event", "upgrade")
    telling.converge("plan", *on_machine, "--out", "upgrade.plan")
    telling.point(telling.converge("apply", "upgrade.plan", brief=True) == 0, "the upgrade exits 0")


def look_at_the_result(telling: Telling, machine: Meadow) -> None:
    telling.chapter("The result")
    if machine.mirror:
        look_at_flatpaks(telling, machine)
    if os.geteuid() == 0:
        telling.point(machine.owner_of_scans() == "saned", "the scanner service has its files back: they are saned's")
    welcome = (machine.root / WELCOME).read_text()
    telling.point("3.7.4" in welcome, f"install-only things are untouched: /{WELCOME} greets from 3.7.4")
    collection_id = machine.os_remote("collection-id")
    telling.point(
        collection_id == "org.meadow.Os", "the collection ID is on the old remote of the OS too: org.meadow.Os"
    )
    telling.point(mode(machine.root / WALLPAPER) == "0644", "the school's setting is back: the wallpaper is 0644")


def look_at_flatpaks(telling: Telling, machine: Meadow) -> None:
    telling.point(not machine.has_app(REMOVED), f"the removed app stays removed: {REMOVED}")
    telling.point(machine.remote("meadow-apps", "xa.title") == TITLE, f"the user's title of the remote stays: {TITLE}")
    replaced = machine.has_app("org.meadow.Paint") and not machine.has_app("org.meadow.Draw")
    telling.point(replaced, "one app has replaced another: org.meadow.Paint is here, org.meadow.Draw is gone")
    collection_id = machine.remote("meadow-apps", "collection-id")
    telling.point(collection_id == COLLECTION, f"the collection ID is on the old remote: {COLLECTION}")
    telling.point(machine.flatpak("update", "--noninteractive"), "flatpak update works with it, over http")


def look_at_the_fix(telling: Telling, machine: Meadow) -> None:
    telling.chapter("Homes that every user could read are private now, until their owners change them")
    telling.point(
        machine.home_mode("alice") == "0700", "the permission fix ran where the fault was: alice 0755 -> 0700"
    )
    telling.point(machine.home_mode("bob") == "0750", "the permission fix ran only there: bob is still 0750")
    telling.say("")
    change_mode(telling, machine, "0755", "home/alice")
    telling.converge("apply", "school", "--root", machine.name, "--event", "upgrade", brief=True)
    telling.point(machine.home_mode("alice") == "0755", "the permission fix ran once: alice is 0755, as she wants it")


def install_next_to_it(telling: Telling, new: Meadow) -> None:
    telling.chapter("Next to it, a new installation of 3.8.0")
    new.ship("3.8.0")
    new.move_in(carol=0o755)
    applied = telling.converge("apply", "school", "--root", new.name, "--event", "install", brief=True)
    telling.point(applied == 0, "the new installation exits 0")
    telling.point(
        new.home_mode("carol") == "0755", "the new installation never ran the permission fix: carol is still 0755"
    )
    if new.mirror:
        telling.point(new.has_app(REMOVED), f"it has the app that Alice removed from hers: {REMOVED}")


if __name__ == "__main__":
    sys.exit(main())
