"""Machines about to be converged, on which a run is then killed.

One is installed, one adopted, one upgraded, and on one commands follow a change.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from converge.model import Event
from tests.machine import Machine
from tests.programs import put_programs

PRODUCTS = Path(__file__).parents[2] / "products"
OLD_SCANNER = 113
OSTREE_CONFIG = '[core]\nrepo_version=1\nmode=bare\n\n[remote "os"]\nurl=https://os.example.com/\ngpg-verify=true\n'
PAGES = hashlib.sha256(b"/var/cache/pages").hexdigest()
SETTINGS = "one\ntwo\nthree\nfour\nfive\n"


@frozen
class Scene:
    """A machine, and the runs on it.

    `event` is that of the first run; a later run reads it from the ledger. `once` has, per id of a `once` resource, the
    file that it writes. `again` are the ids of resources that may be applied again after a kill, because there is no
    way to see whether they were applied before.
    """

    machine: Machine
    event: Event | None = None
    once: Mapping[str, str] = field(factory=dict)
    again: frozenset[str] = frozenset()


INSTALLED = """
    motd:
      type: file
      apply: install-only
      with: {{path: /etc/motd, content: "Welcome\\n"}}
    apps:
      type: flatpak-remote
      apply: once
      with: {{name: apps, url: "{url}", gpg_key: apps.gpg}}
    hello:
      type: flatpak-app
      apply: once
      needs: [apps]
      with: {{remote: apps, app: org.example.Hello}}
    later:
      type: file
      apply: once
      needs: [hello]
      with: {{path: /var/lib/later, content: "after the app\\n"}}
"""


def to_install(folder: Path, url: str, key: bytes) -> Scene:
    machine = Machine.make(folder)
    (folder / "apps.gpg").write_bytes(key)
    machine.declare(INSTALLED.format(url=url))
    return Scene(machine, Event.INSTALL, {"later": "var/lib/later"})


ADOPTED = """
    removed-before:
      type: file
      apply: once
      on_adopt: settle
      with: {path: /var/lib/removed-before, content: unwanted}
    owned:
      type: file
      apply: always
      on_user_change: keep
      with: {path: /etc/owned, content: ours}
    etc:
      type: file
      apply: once
      with: {path: /etc/new, content: new}
    var:
      type: file
      apply: once
      with: {path: /var/lib/new, content: new}
    only-at-install:
      type: file
      apply: install-only
      with: {path: /etc/only-at-install, content: unwanted}
"""


def to_adopt(folder: Path) -> Scene:
    machine = Machine.make(folder)
    write(machine, "etc/owned", "the user's")
    machine.declare(ADOPTED)
    return Scene(machine, None, {"etc": "etc/new", "var": "var/lib/new"})


BEFORE = """
    kept:
      type: file
      apply: always
      on_user_change: keep
      with: {{path: /etc/kept, content: first}}
    settings:
      type: file
      apply: always
      with: {{path: /etc/settings, merge: three-way, content: "{settings}"}}
"""
AFTER = """
    kept:
      type: file
      apply: always
      on_user_change: keep
      with: {{path: /etc/kept, content: second}}
    settings:
      type: file
      apply: always
      with: {{path: /etc/settings, merge: three-way, content: "{settings}"}}
    motd:
      type: file
      apply: once
      with: {{path: /etc/motd, content: "Welcome to 3.8\\n", mode: "0640", group: scanner}}
    poster:
      type: file
      apply: once
      with: {{path: /var/lib/school/poster, content: "Come in\\n", owner: alice, group: alice, mode: "0600"}}
    leftover:
      type: file
      apply: once
      with: {{path: /var/lib/leftover, ensure: absent}}
    scans:
      type: permissions
      apply: once
      events: [upgrade]
      with:
        path: /var/lib/scans
        recursive: true
        match: {{owner: "113"}}
        owner: scanner
        group: scanner
        mode: "u=rwX,go="
    folder:
      type: permissions
      apply: always
      with: {{path: /etc/private, mode: "0700"}}
    added:
      type: flatpak-remote
      apply: once
      with: {{name: added, url: "https://added.example.com/", title: Added, gpg_key: apps.gpg}}
    moved:
      type: flatpak-remote
      apply: always
      only_if: {{url: "https://old.example.com/repo"}}
      with: {{name: moved, url: "https://new.example.com/repo"}}
    os-collection:
      type: collection-id
      apply: once
      with: {{ostree: os, collection_id: com.example.Os}}
    radio:
      type: user
      apply: once
      with: {{name: radio, groups: [scanner]}}
    defaults:
      type: move
      apply: once
      with: {{from: /var/defaults, to: /var/lib/defaults, leave_link: true}}
    cache:
      type: directory
      apply: always
      with: {{path: /var/cache/pages, empty: true, mode: "2750", group: scanner}}
    old-settings:
      type: directory
      apply: once
      with: {{path: /etc/old-settings, ensure: absent, recursive: true}}
    localtime:
      type: symlink
      apply: once
      with: {{path: /etc/localtime, target: ../usr/share/zoneinfo/Europe/Lisbon}}
"""


def to_upgrade(folder: Path) -> Scene:
    """Version 3.7.4 was installed and used; 3.8.0 has just arrived."""
    machine = Machine.make(folder)
    shutil.copy(PRODUCTS / "keys/meadow-apps.gpg", folder / "apps.gpg")
    machine.declare(BEFORE.format(settings=quoted(SETTINGS)))
    machine.apply(Event.INSTALL)
    machine.apply(Event.REFRESH)
    write(machine, "etc/kept", "the user's")
    write(machine, "etc/settings", SETTINGS.replace("one", "the user's"))
    write(machine, "etc/motd", "Welcome\n")
    write(machine, "var/lib/leftover", "old\n")
    write(
        machine,
        "var/lib/flatpak/repo/config",
        '[core]\nmode=bare\n\n[remote "moved"]\nurl=https://old.example.com/repo\n',
    )
    (machine.root / "var/lib/flatpak/repo/objects").mkdir()
    write(machine, "ostree/repo/config", OSTREE_CONFIG)
    write(machine, "etc/shadow", "root:*::::::\nalice:$y$alice::::::\n")
    (machine.root / "etc/private").mkdir(0o755)
    scans(machine)
    paths(machine)
    machine.upgrade_os("3.8.0")
    machine.declare(AFTER.format(settings=quoted(SETTINGS.replace("five", "six"))))
    return Scene(machine, None, {"motd": "etc/motd", "poster": "var/lib/school/poster"})


FOLLOWED = """
    list:
      type: file
      apply: always
      with: {{path: /etc/list, content: "{content}"}}
    compiled:
      type: command
      apply: always
      with: {{argv: [cp, /etc/list, /var/lib/compiled], domain: machine, after_change: [list]}}
"""
NUMBERED = """
    numbered:
      type: command
      apply: once
      needs: [compiled]
      with:
        argv: [sh, -c, "grep -n . /var/lib/compiled >/etc/.numbered && mv /etc/.numbered /etc/numbered"]
        domain: deployment
        creates: /etc/numbered
"""


def to_follow(folder: Path) -> Scene:
    """A list is changed by the upgrade; the file compiled from the old one still exists."""
    machine = Machine.make(folder)
    put_programs(machine.root)
    machine.declare(FOLLOWED.format(content="first"))
    machine.apply(Event.INSTALL)
    machine.apply(Event.REFRESH)
    machine.upgrade_os("3.8.0")
    machine.declare(FOLLOWED.format(content="second") + NUMBERED)
    return Scene(machine, None, {"numbered": "etc/numbered"}, frozenset({"compiled"}))


def scans(machine: Machine) -> None:
    """Files of the former user id of the scanner, and a folder of another user."""
    for name in ("var/lib/scans/a.pnm", "var/lib/scans/old/b.pnm"):
        write(machine, name, "picture")
    for path in (machine.root / "var/lib/scans", *(machine.root / "var/lib/scans").rglob("*")):
        os.chown(path, OLD_SCANNER, OLD_SCANNER)
    write(machine, "var/lib/scans/alice/c.pnm", "picture")


def paths(machine: Machine) -> None:
    """Folders and links that are moved, emptied, removed or changed; the cache was emptied once before."""
    names = ("var/defaults/deep/file", "var/cache/pages/a", "var/cache/pages/b/c", "etc/old-settings/deep/file")
    for name in (*names, f"var/lib/converge/removed/{PAGES}/{'0' * 64}/earlier"):
        write(machine, name, name)
    (machine.root / "etc/localtime").symlink_to("/usr/share/zoneinfo/UTC")


def write(machine: Machine, name: str, text: str) -> None:
    path = machine.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def quoted(text: str) -> str:
    return text.replace("\n", "\\n")
