"""The order of the files of kernel parameters at boot (sysctl.d(5)).

They are read in the order of their names, whatever their folder; of several files with one name, only the file in the
first folder counts. A pattern never overrides a named key. Programs that read /etc/sysctl.conf read it last.
"""

import posixpath
from collections.abc import Iterator

from converge.errors import ProviderError
from converge.providers.identity.sysctl.sysctlfile import Sysctlfile, dotted
from converge.system import ReadOnlySystem

FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
LAST = "/etc/sysctl.conf"


def refuse_later(system: ReadOnlySystem, path: str, parameter: str, value: str) -> None:
    """Raise ProviderError if a file that is read after `path` sets the parameter to another value."""
    for later in _later(system, posixpath.basename(path)):
        found = Sysctlfile.parse(system.read(later) or b"").find(parameter)
        if found is not None and found.value != value:
            hint = "remove that line" if later == LAST else "remove that line, or give a `file` with a later name"
            place = f"{later}:{found.number + 1}"
            message = f"{place} sets {dotted(parameter)} to '{found.value}' and overrides {path} at boot"
            raise ProviderError(message, hint=hint)


def _later(system: ReadOnlySystem, name: str) -> Iterator[str]:
    """The files that are read after the one with this name; a link to /dev/null masks a name."""
    paths = {each: f"{folder}/{each}" for folder in reversed(FOLDERS) for each in system.list_folder(folder)}
    after = [paths[each] for each in sorted(paths) if each > name and each.endswith(".conf")]
    for path in (*after, LAST):
        found = system.stat(path)
        if found is not None and found.kind == "file":
            yield path
