"""Idle shells that become commands: what happens where opening a channel breaks a connection, as on dropbear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pybridge.errors import ConnectionLostError
from pybridge.host import command_shells
from pybridge.host.command_shells import READY, READY_WHERE_DELICATE, STARTS, CommandShells
from pybridge.transport.local_process import LocalCarrier
from pybridge.transport.process import ByteProcess

pytestmark = pytest.mark.unit


class DelicateCarrier(LocalCarrier):
    """Local shells, some of whose starts fail as when a connection breaks."""

    def __init__(self) -> None:
        super().__init__(["sh", "-c"])
        self.failures = 0
        self.starts = 0

    @property
    def opening_is_delicate(self) -> bool:
        return True

    async def start(self, command: str, *, stdin: bytes = b"", reconnect: bool = True) -> ByteProcess:
        self.starts += 1
        if self.failures:
            self.failures -= 1
            raise ConnectionLostError("The connection was lost.")
        return await super().start(command, stdin=stdin, reconnect=reconnect)


@pytest.fixture
async def carrier() -> AsyncIterator[DelicateCarrier]:
    carrier = DelicateCarrier()
    yield carrier
    await carrier.close()


@pytest.fixture
async def shells(carrier: DelicateCarrier) -> AsyncIterator[CommandShells]:
    shells = CommandShells(carrier)
    yield shells
    shells.close()


async def settled(shells: CommandShells) -> None:
    while shells._opening:
        await asyncio.wait(shells._opening)


async def test_a_connection_that_breaks_over_a_start_is_replaced(
    shells: CommandShells, carrier: DelicateCarrier
) -> None:
    carrier.failures = 1
    process = await shells.take()
    assert process.exit_status is None
    process.close()


async def test_a_command_that_waits_learns_of_the_error_after_some_starts(
    shells: CommandShells, carrier: DelicateCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_shells, "READY_WHERE_DELICATE", 0)
    shells = CommandShells(carrier)
    carrier.failures = STARTS
    with pytest.raises(ConnectionLostError):
        await shells.take()
    assert carrier.starts == STARTS


async def test_nobody_waits_so_nothing_is_started_again(shells: CommandShells, carrier: DelicateCarrier) -> None:
    carrier.failures = 100
    shells.refill()
    await settled(shells)
    assert carrier.starts == READY_WHERE_DELICATE


async def test_nothing_is_started_early_where_opening_is_delicate(
    shells: CommandShells, carrier: DelicateCarrier
) -> None:
    shells.start_early()
    await settled(shells)
    assert carrier.starts == 0


async def said(process: ByteProcess) -> bytes:
    output = b""
    while (piece := await process.read()) is not None:
        output += piece[1]
    process.close()
    return output


@pytest.mark.parametrize("started", [True, False])
async def test_a_shell_started_early_has_the_environment_before_its_command(started: bool) -> None:
    carrier = LocalCarrier(["sh", "-c"])
    shells = CommandShells(carrier)
    try:
        shells.start_early()
        if started:
            await settled(shells)
        shells.use_environment("export FROM_LOGIN='it is here'")
        for _ in range(3):
            process = await shells.take()
            await process.write(shells.ahead_of_command(process) + b'echo "$FROM_LOGIN"; exit\n')
            assert await said(process) == b"it is here\n"
            assert shells.ahead_of_command(process) == b""
            shells.ended()
    finally:
        shells.close()
        await carrier.close()


async def test_those_that_wait_are_patient_while_commands_end(
    shells: CommandShells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every end of a command begins the wait anew; only then are shells started beside running commands."""
    monkeypatch.setattr(command_shells, "PATIENCE", 1000.0)
    taken = [await shells.take() for _ in range(1 + READY_WHERE_DELICATE)]
    waiting = asyncio.ensure_future(shells.take())
    await asyncio.sleep(0)
    first = shells._impatient
    assert first is not None
    taken.pop().close()
    shells.ended()
    assert first.cancelled()
    assert shells._impatient not in (None, first)
    assert not waiting.done()
    while taken:
        taken.pop().close()
        shells.ended()
    (await waiting).close()


class TogetherCarrier(LocalCarrier):
    """Local shells whose starts all succeed in one moment, when they are let go."""

    def __init__(self) -> None:
        super().__init__(["sh", "-c"])
        self.ready = 0
        self.go = asyncio.Event()

    async def start(self, command: str, *, stdin: bytes = b"", reconnect: bool = True) -> ByteProcess:
        process = await super().start(command, stdin=stdin, reconnect=reconnect)
        self.ready += 1
        await self.go.wait()
        return process


async def test_law7_who_comes_again_at_once_is_served_again() -> None:
    """As a command does whose shell was lost before it was sent, with all the others that came in the same moment."""
    carrier = TogetherCarrier()
    shells = CommandShells(carrier)

    async def lost_and_sent_again() -> None:
        for _ in range(2):
            (await shells.take()).close()
            shells.ended()
            shells.drop_idle()

    sending = asyncio.create_task(lost_and_sent_again())
    while carrier.ready < 1 + READY:
        await asyncio.sleep(0.01)
    carrier.go.set()
    try:
        async with asyncio.timeout(10):
            await sending
    finally:
        shells.close()
        await carrier.close()
