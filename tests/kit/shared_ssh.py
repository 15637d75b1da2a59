"""A shared connection (ControlMaster) as a user has one, opened with the real ssh."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.kit.counterparts import need
from tests.kit.waiting import wait_until


class SharedSsh:
    """One such connection.

    Attributes:
        path: of its control socket.
        ssh_command: a value for REMOTE_SSH that names it.
    """

    def __init__(self, path: Path, process: subprocess.Popen[bytes], ssh_command: str) -> None:
        self.path = path
        self.process = process
        self.ssh_command = ssh_command

    @property
    def alive(self) -> bool:
        """Whether it is still there."""
        return self.process.poll() is None

    def end(self) -> None:
        """End it, as `ssh -O exit` does."""
        subprocess.run([need("ssh"), "-F", "none", "-S", str(self.path), "-O", "exit", "x"], capture_output=True)
        self.process.wait()


@contextlib.contextmanager
def shared_ssh(ssh_command: str, environment: Mapping[str, str] = {}) -> Iterator[SharedSsh]:
    """Open one for a value of REMOTE_SSH; it is ended at last.

    Args:
        environment: variables on top of ours.
    """
    with tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as folder:
        path = Path(folder) / "own"
        command = shlex.join([*shlex.split(ssh_command), "-S", str(path)])
        words = [need("ssh"), *shlex.split(command)[1:], "-N", "-M", "-o", "ControlPersist=no"]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, env={**os.environ, **environment})
        try:
            wait_until(lambda: path.exists() or process.poll() is not None, "shared connection")
            assert process.poll() is None
            yield SharedSsh(path, process, command)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:  # ssh misses a signal that comes just before it waits for its sockets
                process.kill()
                process.wait()
