"""A connection begun before asyncssh is there: used once, by the first attempt, and never left open."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncssh
import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.errors import ConnectionRefusedByHostError, ConnectTimeoutError
from pybridge.transport import head_start
from pybridge.transport.head_start import HeadStart, client_version
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_pool import SshPool
from pybridge.transport.ssh_target import SshTarget, resolve_target
from tests.kit.pools import run, through, until
from tests.kit.sshd import SshServer

ROUND_TRIP = 0.1
ATTEMPTS = 3


def target(text: str) -> SshTarget:
    return resolve_target(parse_ssh_command(text))


@dataclass
class Listener:
    """A server that says nothing; what each connection has sent, once it has ended."""

    port: int = 0
    open: int = 0
    ended: list[bytes] = field(default_factory=list)

    @property
    def target(self) -> SshTarget:
        return target(f"ssh -F none -p {self.port} user@127.0.0.1")


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    found = Listener()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.open += 1
        found.ended.append(await reader.read())
        found.open -= 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found


@pytest.fixture(params=["openssh", "dropbear"])
def server(request: pytest.FixtureRequest) -> SshServer:
    return request.getfixturevalue(request.param)


@contextlib.asynccontextmanager
async def pool_with_head_start(text: str) -> AsyncIterator[SshPool]:
    found = target(text)
    pool = SshPool(found, head_start=HeadStart.towards(found))
    try:
        yield pool
    finally:
        await pool.close()


async def test_the_first_connection_is_the_one_that_was_begun(server: SshServer) -> None:
    async with DelayProxy(server.port, 0) as proxy, pool_with_head_start(through(server, proxy)) as pool:
        assert await until(lambda: proxy.connections == 1)
        assert (await run(pool, "echo here")).stdout == b"here\n"
        assert proxy.connections == 1
        for link in pool._links():
            link.connection.abort()
            await link.connection.wait_closed()
        assert (await run(pool, "echo here")).stdout == b"here\n"
        assert proxy.connections == 2


async def test_the_server_has_answered_before_it_is_taken(openssh: SshServer) -> None:
    fewest = 1 << 30
    for _ in range(ATTEMPTS):
        async with (
            DelayProxy(openssh.port, ROUND_TRIP / 2) as proxy,
            pool_with_head_start(through(openssh, proxy)) as pool,
        ):
            assert await until(lambda: proxy.round_trips == 1)
            await pool.connect()
            fewest = min(fewest, proxy.round_trips)
    assert fewest == 3  # that one, the keys, and the login


async def test_the_version_is_asyncsshs_and_said_once(listener: Listener) -> None:
    assert client_version() == f"AsyncSSH_{asyncssh.__version__}"
    pool = SshPool(listener.target, head_start=HeadStart.towards(listener.target))
    connecting = asyncio.create_task(pool.connect())
    assert await until(lambda: listener.open == 1)
    await asyncio.sleep(0.2)
    connecting.cancel()
    await asyncio.wait([connecting])
    await pool.close()
    assert await until(lambda: listener.ended == [f"SSH-2.0-{client_version()}\r\n".encode()])


async def test_a_version_that_cannot_be_found_out_is_left_to_asyncssh(
    openssh: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_start, "client_version", lambda: None)
    async with DelayProxy(openssh.port, 0) as proxy, pool_with_head_start(through(openssh, proxy)) as pool:
        assert (await run(pool, "echo here")).stdout == b"here\n"
        assert proxy.connections == 1


async def test_one_that_is_given_up_is_closed(listener: Listener) -> None:
    begun = HeadStart(listener.target)
    assert await until(lambda: listener.open == 1)
    begun.close()
    assert await until(lambda: len(listener.ended) == 1)
    assert await begun.take() is None
    at_once = HeadStart(listener.target)
    at_once.close()
    assert await at_once.take() is None
    assert await until(lambda: listener.open == 0)


async def test_a_pool_that_never_connected_closes_it(listener: Listener) -> None:
    pool = SshPool(listener.target, head_start=HeadStart.towards(listener.target))
    assert await until(lambda: listener.open == 1)
    await pool.close()
    assert await until(lambda: len(listener.ended) == 1)


async def test_one_that_waits_too_long_is_closed(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person may be asked for a passphrase before the connection is made."""
    monkeypatch.setattr(head_start, "LIFE_SECONDS", 0.3)
    begun = HeadStart(listener.target)
    assert await until(lambda: len(listener.ended) == 1)
    assert await begun.take() is None


async def test_one_whose_taker_gives_up_is_closed(listener: Listener) -> None:
    for steps in range(6):  # wherever it is just then
        begun = HeadStart(listener.target)
        taking = asyncio.create_task(begun.take())
        for _ in range(steps):
            await asyncio.sleep(0)
        taking.cancel()
        await asyncio.wait([taking])
        assert taking.cancelled()
    assert await until(lambda: listener.open == 0)


async def test_it_is_said_when_it_is_taken(listener: Listener) -> None:
    taken = asyncio.Event()
    begun = HeadStart(listener.target, taken.set)
    assert not taken.is_set()
    found = await begun.take()
    assert taken.is_set() and found is not None
    found.sock.close()


async def test_what_fails_fails_as_without_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = target(f"ssh -F none -p {port} user@127.0.0.1")
    errors = []
    for begun in (None, HeadStart.towards(found)):
        pool = SshPool(found, head_start=begun)
        with pytest.raises(ConnectionRefusedByHostError) as error:
            await pool.connect()
        errors.append(str(error.value))
        await pool.close()
    assert errors[0] == errors[1]


async def test_a_server_that_says_nothing_is_told_of_in_the_same_words(listener: Listener) -> None:
    found = target(f"ssh -F none -o ConnectTimeout=1 -p {listener.port} user@127.0.0.1")
    errors = []
    for begun in (None, HeadStart.towards(found)):
        pool = SshPool(found, head_start=begun)
        with pytest.raises(ConnectTimeoutError) as error:
            await pool.connect()
        errors.append(str(error.value))
        await pool.close()
    assert errors[0] == errors[1]
    assert await until(lambda: listener.open == 0)


@pytest.mark.unit
@pytest.mark.parametrize(
    "options", ["-J jump", "-o ProxyCommand='nc %h %p'", "-o ConnectionAttempts=2", "-o ProxyJump=jump"]
)
async def test_there_is_none_where_the_way_is_not_plain(options: str) -> None:
    assert HeadStart.towards(target(f"ssh -F none {options} user@127.0.0.1")) is None
