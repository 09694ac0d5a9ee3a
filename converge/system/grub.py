"""GRUB's settings in /etc/default/grub, and the configuration that grub-mkconfig(8) makes out of them.

On Debian and its like, files of /etc/default/grub.d are read after it.
"""

from converge.errors import Later
from converge.system import ReadOnlySystem, System

PATH, LATER = "/etc/default/grub", "/etc/default/grub.d/*.cfg"

_CONFIGURATIONS = {"/boot/grub/grub.cfg": "grub-mkconfig", "/boot/grub2/grub.cfg": "grub2-mkconfig"}
"""GRUB's configuration, and what makes it."""


def is_there(system: ReadOnlySystem) -> bool:
    return system.stat(PATH) is not None


def require_makeable(system: ReadOnlySystem) -> None:
    """Later where grub.cfg would have to be made anew, and cannot be: that asks the running system for its disk."""
    path = _configuration(system)
    if path is not None and not system.live:
        raise Later(f"{path} can be made only by the system itself", until="reboot")


def make(system: System) -> None:
    """Make grub.cfg anew, where there is one."""
    require_makeable(system)
    path = _configuration(system)
    if path is not None:
        system.run([_CONFIGURATIONS[path], "-o", path], view="inside").require()


def _configuration(system: ReadOnlySystem) -> str | None:
    return next((path for path in _CONFIGURATIONS if system.stat(path)), None)
