"""A process on an SSH channel, against OpenSSH, dropbear and asyncssh's own server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.errors import ConnectionLostError
from pybridge.transport.carriers import RemoteCarrier
from pybridge.transport.output_queue import UNREAD_LIMIT
from pybridge.transport.process import ExitStatus, Stream
from pybridge.transport.receive_window import FIRST_BYTES
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.pools import finish, open_pool, open_system_ssh, rewrite_known_hosts, run, through, until
from tests.kit.shared_ssh import shared_ssh
from tests.kit.sshd import SshServer

SYSTEM_SSH = [pytest.param(f"{way}-{server}", marks=pytest.mark.whole) for way, server in (
    ("system", "openssh"), ("system", "dropbear"), ("shared", "openssh"), ("shared", "dropbear"))]  # fmt: skip
"""The same over the system's ssh, on a connection of its own or on one of the user's."""


@pytest.fixture(params=["openssh", "dropbear", "embedded", *SYSTEM_SSH])
async def pool(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RemoteCarrier]:
    way, _, name = request.param.partition("-")
    if name:
        server = request.getfixturevalue(name)
        with shared_ssh(server.ssh_command) if way == "shared" else contextlib.nullcontext(server) as own:
            async with open_system_ssh(own.ssh_command) as found:
                yield found
        return
    if request.param != "embedded":
        server: SshServer = request.getfixturevalue(request.param)
        async with open_pool(server.ssh_command) as found:
            yield found
        return
    embedded = EmbeddedServer(tmp_path, password="x")
    async with embedded:
        text = embedded.ssh_command()
        async with open_pool(text, password="x") as found:
            yield found


async def test_streams_are_apart_and_the_exit_code_is_known(pool: RemoteCarrier) -> None:
    output = await run(pool, "echo out; echo err >&2; exit 7")
    assert (output.stdout, output.stderr, output.status) == (b"out\n", b"err\n", ExitStatus(code=7))


async def test_signals_are_named(pool: RemoteCarrier, request: pytest.FixtureRequest) -> None:
    """But not by an ssh that shares its connection: it tells only that there is no exit code."""
    told = not request.node.callspec.params["pool"].startswith("shared")
    assert (await run(pool, "kill -9 $$")).status == (ExitStatus(signal="KILL") if told else ExitStatus())


async def test_pieces_come_in_order_of_arrival(pool: RemoteCarrier) -> None:
    process = await pool.start("echo 1; sleep 0.3; echo 2 >&2; sleep 0.3; echo 3")
    pieces = []
    while (piece := await process.read()) is not None:
        pieces.append(piece)
    assert pieces == [(Stream.STDOUT, b"1\n"), (Stream.STDERR, b"2\n"), (Stream.STDOUT, b"3\n")]


async def test_every_byte_passes_both_ways(pool: RemoteCarrier) -> None:
    data = bytes(range(256)) * 4000
    process = await pool.start("cat", stdin=data[:100_000])

    async def feed() -> None:
        await process.write(data[100_000:])
        process.write_eof()

    output, _ = await asyncio.gather(finish(process), feed())
    assert output.stdout == data
    assert output.status == ExitStatus(code=0)


async def test_exit_is_known_while_a_child_holds_the_streams(openssh: SshServer) -> None:
    async with open_pool(openssh.ssh_command) as pool:
        process = await pool.start("sleep 30 & echo pid $!; exit 4")
        piece = await process.read()
        assert piece is not None
        assert await process.wait_exit() == process.exit_status == ExitStatus(code=4)
        reading = asyncio.ensure_future(process.read())
        await asyncio.sleep(0.2)
        assert not reading.done()
        await run(pool, f"kill {piece[1].split()[1].decode()}")
        assert await reading is None


async def test_output_ends_while_the_process_goes_on(pool: RemoteCarrier) -> None:
    process = await pool.start("exec 1>&- 2>&-; read line; exit ${line}")
    reading = asyncio.ensure_future(process.read())
    await process.write(b"5\n")
    assert await reading is None
    assert await process.wait_exit() == ExitStatus(code=5)


async def test_unread_output_is_bounded(openssh: SshServer) -> None:
    async with DelayProxy(openssh.port, 0) as proxy, open_pool(through(openssh, proxy)) as pool:
        process = await pool.start("head -c 100000000 /dev/zero; echo done >&2")
        assert await until(lambda: proxy.to_client.bytes > FIRST_BYTES)
        await asyncio.sleep(0.5)
        # The first window, and the packets around it.
        assert proxy.to_client.bytes < FIRST_BYTES + 500_000
        assert (await run(pool, "echo others go on")).stdout == b"others go on\n"
        output = await finish(process)
        assert len(output.stdout) == 100_000_000
        assert output.stderr == b"done\n"


async def test_an_unread_process_still_tells_its_exit(pool: RemoteCarrier) -> None:
    process = await pool.start(f"head -c {UNREAD_LIMIT * 3} /dev/zero; exit 3")
    assert await process.wait_exit() == ExitStatus(code=3)
    assert len((await finish(process)).stdout) == UNREAD_LIMIT * 3


async def test_a_broken_connection_is_told_to_every_waiter(openssh: SshServer) -> None:
    async with DelayProxy(openssh.port, 0) as proxy, open_pool(through(openssh, proxy)) as pool:
        process = await pool.start("echo first; cat; echo never")
        assert await process.read() == (Stream.STDOUT, b"first\n")
        waiting = [asyncio.ensure_future(process.read()), asyncio.ensure_future(process.wait_exit())]
        await asyncio.sleep(0)
        proxy.cut()
        for waiter in waiting:
            with pytest.raises(ConnectionLostError):
                await waiter
        with pytest.raises(ConnectionLostError):
            await process.read()
        with pytest.raises(ConnectionLostError):
            await process.write(b"x")
        assert process.exit_status is None


async def test_closing_the_pool_ends_its_processes(pool: RemoteCarrier) -> None:
    process = await pool.start("cat")
    waiting = asyncio.ensure_future(process.wait_exit())
    await asyncio.sleep(0)
    await pool.close()
    with pytest.raises(ConnectionLostError):
        await waiting


async def test_input_for_a_process_that_has_ended_is_dropped(pool: RemoteCarrier) -> None:
    process = await pool.start("exit 0")
    assert await process.wait_exit() == ExitStatus(code=0)
    assert await process.read() is None
    await process.write(b"x" * 300_000)
    process.write_eof()
    process.close()
    process.close()


async def test_closed_process_reads_as_ended(pool: RemoteCarrier) -> None:
    process = await pool.start("cat; echo more", stdin=b"x" * 1000)
    process.close()
    assert await process.read() is None


@pytest.mark.parametrize("name", ["dropbear", "embedded"])
async def test_first_input_travels_with_the_request(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What goes to the server before it has answered the exec request holds the first input."""
    if name == "embedded":
        context = EmbeddedServer(tmp_path, password="x")
        async with context as embedded:
            await check_first_flight(embedded.ssh_command(), embedded.port, embedded.known_hosts)
    else:
        server: SshServer = request.getfixturevalue(name)
        await check_first_flight(server.ssh_command, server.port, server.known_hosts)


async def check_first_flight(text: str, port: int, known_hosts: Path) -> None:
    async with DelayProxy(port, 0.15) as proxy:
        known = rewrite_known_hosts(known_hosts, port, proxy)
        text = text.replace(f"-p {port} ", f"-p {proxy.port} ").replace(str(known_hosts), str(known))
        async with open_pool(text, password="x") as pool:
            await pool.connect()
            starting = asyncio.ensure_future(pool.start("cat", stdin=b"z" * 10_000))
            before = proxy.to_server.bytes
            assert await until(lambda: proxy.to_server.bytes - before > 10_000)
            assert not starting.done()
            process = await starting
            process.write_eof()
            assert (await finish(process)).stdout == b"z" * 10_000
