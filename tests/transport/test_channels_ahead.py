"""Channels that are opened ahead: a round trip saved, nothing run for it, and nobody kept out by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.transport.process import Stream
from pybridge.transport.ssh_pool import SshPool
from tests.kit.pools import finish, open_pool, run, through, until
from tests.kit.sshd import SshServer, start_openssh

ROUND_TRIP = 0.1
ATTEMPTS = 3


def held(pool: SshPool) -> int:
    """The channels that count on the server."""
    return sum(link.channels for link in pool._links())


async def test_a_start_that_was_expected_is_one_round_trip(openssh: SshServer) -> None:
    fewest = 1 << 30
    for _ in range(ATTEMPTS):
        async with DelayProxy(openssh.port, ROUND_TRIP / 2) as proxy, open_pool(through(openssh, proxy)) as pool:
            pool.expect(2)
            await pool.start("cat")
            before = proxy.round_trips
            await asyncio.gather(pool.start("cat"), pool.start("cat"))
            fewest = min(fewest, proxy.round_trips - before)
            before = proxy.round_trips
            await pool.start("cat")
            assert proxy.round_trips - before >= 2
    assert fewest == 1


async def test_what_was_expected_does_what_it_is_told(openssh: SshServer) -> None:
    async with open_pool(openssh.ssh_command) as pool:
        pool.expect(2)
        await run(pool, "true")
        process = await pool.start("cat; echo problem >&2; exit 3", stdin=b"first ")
        await process.write(b"second\n")
        process.write_eof()
        output = await finish(process)
        assert (output.stdout, output.stderr, output.status.code) == (b"first second\n", b"problem\n", 3)


async def test_its_channel_has_the_variables_of_the_options(tmp_path: Path) -> None:
    server = start_openssh(tmp_path, ["AcceptEnv GREETING"])
    try:
        async with open_pool(server.ssh_command_with("-o", "SetEnv=GREETING=hello")) as pool:
            pool.expect(1)
            await run(pool, "true")
            assert len(pool._ahead["command"]._waiting) == 1
            assert (await run(pool, 'echo "$GREETING"')).stdout == b"hello\n"
    finally:
        server.stop()


async def test_nothing_runs_before_it_is_told(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    server = start_openssh(tmp_path / "sshd", [f'ForceCommand echo x >> {ran}; sh -c "$SSH_ORIGINAL_COMMAND"'])
    try:
        async with open_pool(server.ssh_command) as pool:
            pool.expect(2)
            first = await pool.start("cat", stdin=b"it runs\n")
            assert await first.read() == (Stream.STDOUT, b"it runs\n")
            assert len(pool._ahead["command"]._waiting) == 2
            assert await until(lambda: all(process.was_opened for process in pool._ahead["command"]._waiting))
            await run(pool, "true")
            assert ran.read_text() == "x\nx\n"
            first.close()
    finally:
        server.stop()


@pytest.mark.parametrize("sessions", [1, 2])
async def test_a_server_that_allows_few(tmp_path: Path, sessions: int) -> None:
    server = start_openssh(tmp_path, [f"MaxSessions {sessions}"])
    try:
        async with open_pool(server.ssh_command) as pool:
            pool.expect(2)
            processes = [await asyncio.wait_for(pool.start("cat"), 20) for _ in range(3)]
            for process in processes:
                process.write_eof()
                await finish(process)
    finally:
        server.stop()


async def test_after_a_crowd_the_next_one_finds_channels_open(openssh: SshServer) -> None:
    fewest = 1 << 30
    async with DelayProxy(openssh.port, ROUND_TRIP / 2) as proxy, open_pool(through(openssh, proxy)) as pool:
        for _ in range(ATTEMPTS):
            crowd = await asyncio.gather(*(pool.start("cat") for _ in range(8)))
            for process in crowd:
                process.write_eof()
                await finish(process)
            ahead = pool._ahead["command"]
            assert await until(lambda ahead=ahead: len(ahead._waiting) >= 8 and ahead._refilling is None)
            before = proxy.round_trips
            processes = await asyncio.gather(*(pool.start("cat") for _ in range(8)))
            fewest = min(fewest, proxy.round_trips - before)
            for process in processes:
                process.close()
    assert fewest == 1


async def test_few_starts_leave_no_channels_open(openssh: SshServer) -> None:
    async with open_pool(openssh.ssh_command) as pool:
        await asyncio.gather(*(run(pool, "true") for _ in range(7)))
        assert pool._ahead["command"]._refilling is None and not pool._ahead["command"]._waiting


async def test_other_servers_are_not_asked(dropbear: SshServer) -> None:
    async with open_pool(dropbear.ssh_command) as pool:
        pool.expect(2)
        process = await pool.start("cat")
        assert held(pool) == 1
        process.close()


async def test_a_connection_that_is_lost_meanwhile(openssh: SshServer) -> None:
    async with open_pool(openssh.ssh_command) as pool:
        pool.expect(2)
        await run(pool, "true")
        assert await until(lambda: all(process.was_opened for process in pool._ahead["command"]._waiting))
        for link in pool._links():
            link.connection.abort()
        assert (await run(pool, "echo again")).stdout == b"again\n"
        assert not pool._ahead["command"]._waiting


async def test_one_that_nobody_waits_for_any_more_is_closed(openssh: SshServer) -> None:
    async with DelayProxy(openssh.port, ROUND_TRIP / 2) as proxy, open_pool(through(openssh, proxy)) as pool:
        pool.expect(1)
        first = asyncio.ensure_future(pool.start("cat"))
        assert await until(lambda: bool(pool._ahead["command"]._waiting))
        starting = asyncio.ensure_future(pool.start("cat"))
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        process = await first
        assert await until(lambda: held(pool) == 1)
        # The server has closed it too: it grants nine more.
        further = [await asyncio.wait_for(pool.start("cat"), 10) for _ in range(9)]
        assert len(pool._links()) == 1 and held(pool) == 10
        for one in (process, *further):
            one.close()
        assert (await run(pool, "echo in")).stdout == b"in\n"


async def test_those_that_are_never_told_end_with_the_pool(openssh: SshServer) -> None:
    async with open_pool(openssh.ssh_command) as pool:
        pool.expect(2)
        await run(pool, "true")
        assert len(pool._ahead["command"]._waiting) == 2
    assert held(pool) == 0
