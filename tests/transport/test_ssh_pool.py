"""The pool: channels counted, limits of the server learned, lost connections replaced, states told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.errors import ChannelError, ConnectionLostError, ConnectionRefusedByHostError, RemoteError
from pybridge.transport.ssh_pool import PoolState
from tests.kit.pools import finish, open_pool, run, through, until
from tests.kit.sshd import SshServer, free_port, start_openssh


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """An sshd that allows one channel per connection."""
    server = start_openssh(tmp_path_factory.mktemp("single"), ["MaxSessions 1"])
    yield server
    server.stop()


async def test_connections_are_opened_when_needed(openssh: SshServer) -> None:
    """D6: the first at once, others when channels run out, and no more than allowed."""
    async with (
        DelayProxy(openssh.port, 0) as proxy,
        open_pool(through(openssh, proxy), command_size=2, file_size=1) as pool,
    ):
        assert proxy.connections == 0
        processes = [await pool.start("cat") for _ in range(10)]
        assert proxy.connections == 1
        processes += [await pool.start("cat") for _ in range(10)]
        assert pool.places == 20
        # Where there are several for commands, the one for files lends what it does not need, and keeps two channels.
        assert await until(lambda: pool.places == 28)
        assert proxy.connections == 3
        processes += [await asyncio.wait_for(pool.start("cat"), 10) for _ in range(8)]
        waiting = asyncio.ensure_future(pool.start("echo late"))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        assert (await finish(await pool.start_transfer("echo file"))).stdout == b"file\n"
        assert not waiting.done()
        processes[0].write_eof()
        assert (await finish(await waiting)).stdout == b"late\n"
        assert proxy.connections == 3


async def test_commands_wait_for_none_of_the_connections_for_files(openssh: SshServer) -> None:
    """Where that connection cannot be made, those for commands do."""
    async with DelayProxy(openssh.port, 0) as proxy, open_pool(through(openssh, proxy), command_size=2) as pool:
        processes = [await pool.start("cat") for _ in range(10)]
        pool._groups["file"]._may_grow_at = float("inf")
        processes += [await pool.start("cat") for _ in range(10)]
        waiting = asyncio.ensure_future(pool.start("echo late"))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        processes[0].write_eof()
        assert (await finish(await waiting)).stdout == b"late\n"
        assert proxy.connections == 2


async def test_thirty_at_once(openssh: SshServer) -> None:
    async with open_pool(openssh.ssh_command) as pool:
        outputs = await asyncio.gather(*(run(pool, f"echo {n}") for n in range(30)))
        assert [output.stdout for output in outputs] == [b"%d\n" % n for n in range(30)]


async def test_thirty_at_once_on_dropbear(dropbear: SshServer) -> None:
    # The commands outlast the starts: where they end meanwhile, dropbear 2022.83 at times fails an assertion of its own
    # (common-channel.c:705, `!channel->sent_close`) and ends the whole connection.
    async with open_pool(dropbear.ssh_command) as pool:
        outputs = await asyncio.gather(*(run(pool, f"sleep 3; echo {n}") for n in range(30)))
        assert [output.stdout for output in outputs] == [b"%d\n" % n for n in range(30)]


async def test_one_session_per_connection(single: SshServer) -> None:
    async with open_pool(single.ssh_command) as pool:
        outputs = await asyncio.gather(*(run(pool, f"echo {n}") for n in range(30)))
        assert [output.stdout for output in outputs] == [b"%d\n" % n for n in range(30)]


async def test_one_session_on_one_connection_waits_for_its_turn(single: SshServer) -> None:
    async with open_pool(single.ssh_command, command_size=1) as pool:
        first = await pool.start("cat")
        second = asyncio.ensure_future(pool.start("echo second"))
        await asyncio.sleep(0.3)
        assert not second.done()
        first.write_eof()
        await finish(first)
        assert (await finish(await second)).stdout == b"second\n"


async def test_sessions_of_programs_that_outlive_their_channel(single: SshServer) -> None:
    """OpenSSH counts a session until its program ends, closed channel or not; the pool must not be stuck by that."""
    async with open_pool(single.ssh_command, command_size=1) as pool:
        process = await pool.start("echo $$; exec sleep 60")
        piece = await process.read()
        assert piece is not None
        process.close()
        assert (await run(pool, "echo free")).stdout == b"free\n"
        await run(pool, f"kill {int(piece[1])}")


async def test_a_burst_against_max_startups(tmp_path: Path) -> None:
    server = start_openssh(tmp_path / "server", ["MaxStartups 1", "MaxSessions 1"])
    try:
        async with open_pool(server.ssh_command, command_size=4) as pool, open_pool(server.ssh_command) as other:
            runs = [run(carrier, "sleep 0.1; echo x") for carrier in (pool, other) for _ in range(6)]
            assert [output.stdout for output in await asyncio.gather(*runs)] == [b"x\n"] * 12
    finally:
        server.stop()


async def test_connections_dropped_before_authentication_are_tried_three_times() -> None:
    dropped = 0

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal dropped
        dropped += 1
        writer.close()

    async with await asyncio.start_server(drop, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        async with open_pool(f"ssh -F none -p {port} nobody@127.0.0.1") as pool:
            with pytest.raises(RemoteError, match="MaxStartups"):
                await pool.start("true")
    assert dropped == 3


async def test_a_server_that_refuses_every_channel(tmp_path: Path) -> None:
    server = start_openssh(tmp_path / "server", ["MaxSessions 0"])
    try:
        async with open_pool(server.ssh_command) as pool:
            with pytest.raises(ChannelError):
                await pool.start("true")
    finally:
        server.stop()


async def test_lost_connection_is_replaced_and_states_are_told(openssh: SshServer) -> None:
    states: list[PoolState] = []
    async with (
        DelayProxy(openssh.port, 0) as proxy,
        open_pool(through(openssh, proxy), on_state=lambda state, error: states.append(state)) as pool,
    ):
        assert pool.state is PoolState.CONNECTING
        process = await pool.start("cat")
        assert pool.state is PoolState.READY
        proxy.cut()
        with pytest.raises(ConnectionLostError):
            await process.wait_exit()
        assert await until(lambda: pool.state is PoolState.LOST)
        assert (await run(pool, "echo again")).stdout == b"again\n"
        assert states == [PoolState.READY, PoolState.LOST, PoolState.RECONNECTING, PoolState.READY]
        assert proxy.connections == 2


async def test_a_failed_connection_can_be_tried_again(openssh: SshServer) -> None:
    states: list[tuple[PoolState, type | None]] = []
    async with open_pool(
        openssh.ssh_command_with(port=free_port()),
        on_state=lambda state, error: states.append((state, type(error) if error else None)),
    ) as pool:
        for _ in range(2):
            with pytest.raises(ConnectionRefusedByHostError):
                await pool.start("true")
        assert states == [
            (PoolState.FAILED, ConnectionRefusedByHostError),
            (PoolState.CONNECTING, None),
            (PoolState.FAILED, ConnectionRefusedByHostError),
        ]


async def test_a_cancelled_start_leaves_no_channel_behind(single: SshServer) -> None:
    async with open_pool(single.ssh_command, command_size=1) as pool:
        await pool.connect()
        for _ in range(3):
            starting = asyncio.ensure_future(pool.start("cat"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
        assert (await run(pool, "echo free")).stdout == b"free\n"


async def test_files_go_over_their_own_connections(openssh: SshServer) -> None:
    async with DelayProxy(openssh.port, 0) as proxy, open_pool(through(openssh, proxy)) as pool:
        await run(pool, "true")
        assert (await finish(await pool.start("echo x", role="file"))).stdout == b"x\n"
        assert proxy.connections == 2


async def test_transfers_go_over_a_connection_for_files_and_further_ones_join_them(openssh: SshServer) -> None:
    async with DelayProxy(openssh.port, 0) as proxy, open_pool(through(openssh, proxy)) as pool:
        await run(pool, "true")
        with pytest.raises(ChannelError, match="no channel to spare"):
            await pool.start_transfer("cat", further=True)
        assert proxy.connections == 1  # none is made for a further one
        first = await pool.start_transfer("cat")
        assert proxy.connections == 2
        further = [await pool.start_transfer("cat", further=True) for _ in range(7)]
        with pytest.raises(ChannelError, match="no channel to spare"):
            await pool.start_transfer("cat", further=True)
        assert proxy.connections == 2
        others = [await asyncio.wait_for(pool.start_transfer("cat"), 10) for _ in range(2)]
        assert proxy.connections == 2
        for process in (first, *further, *others):
            process.close()


async def test_a_further_transfer_is_refused_and_nobody_else(single: SshServer) -> None:
    async with open_pool(single.ssh_command) as pool:
        first = await pool.start_transfer("cat")
        with pytest.raises(ChannelError, match="refused to open another channel"):
            await pool.start_transfer("cat", further=True)
        second = await asyncio.wait_for(pool.start_transfer("cat"), 10)
        first.close()
        second.close()
        assert (await run(pool, "echo in")).stdout == b"in\n"


async def test_no_further_transfer_where_somebody_waits(single: SshServer) -> None:
    async with open_pool(single.ssh_command, file_size=1) as pool:
        first = await pool.start_transfer("cat")
        with pytest.raises(ChannelError, match="refused"):
            await pool.start_transfer("cat", further=True)
        waiting = asyncio.ensure_future(pool.start_transfer("echo late"))
        await until(lambda: pool.crowded)
        with pytest.raises(ChannelError, match="no channel to spare"):
            await pool.start_transfer("cat", further=True)
        first.close()
        assert (await finish(await waiting)).stdout == b"late\n"
