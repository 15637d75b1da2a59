"""Columns: the kinds of SSH servers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.legacy_servers import legacy_command, start_legacy
from tests.kit.remote_truth import RemoteTruth
from tests.kit.sshd import SshServer, make_key, start_dropbear, start_openssh
from tests.matrix.column import Column, Counterpart
from tests.matrix.truth import Fabric, SystemSsh

SFTP_FOLDERS = (Path("/usr/lib/openssh"), Path("/usr/libexec/openssh"), Path("/usr/lib/ssh"))


def _area(folder: Path) -> Path:
    area = folder / "area"
    area.mkdir()
    return area


@contextlib.contextmanager
def openssh(folder: Path) -> Iterator[Counterpart]:
    """Today's sshd, looked at by fabric."""
    server = start_openssh(folder / "sshd", ["MaxStartups 50"])
    scratch = folder / "truth"
    scratch.mkdir()
    try:
        with RemoteTruth(
            "127.0.0.1", server.port, server.user, known_hosts=server.known_hosts, identity_file=server.key
        ) as remote:
            yield Counterpart(server.ssh_command, Fabric(remote, str(scratch)), str(_area(folder)))
    finally:
        server.stop()


@contextlib.contextmanager
def legacy(folder: Path) -> Iterator[Counterpart]:
    """The algorithms of OpenSSH 5.3 only, looked at by the system's ssh: fabric cannot reach it."""
    server = start_legacy(folder / "sshd")
    command = legacy_command(server)
    try:
        yield Counterpart(command, SystemSsh(command), str(_area(folder)))
    finally:
        server.stop()


@contextlib.contextmanager
def dropbear_without_sftp(folder: Path) -> Iterator[Counterpart]:
    """dropbear on this machine, its SFTP server hidden from it."""
    server = start_dropbear(folder / "dropbear", hidden=[place for place in SFTP_FOLDERS if place.is_dir()])
    with _stopped(server):
        yield Counterpart(server.ssh_command, SystemSsh(server.ssh_command), str(_area(folder)))


@contextlib.contextmanager
def asyncssh_server(folder: Path) -> Iterator[Counterpart]:
    """asyncssh's server in a thread of this process, looked at by the system's ssh."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait_for(what: Coroutine[None, None, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, loop).result(60)

    key = make_key(folder / "user_key")
    server = EmbeddedServer(folder, authorized=(key.with_suffix(".pub"),))
    wait_for(server.__aenter__())
    try:
        command = server.ssh_command("-i", str(key))
        yield Counterpart(command, SystemSsh(command), str(_area(folder)))
    finally:
        wait_for(server.__aexit__())
        wait_for(_others_end())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


async def _others_end() -> None:
    """The server's own tasks end with their connections."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


@contextlib.contextmanager
def _stopped(server: SshServer) -> Iterator[None]:
    try:
        yield
    finally:
        server.stop()


COLUMNS = (
    Column(
        "OpenSSH",
        "OpenSSH's sshd with its usual limits, on Debian",
        openssh,
        quick=True,
    ),
    Column(
        "OpenSSH, old algorithms",
        "sshd with diffie-hellman-group1-sha1, ssh-rsa, aes128-cbc and hmac-sha1 only, as in OpenSSH 5.3",
        legacy,
    ),
    Column(
        "dropbear, no SFTP",
        "dropbear on Debian, without an SFTP server",
        dropbear_without_sftp,
    ),
    Column("asyncssh", "asyncssh's server, on Debian, in the user's own environment", asyncssh_server),
)
