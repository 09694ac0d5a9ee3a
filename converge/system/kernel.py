"""The running kernel's host name and parameters. A foreign root does not have a kernel."""

import os

from converge.errors import ProviderError, shown
from converge.system.changing import Changing
from converge.system.root import problem

PARAMETERS = "/proc/sys"

_WRITE = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class RunningKernel(Changing):
    def set_host_name(self, name: str) -> None:
        """Set the host name of the running system, without a bus or a service; ProviderError under a foreign root."""
        import socket  # few runs need it, and it is slow to import

        self._require_running()
        try:
            socket.sethostname(name)
        except OSError as error:
            raise problem("set", "the host name", error) from error

    def set_kernel_parameter(self, name: str, value: str) -> None:
        """Write to a file of /proc/sys, by its path below that (proc(5)).

        ProviderError under a foreign root, and if the kernel refuses the value.
        """
        self._require_running()
        path = f"{PARAMETERS}/{name}"
        with self._place("set", path, follow=False) as place:
            if place.stat is None:
                raise ProviderError(f"{shown(path)} does not exist", hint="the module that has it may not be loaded")
            descriptor = os.open(place.name, _WRITE, dir_fd=place.folder)
            try:
                os.write(descriptor, f"{value}\n".encode())
            finally:
                os.close(descriptor)

    def _require_running(self) -> None:
        if self.root != "/":
            raise ProviderError(f"{shown(self.root)} is not the running system, so it has no kernel to change")
