"""Shared by resource types with a path: the paths that they accept, and the kinds of paths."""

from converge.errors import ProviderError
from converge.system import ReadOnlySystem

FOLDER_KINDS = ("directory", "empty-directory")
LINK_KINDS = ("symlink", "dangling-symlink")
OWN_FOLDERS = ("/etc/converge", "/var/lib/converge")


def checked_path(path: str) -> str:
    """The path without empty and `.` components; ProviderError unless it is absolute and has no `..`."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    if not path.startswith("/") or ".." in names:
        raise ProviderError(
            f"'{path}' is not an absolute path", hint="write the whole path without '..', as in /etc/app"
        )
    return "/" + "/".join(names)


def outside_own_folders(path: str) -> str:
    """The path; ProviderError if converge's own ledgers would be removed with it."""
    if path == "/" or any(f"{own}/".startswith(f"{path}/") for own in OWN_FOLDERS):
        raise ProviderError(
            f"{path} contains converge's own ledgers and must stay", hint="declare paths inside it instead"
        )
    return path


def kind_at(system: ReadOnlySystem, path: str) -> str | None:
    """The kind of a path, a link not followed: one of FOLDER_KINDS or LINK_KINDS, `file`, `other`, or None."""
    found = system.stat(path, follow=False)
    if found is None:
        return None
    if found.kind == "symlink":
        return "symlink" if _has_target(system, path) else "dangling-symlink"
    return "empty-directory" if found.kind == "directory" and not system.list_folder(path) else found.kind


def _has_target(system: ReadOnlySystem, path: str) -> bool:
    try:
        return system.stat(path) is not None
    except ProviderError:  # a loop of links
        return False


def another_kind(path: str, kind: str, wanted: str) -> ProviderError:
    found = {"other": "special file"}.get(kind, kind.replace("-", " "))
    message = f"{path} is {'an' if found[0] in 'aeiou' else 'a'} {found}, not a {wanted}"
    return ProviderError(message, hint="remove it first: converge does not replace one kind of file by another")


def default_folder(path: str) -> ProviderError:
    hint = "choose another path: with anything else there, ostree could not merge /etc at the next upgrade"
    return ProviderError(f"{path} is a folder in /usr/etc and has to stay one", hint=hint)
