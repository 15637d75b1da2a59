"""Servers that allow little: few channels, few handshakes, no idleness. Everything still works, none waits for ever."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pybridge.host.host import Host, HostOptions
from pybridge.host.model import ABSENT, Change, Command
from pybridge.transport.ssh_pool import PoolState
from tests.kit.pools import open_pool, open_system_ssh, until
from tests.kit.sshd import SshServer, start_dropbear, start_openssh

LIMITS = {
    "one channel": ["MaxSessions 1"],
    "two channels": ["MaxSessions 2"],
    "one handshake": ["MaxStartups 1:100:1", "MaxAuthTries 2", "LoginGraceTime 10"],
    "one of each": ["MaxSessions 1", "MaxStartups 1", "MaxAuthTries 2", "LoginGraceTime 10"],
}


@pytest.fixture(
    params=["one channel", *(pytest.param(n, marks=pytest.mark.whole) for n in LIMITS if n != "one channel")]
)
def limited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """An sshd with one set of limits."""
    server = start_openssh(tmp_path_factory.mktemp("sshd"), LIMITS[request.param])
    yield server
    server.stop()


@contextlib.asynccontextmanager
async def connected(server: SshServer, folder: Path, **options: Any) -> AsyncIterator[Host]:
    async with open_pool(server.ssh_command, **options) as pool:
        host = await Host.connect(pool, HostOptions(str(folder)))
        try:
            yield host
        finally:
            await host.close()


async def read(host: Host, folder: Path) -> None:
    assert (await host.files.fetch_one(f"{folder}/seen")).content == b"needle\n"


async def command(host: Host, folder: Path, text: str = "echo ran") -> str:
    pieces = bytearray()
    result = await host.run(Command(text, str(folder), on_output=lambda stream, data: pieces.extend(data)))
    assert result.code == 0
    return pieces.decode()


async def everything_at_once(host: Host, folder: Path) -> None:
    async def search() -> None:
        assert (await host.search.glob("seen", str(folder))).paths == (f"{folder}/seen",)

    async def write(name: str, size: int) -> None:
        await host.files.apply([Change(f"{folder}/{name}", ABSENT, bytes(size))])
        assert (folder / name).stat().st_size == size

    reads = (read(host, folder) for _ in range(4))
    commands = (command(host, folder) for _ in range(4))
    await asyncio.gather(*reads, *commands, search(), write("small", 10), write("large", 700_000))


@pytest.mark.timeout(100)
async def test_few_channels_and_handshakes_are_enough_for_everything_at_once(
    limited: SshServer, tmp_path: Path
) -> None:
    (tmp_path / "seen").write_text("needle\n")
    async with connected(limited, tmp_path) as host:
        await everything_at_once(host, tmp_path)
        # Another kind of process needs the room now.
        assert await command(host, tmp_path, "echo again") == "again\n"
        await read(host, tmp_path)


@pytest.mark.timeout(100)
async def test_commands_that_run_long_leave_room_to_read_and_to_end_them(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = start_openssh(tmp_path_factory.mktemp("sshd"), ["MaxSessions 1"])
    (tmp_path / "seen").write_text("needle\n")
    stop = asyncio.Event()
    try:
        async with connected(server, tmp_path) as host:
            started = [tmp_path / f"started{i}" for i in range(2)]
            running = [
                asyncio.create_task(host.run(Command(f"touch {path}; sleep 4721", str(tmp_path), abort=stop)))
                for path in started
            ]
            assert await until(lambda: all(path.exists() for path in started))
            await asyncio.gather(*(read(host, tmp_path) for _ in range(4)))
            stop.set()
            assert [result.aborted for result in await asyncio.gather(*running)] == [True, True]
    finally:
        server.stop()


@pytest.mark.whole
@pytest.mark.timeout(200)
async def test_one_channel_on_one_connection_takes_turns(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = start_openssh(tmp_path_factory.mktemp("sshd"), ["MaxSessions 1"])
    (tmp_path / "seen").write_text("needle\n")
    try:
        async with connected(server, tmp_path, command_size=1, file_size=1) as host:
            for _ in range(2):
                assert await command(host, tmp_path) == "ran\n"
                await read(host, tmp_path)
            result = await host.run(Command("echo $$ > pid; sleep 4723", str(tmp_path), timeout=1.0))
            assert result.timed_out
            pid = (tmp_path / "pid").read_text().strip()
            assert await until(lambda: not Path(f"/proc/{pid}").exists())
            await read(host, tmp_path)
    finally:
        server.stop()


@pytest.mark.whole
@pytest.mark.timeout(100)
async def test_a_server_that_drops_idle_connections_is_connected_to_again(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = start_dropbear(tmp_path_factory.mktemp("dropbear"), ["-I", "4"])
    (tmp_path / "seen").write_text("needle\n")
    try:
        async with open_pool(server.ssh_command) as pool:
            host = await Host.connect(pool, HostOptions(str(tmp_path)))
            for use in (read, command, read):
                await use(host, tmp_path)
                assert await until(lambda: pool.state is PoolState.LOST, seconds=40)
            await host.close()
    finally:
        server.stop()


@pytest.mark.whole
@pytest.mark.timeout(200)
async def test_one_channel_is_enough_over_the_systems_ssh_too(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """There is one connection, so all that is allowed is one channel: things are done one after the other."""
    server = start_openssh(tmp_path_factory.mktemp("sshd"), ["MaxSessions 1"])
    (tmp_path / "seen").write_text("needle\n")
    try:
        async with open_system_ssh(server.ssh_command) as carrier:
            host = await Host.connect(carrier, HostOptions(str(tmp_path)))
            try:
                for _ in range(2):
                    assert await command(host, tmp_path) == "ran\n"
                    await read(host, tmp_path)
                await host.files.apply([Change(f"{tmp_path}/small", ABSENT, b"new")])
                assert (tmp_path / "small").read_bytes() == b"new"
                together = (command(host, tmp_path), read(host, tmp_path), command(host, tmp_path))
                assert (await asyncio.gather(*together))[0] == "ran\n"
            finally:
                await host.close()
    finally:
        server.stop()
