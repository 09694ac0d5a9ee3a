"""Run tasks in another root: that of `ansible_host`, which converge's sandbox has prepared for chroot(1)."""

import os
import shlex
import subprocess

from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: converge_root
short_description: a root that converge acts on
description: [a root that converge acts on]
extends_documentation_fragment: [connection_pipelining]
"""

SHELL = "/bin/sh"


class Connection(ConnectionBase):
    transport = "converge_root"
    has_pipelining = True

    def _connect(self) -> "Connection":
        self._play_context.remote_user = "root"
        self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        argv = ["chroot", self._play_context.remote_addr, SHELL, "-c", cmd]
        own = {**os.environ, "TMPDIR": os.environ["HOME"]}  # not every root has a /tmp
        done = subprocess.run(argv, input=in_data or b"", env=own, capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        super().put_file(in_path, out_path)
        with open(in_path, "rb") as file:
            self._require(f"cat >{shlex.quote(out_path)}", file.read())

    def fetch_file(self, in_path: str, out_path: str) -> None:
        super().fetch_file(in_path, out_path)
        with open(out_path, "wb") as file:
            file.write(self._require(f"cat {shlex.quote(in_path)}", b""))

    def _require(self, command: str, data: bytes) -> bytes:
        code, output, complaint = self.exec_command(command, data)
        if code != 0:
            raise OSError(complaint.decode("utf-8", "replace").strip())
        return output

    def close(self) -> None:
        self._connected = False
