"""What the files of an ostree repository say."""

from collections.abc import Iterator

from converge.system import ReadOnlySystem

_BINDING = b"ostree.collection-binding\0"
_ALIGNMENT = 8


def collection_bindings(system: ReadOnlySystem, repo: str, remote: str) -> tuple[tuple[str, str], ...]:
    """Per ref that was pulled from a remote: the ref, and the collection ID that its commit is bound to."""
    found = []
    for ref, commit in _refs(system, f"{repo}/refs/remotes/{remote}", ""):
        data = system.read(f"{repo}/objects/{commit[:2]}/{commit[2:]}.commit")
        binding = None if data is None else _binding(data)
        if binding is not None:
            found.append((ref, binding))
    return tuple(found)


def _refs(system: ReadOnlySystem, folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    for name in system.list_folder(folder):
        path, ref = f"{folder}/{name}", f"{prefix}{name}"
        found = system.stat(path, follow=False)
        if found and found.kind == "directory":
            yield from _refs(system, path, f"{ref}/")
        elif found and found.kind == "file":
            yield ref, (system.read(path) or b"").decode("ascii", "replace").strip()


def _binding(commit: bytes) -> str | None:
    """The collection binding in a commit's metadata, None where it has none.

    A commit is a GVariant whose first member is a{sv}; entries and the values in them are aligned to 8 bytes.
    """
    at = commit.find(_BINDING)
    while at % _ALIGNMENT and at != -1:
        at = commit.find(_BINDING, at + 1)
    if at == -1:
        return None
    start = -(-(at + len(_BINDING)) // _ALIGNMENT) * _ALIGNMENT
    return commit[start:].partition(b"\0")[0].decode(errors="replace")
