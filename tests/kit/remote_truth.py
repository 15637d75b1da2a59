"""What is really on the remote, seen by an SSH client that is not ours: fabric, that is paramiko."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from fabric import Connection
from paramiko import RejectPolicy, SSHClient


class RemoteTruth:
    """A second SSH connection to the remote under test. Use as a context manager.

    Args:
        host, port, user: where to log in.
        identity_file: private key; or
        password: the password.
        known_hosts: file with the server's host key; an unknown or other key is refused.
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        *,
        known_hosts: Path,
        identity_file: Path | None = None,
        password: str | None = None,
    ) -> None:
        arguments: dict[str, Any] = {"allow_agent": False, "look_for_keys": False}
        if identity_file is not None:
            arguments["key_filename"] = str(identity_file)
        if password is not None:
            arguments["password"] = password
        self._connection = Connection(host, user=user, port=port, connect_kwargs=arguments, connect_timeout=20)
        client = cast(SSHClient, self._connection.client)
        client.load_host_keys(str(known_hosts))
        client.set_missing_host_key_policy(RejectPolicy())

    def __enter__(self) -> RemoteTruth:
        self._connection.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def read(self, path: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: there is none.
        """
        with self._connection.sftp().open(path, "rb") as file:
            return file.read()

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Put a file there, with its parent folders."""
        self.make_folder(path.rpartition("/")[0])
        with self._connection.sftp().open(path, "wb") as file:
            file.write(content)
        self._connection.sftp().chmod(path, mode)

    def make_folder(self, path: str) -> None:
        """Create a folder and its parents."""
        self.run(f"mkdir -p -- {shlex.quote(path)}")

    def remove(self, path: str) -> None:
        """Remove a file or a whole folder."""
        self.run(f"rm -rf -- {shlex.quote(path)}")

    def exists(self, path: str) -> bool:
        """Whether anything lies at `path`, links followed."""
        try:
            self._connection.sftp().stat(path)
        except FileNotFoundError:
            return False
        return True

    def names(self, path: str) -> list[str]:
        """Names in a folder, hidden ones too, sorted."""
        return sorted(self._connection.sftp().listdir(path))

    def tree(self, path: str) -> dict[str, bytes]:
        """Every file below a folder: path relative to it, and content. Links are not followed."""
        found: dict[str, bytes] = {}
        for entry in self._connection.sftp().listdir_attr(path):
            whole = f"{path}/{entry.filename}"
            mode = entry.st_mode or 0
            if stat.S_ISDIR(mode):
                found |= {f"{entry.filename}/{name}": content for name, content in self.tree(whole).items()}
            elif stat.S_ISREG(mode):
                found[entry.filename] = self.read(whole)
        return found

    def mode(self, path: str) -> int:
        """Permission bits of a file."""
        return stat.S_IMODE(self._connection.sftp().stat(path).st_mode or 0)

    def run(self, command: str) -> str:
        """Run a command in the remote's login shell; returns what it printed.

        Raises:
            invoke.UnexpectedExit: it failed.
        """
        return self._connection.run(command, hide=True, in_stream=False).stdout
