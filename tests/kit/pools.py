"""Shorthand for tests: a pool from a value of REMOTE_SSH, and a process run to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.transport.credentials import Credentials
from pybridge.transport.openssh.carrier import OpensshCarrier
from pybridge.transport.openssh.command_line import read_command_line
from pybridge.transport.openssh.configuration import ask_ssh
from pybridge.transport.process import ByteProcess, Carrier, ExitStatus, Stream
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_pool import SshPool
from pybridge.transport.ssh_target import resolve_target
from tests.kit.counterparts import need
from tests.kit.fault_proxy import FaultProxy
from tests.kit.sshd import SshServer


@contextlib.asynccontextmanager
async def open_pool(
    text: str, *, password: str | None = None, passphrase: str | None = None, **options: Any
) -> AsyncIterator[SshPool]:
    """A pool for a value of REMOTE_SSH, closed at the end. `options` are those of SshPool."""
    target = resolve_target(parse_ssh_command(text))
    pool = SshPool(target, Credentials(password=password, key_passphrase=passphrase), **options)
    try:
        yield pool
    finally:
        await pool.close()


@contextlib.asynccontextmanager
async def open_system_ssh(
    text: str, *, password: str | None = None, passphrase: str | None = None, **options: Any
) -> AsyncIterator[OpensshCarrier]:
    """The same over the system's ssh. `options` are those of OpensshCarrier."""
    need("ssh")
    credentials = Credentials(password=password, key_passphrase=passphrase)
    carrier = OpensshCarrier(ask_ssh(read_command_line(text)), credentials, **options)
    try:
        yield carrier
    finally:
        await carrier.close()


@dataclass
class Output:
    """What a process wrote and how it ended."""

    stdout: bytes
    stderr: bytes
    status: ExitStatus


async def run(carrier: Carrier, command: str, *, stdin: bytes = b"") -> Output:
    """Start a command, read it to its end, and wait for its exit."""
    process = await carrier.start(command, stdin=stdin)
    return await finish(process)


async def finish(process: ByteProcess) -> Output:
    """Read a process to the end of its streams, and wait for its exit."""
    streams = {Stream.STDOUT: bytearray(), Stream.STDERR: bytearray()}
    while (piece := await process.read()) is not None:
        streams[piece[0]] += piece[1]
    return Output(bytes(streams[Stream.STDOUT]), bytes(streams[Stream.STDERR]), await process.wait_exit())


async def until(condition: Callable[[], bool], *, seconds: float = 20) -> bool:
    """Wait for something that comes true by itself; whether it did within the time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)
    return condition()


def through(server: SshServer, proxy: DelayProxy) -> str:
    """A value for REMOTE_SSH that reaches a server through a proxy."""
    known = rewrite_known_hosts(server.known_hosts, server.port, proxy)
    return server.ssh_command_with(port=proxy.port, known_hosts=known)


def rewrite_known_hosts(known_hosts: Path, port: int, proxy: DelayProxy | FaultProxy) -> Path:
    """A copy of a known_hosts file in which the server's port is the proxy's."""
    copy = known_hosts.with_name(f"known_hosts_{proxy.port}")
    copy.write_text(known_hosts.read_text().replace(f":{port} ", f":{proxy.port} "))
    return copy
