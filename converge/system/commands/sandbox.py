"""The sandbox of a program under a foreign root: the files that it sees, and those that it can write to.

The sandbox (bubblewrap) shows the program one of these views:

- `data`: the host's programs with the root's data. The host is read-only and without its /var, /tmp, /run, /home and
  /root; the root's own /var, /boot, /ostree, /sysroot, /etc/flatpak and /etc/ostree are at their places. So a program
  such as flatpak works on the root by its ordinary paths and can write nowhere else.
- `beside`: the same, and the whole root at the path that replaces `{root}` in the arguments, for programs that take one
  (`systemctl --root={root}`).
- `inside`: the root's own programs, with the root as `/`, its /run and /tmp private.
- `entered`: the host's programs, and the root at the path that replaces `{root}` in the arguments, ready for a program
  that enters it (chroot(1)): with /proc, /dev, /sys, and a private /run and /tmp. `reads` are files and folders of the
  host that are not hidden with the rest of its /home, /root, /var and /tmp.

The view `machine` is without a sandbox: the running system itself, with its devices, for a program that acts on the
disk that a root is mounted from. On the live root a program runs without a sandbox too, and `{root}` is `/`.

The sandbox has a PID namespace around it, whose first process is bwrap itself: if that is killed, so is all that it has
begun. Without one, a child of bwrap that waits for it to go on would wait for ever, and hold the lock.
"""

import os
from collections.abc import Iterator

from converge.system.access import Looking
from converge.system.root import on_host
from converge.system.running import Command

HOME = "/run/home"
"""On private memory: every root has a /run of its own, and some a link for /tmp."""
BESIDE = "/.root"
"""The path of the root in the view of that name, and in the one to be entered."""

_ALONE = ("unshare", "--pid", "--fork", "--kill-child", "--")
"""unshare(1): a program as the first process of a PID namespace; it is killed with unshare."""
_FROM_ROOT = ("var", "boot", "ostree", "sysroot")
_FROM_ROOT_ETC = ("flatpak", "ostree")
_PRIVATE = frozenset((*_FROM_ROOT, "etc", "run", "tmp", "dev", "proc", "sys", "home", "root", "lost+found"))
_PRIVATE_INSIDE = {
    "/proc": ("--proc",),
    "/dev": ("--dev",),
    "/sys": ("--ro-bind", "/sys"),
    "/run": ("--tmpfs",),
    "/tmp": ("--tmpfs",),  # noqa: S108  (private to the sandbox)
}
_RESOLVERS = ("/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf")
_HOST_ETC = "/.etc"


def sandbox(root: Looking, command: Command) -> list[str]:
    """The bubblewrap command line that goes before a program's own (bwrap(1))."""
    bind = "--bind" if command.writes else "--ro-bind"
    return [
        *(_ALONE if os.geteuid() == 0 else ()),
        *("bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc"),
        *(() if os.geteuid() == 0 else ("--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "CAP_SYS_CHROOT")),
        *_view(root, bind, command),
        *("--chdir", command.cwd, "--"),
    ]


def _view(root: Looking, bind: str, command: Command) -> Iterator[str]:
    if command.view == "inside":
        yield from _inside(root, bind)
        return
    yield from _host_folders()
    if command.view == "entered":
        yield from ("--ro-bind", "/etc", "/etc")
        yield from _host_kernel()
        yield from (word for path in command.reads for word in ("--ro-bind", path, path))
        yield from _inside(root, bind, BESIDE)
    else:
        yield from _host_etc()
        yield from _root_folders(root, bind)
        yield from (bind, root.root, BESIDE) if command.view == "beside" else ()
        yield from _host_kernel()
    yield from ("--remount-ro", "/")


def _host_kernel() -> Iterator[str]:
    yield from ("--proc", "/proc", "--dev", "/dev", "--ro-bind", "/sys", "/sys")
    yield from ("--tmpfs", "/run", "--tmpfs", "/tmp", "--dir", HOME)  # noqa: S108  (private to the sandbox)
    yield from _resolvers("")


def _resolvers(at: str) -> Iterator[str]:
    yield from (word for path in _RESOLVERS for word in ("--ro-bind-try", path, f"{at}{path}"))


def _inside(root: Looking, bind: str, at: str = "") -> Iterator[str]:
    """The root itself, at a path. Nothing is mounted at a folder that the root lacks, so that none is made in it."""
    yield from (bind, root.root, at or "/")
    for path, words in _PRIVATE_INSIDE.items():
        found = root.stat(path, follow=False)
        if found and found.kind == "directory":
            yield from (*words, f"{at}{path}")
            yield from _resolvers(at) if path == "/run" else ()
            yield from ("--dir", f"{at}{HOME}") if path == "/run" else ()


def _host_folders() -> Iterator[str]:
    for entry in sorted(os.scandir("/"), key=lambda entry: entry.name):
        if entry.name in _PRIVATE:
            continue
        if entry.is_symlink():
            yield from ("--symlink", os.readlink(entry.path), entry.path)
        elif entry.is_dir():
            yield from ("--ro-bind-try", entry.path, entry.path)


def _host_etc() -> Iterator[str]:
    """The host's /etc as links to a read-only copy of it, so that the root's folders can be among them.

    The copy is as deep as /etc is, so that relative links in it lead to the same places.
    """
    yield from ("--ro-bind", "/etc", _HOST_ETC, "--dir", "/etc")
    for entry in sorted(os.scandir("/etc"), key=lambda entry: entry.name):
        if entry.name not in _FROM_ROOT_ETC:
            target = os.readlink(entry.path) if entry.is_symlink() else f"{_HOST_ETC}/{entry.name}"
            yield from ("--symlink", target, entry.path)


def _root_folders(root: Looking, bind: str) -> Iterator[str]:
    """A folder that the root lacks is empty and cannot be written to, so that nothing gets lost in it."""
    for path in (*(f"/{name}" for name in _FROM_ROOT), *(f"/etc/{name}" for name in _FROM_ROOT_ETC)):
        found = root.stat(path)
        if found and found.kind == "directory":
            yield from (bind, on_host(root, path), path)
        else:
            yield from ("--dir", path)
