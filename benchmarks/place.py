"""Where it is measured: a private sshd on this machine, a folder to work in, and links to it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data import Data
from benchmarks.link import Counts, LinkProcess
from tests.kit.sshd import SshServer, start_openssh


@dataclass
class Link:
    """A way to the server.

    Attributes:
        ssh: the command line that takes it.
        round_trip: in seconds; at 0 it is the server's own port, and nothing is counted.
    """

    ssh: str
    round_trip: float
    process: LinkProcess | None

    async def counts(self) -> Counts | None:
        """What has gone over it so far; None where nothing is counted."""
        return None if self.process is None else await self.process.counts()


class Place:
    """A private sshd with its usual limits for sessions, and room for many logins at once.

    Attributes:
        server: the sshd.
        data: what lies in the working folder.
        scratch: a folder of this run for anything else.
    """

    def __init__(self, scratch: Path, server: SshServer, data: Data) -> None:
        self.scratch = scratch
        self.server = server
        self.data = data

    @property
    def workdir(self) -> str:
        """The folder to work in."""
        return str(self.data.folder)

    @contextlib.asynccontextmanager
    async def link(self, round_trip: float, *, proxied: bool = False) -> AsyncIterator[Link]:
        """A link with a round trip of so many seconds, at full bandwidth; one for each adapter.

        Args:
            round_trip: 0 means straight to the server.
            proxied: go through the proxy at 0 as well, so that bytes are counted.
        """
        if round_trip == 0 and not proxied:
            yield Link(self.server.ssh_command, 0, None)
            return
        async with LinkProcess(self.server.port, round_trip) as process:
            known = self.server.known_hosts.with_name(f"known_hosts_{process.port}")
            known.write_text(self.server.known_hosts.read_text().replace(f":{self.server.port} ", f":{process.port} "))
            yield Link(self.server.ssh_command_with(port=process.port, known_hosts=known), round_trip, process)


@contextlib.contextmanager
def open_place(parent: Path | None = None) -> Iterator[Place]:
    """Start the server; end it and remove all files at last.

    Args:
        parent: the folder to be in; the system's for temporary files if not given.
    """
    with tempfile.TemporaryDirectory(prefix="pybridge-bench-", dir=parent) as folder:
        scratch = Path(folder)
        for name in ("work", "remote-home"):
            (scratch / name).mkdir()
        home = scratch / "remote-home" if os.geteuid() == 0 and sys.platform == "linux" else None
        server = start_openssh(scratch / "sshd", ["MaxStartups 100"], home=home)
        try:
            yield Place(scratch, server, Data(scratch / "work"))
        finally:
            server.stop()
