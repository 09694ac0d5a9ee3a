"""Whether somebody other than root could have written a thing, or led its path elsewhere."""

import os
import stat

from converge.errors import ProviderError, shown
from converge.system.trees import Walking


class Trust(Walking):
    def require_trusted(self, path: str, *, below: bool = False) -> None:
        """ProviderError if somebody other than root could have written the path, or led it elsewhere.

        A sticky folder such as /tmp passes: only its owner can replace a thing there. An absent path passes. A run of
        another user than root has nothing to guard: it can do no more than that user could.

        `below`: the same of everything in the folder.
        """
        if os.geteuid() == 0:
            with self._place("examine", path, visit=_require_owned_by_root):
                pass
        for found in self.walk(path) if below else ():
            self.require_trusted(f"{path}/{found.path}")


def _require_owned_by_root(found: os.stat_result, path: str) -> None:
    if found.st_uid != 0:
        raise ProviderError(
            f"{shown(path)} belongs to user {found.st_uid}, not to root", hint=f"chown root {shown(path)}"
        )
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & 0o022 and not (sticky or stat.S_ISLNK(found.st_mode)):
        raise ProviderError(f"others than root can write {shown(path)}", hint=f"chmod go-w {shown(path)}")
