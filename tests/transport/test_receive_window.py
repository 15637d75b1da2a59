"""How much a server may send before it is read: little at first, much to a fast stream, to few at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest

from pybridge.transport import receive_window
from pybridge.transport.process import ByteProcess
from pybridge.transport.receive_window import FIRST_BYTES, MOST_WIDE, WIDE_BYTES, ReceiveWindow, WidePlaces
from pybridge.transport.ssh_pool import SshPool
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.pools import open_pool, until

MIB = 1024 * 1024
PIECE = 64 * 1024
AHEAD = MIB
"""What the server has put into a channel's buffer, but may not send."""


@dataclass
class Sender:
    """A server whose every command sends zeros for as long as it may."""

    sent: dict[str, int] = field(default_factory=dict)
    first_window: int = 0
    packet: int = 0

    async def __call__(self, process: asyncssh.SSHServerProcess) -> None:
        name = process.command or ""
        channel = process.channel
        self.first_window, self.packet = channel._send_window, channel._send_pktsize
        self.sent[name] = 0
        while True:
            process.stdout.write(b"\0" * PIECE)
            self.sent[name] += PIECE
            await process.stdout.drain()

    async def settled(self, name: str) -> int:
        """How much it has sent once it can send no more."""
        before = -1
        while before != self.sent.get(name, 0):
            before = self.sent.get(name, 0)
            await asyncio.sleep(0.5)
        return before


@contextlib.asynccontextmanager
async def sending(folder: Path) -> AsyncIterator[tuple[Sender, SshPool]]:
    sender = Sender()
    async with (
        EmbeddedServer(folder, password="x", process_factory=sender) as server,
        open_pool(server.ssh_command(), password="x") as pool,
    ):
        yield sender, pool


async def take(process: ByteProcess, size: int) -> None:
    while size > 0:
        piece = await process.read()
        assert piece is not None
        size -= len(piece[1])


@pytest.fixture(autouse=True)
def own_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """No place is held by what an earlier test left."""
    monkeypatch.setattr(receive_window._PLACES, "_holders", [])


async def test_what_is_asked_for_on_the_wire(tmp_path: Path) -> None:
    async with sending(tmp_path) as (sender, pool):
        process = await pool.start("one")
        await until(lambda: "one" in sender.sent)
        assert (sender.first_window, sender.packet) == (FIRST_BYTES, 64 * 1024)
        process.close()


async def test_law9_what_a_reader_leaves_unread_is_bounded_by_the_first_window(tmp_path: Path) -> None:
    async with sending(tmp_path) as (sender, pool):
        process = await pool.start("one")
        assert FIRST_BYTES <= await sender.settled("one") <= FIRST_BYTES + AHEAD
        process.close()


async def test_law9_few_streams_have_a_wide_window_and_all_that_stop_hold_a_bounded_amount(tmp_path: Path) -> None:
    async with sending(tmp_path) as (sender, pool):
        processes = {f"{n}": await pool.start(f"{n}") for n in range(MOST_WIDE + 2)}
        for process in processes.values():
            await take(process, 4 * MIB)
        held = {name: await sender.settled(name) - 4 * MIB for name in processes}
        wide = [name for name, size in held.items() if size > FIRST_BYTES + AHEAD]
        assert len(wide) == MOST_WIDE, held
        assert all(WIDE_BYTES // 2 - MIB <= held[name] <= WIDE_BYTES + AHEAD for name in wide), held
        for process in processes.values():
            process.close()


async def test_a_channel_that_is_closed_gives_its_place_back(tmp_path: Path) -> None:
    async with sending(tmp_path) as (sender, pool):
        for n in range(2 * MOST_WIDE):
            process = await pool.start(f"{n}")
            await take(process, 4 * MIB)
            assert await sender.settled(f"{n}") > 4 * MIB + WIDE_BYTES // 2 - MIB
            process.close()
            await until(lambda: receive_window._PLACES._holders == [])


class Channel:
    _init_recv_window = FIRST_BYTES


def test_only_an_idle_channel_loses_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("pybridge.transport.receive_window.time.monotonic", lambda: now)
    places = WidePlaces(1)
    windows = [ReceiveWindow(places) for _ in range(2)]
    channels = [Channel(), Channel()]
    for window, channel in zip(windows, channels, strict=True):
        window.opened(channel)

    def asked_for() -> list[int]:
        return [channel._init_recv_window for channel in channels]

    windows[0].received(FIRST_BYTES)
    windows[1].received(FIRST_BYTES)
    assert asked_for() == [WIDE_BYTES, FIRST_BYTES]
    windows[0].paused = True
    now += 60
    windows[1].received(1)
    assert asked_for() == [WIDE_BYTES, FIRST_BYTES]  # it may hold a whole window
    windows[0].paused = False
    windows[1].received(1)
    assert asked_for() == [FIRST_BYTES, WIDE_BYTES]
    windows[0].received(FIRST_BYTES)
    assert asked_for() == [FIRST_BYTES, WIDE_BYTES]
    windows[1].narrow()
    windows[1].narrow()
    windows[0].received(1)
    assert asked_for() == [WIDE_BYTES, FIRST_BYTES]
