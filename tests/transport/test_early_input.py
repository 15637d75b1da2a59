"""The first input of a process travels with the request to start it, and not a byte of any input is lost for it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.errors import ChannelError
from pybridge.transport.asyncssh_quietly import constants, packet
from pybridge.transport.early_input import MOST_BYTES, lend_window
from tests.kit.pools import finish, open_pool, run, through
from tests.kit.sshd import SshServer, start_openssh

ROUND_TRIP = 0.1
ATTEMPTS = 3
SIZES = [1, 1000, MOST_BYTES - 1, MOST_BYTES, MOST_BYTES + 1, 200_000, 5_000_000]


@pytest.fixture(params=["openssh", "dropbear"])
def server(request: pytest.FixtureRequest) -> SshServer:
    return request.getfixturevalue(request.param)


async def fewest(server: SshServer, action: Callable[[Any], Awaitable[object]]) -> int:
    """Round trips of something done on a connection that is there."""
    found = 1 << 30
    for _ in range(ATTEMPTS):
        async with DelayProxy(server.port, ROUND_TRIP / 2) as proxy, open_pool(through(server, proxy)) as pool:
            await pool.connect()
            before = proxy.round_trips
            await action(pool)
            found = min(found, proxy.round_trips - before)
    return found


async def test_a_start_with_input_is_two_round_trips(server: SshServer) -> None:
    assert await fewest(server, lambda pool: run(pool, "head -n 1", stdin=b"first\n")) == 2


@pytest.mark.parametrize("size", SIZES)
async def test_all_of_the_input_arrives_in_order(server: SshServer, size: int) -> None:
    first, second = random.Random(size).randbytes(size), random.Random(-size).randbytes(3_000_000)
    async with open_pool(server.ssh_command) as pool:
        # It reads late, so that the server's whole window is used.
        process = await pool.start("sleep 0.5; sha256sum", stdin=first)
        await process.write(second)
        process.write_eof()
        output = await finish(process)
        assert output.stdout.split()[0].decode() == hashlib.sha256(first + second).hexdigest()
        assert (await run(pool, "head -n 1", stdin=b"next\n")).stdout == b"next\n"


async def test_input_for_a_command_that_is_refused_is_dropped(tmp_path: Any) -> None:
    server = start_openssh(tmp_path, ["MaxSessions 0"])
    try:
        async with open_pool(server.ssh_command) as pool:
            with pytest.raises(ChannelError):
                await pool.start("cat", stdin=b"input")
    finally:
        server.stop()


class FakeChannel:
    """A channel of asyncssh as far as `lend_window` looks at it."""

    def __init__(self, version: str, window: int) -> None:
        self.version, self._send_window = version, window
        self._packet_handlers: Any = {constants.MSG_CHANNEL_WINDOW_ADJUST: FakeChannel._adjust}

    def get_connection(self) -> FakeChannel:
        return self

    def get_extra_info(self, name: str) -> str:
        assert name == "server_version"
        return self.version

    def _adjust(self, kind: int, number: int, message: packet.SSHPacket) -> None:
        self._send_window += message.get_uint32()
        message.check_end()

    def adjust(self, size: int) -> None:
        kind = constants.MSG_CHANNEL_WINDOW_ADJUST
        self._packet_handlers[kind](self, kind, 0, packet.SSHPacket(packet.UInt32(size)))


@pytest.mark.unit
@pytest.mark.parametrize(
    ("version", "window"), [("SSH-2.0-OpenSSH_9.2p1", 5), ("SSH-2.0-dropbear_2022.83", 0), ("SSH-2.0-Go", 0)]
)
def test_nothing_is_lent_to_other_servers_or_where_there_is_a_window(version: str, window: int) -> None:
    channel: Any = FakeChannel(version, window)
    lend_window(channel, 100)
    assert channel._send_window == window


@pytest.mark.unit
def test_what_was_lent_is_taken_back_however_small_the_window_is() -> None:
    channel: Any = FakeChannel("SSH-2.0-OpenSSH_9.2p1", 0)
    lend_window(channel, 100)
    assert channel._send_window == 100
    channel._send_window = 0  # all is sent
    for adjust, left in ((60, 0), (40, 0), (7, 7), (3, 10)):
        channel.adjust(adjust)
        assert channel._send_window == left
