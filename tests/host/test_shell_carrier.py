"""Shells started over a carrier on which no channel may be opened while another one's command ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pybridge.errors import ConnectionLostError
from pybridge.host import shell_carrier
from pybridge.host.login_shell import START_COMMAND
from pybridge.host.shell_carrier import ShellCarrier
from pybridge.transport.local_process import LocalCarrier
from pybridge.transport.process import ByteProcess

pytestmark = pytest.mark.unit


class CountingCarrier(LocalCarrier):
    """Local shells; `delicate` and how many have been started may be looked at."""

    def __init__(self, *, delicate: bool) -> None:
        super().__init__(["sh", "-c"])
        self._is_delicate = delicate
        self.starts = 0
        self.lost = False

    @property
    def opening_is_delicate(self) -> bool:
        return self._is_delicate

    async def start(self, command: str, *, stdin: bytes = b"", reconnect: bool = True) -> ByteProcess:
        self.starts += 1
        if self.lost:
            raise ConnectionLostError("The connection was lost.")
        return await super().start(command, stdin=stdin, reconnect=reconnect)


@pytest.fixture
async def carrier(request: pytest.FixtureRequest) -> AsyncIterator[CountingCarrier]:
    carrier = CountingCarrier(delicate=getattr(request, "param", True))
    yield carrier
    await carrier.close()


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_shell_is_started_before_a_short_process_has_ended(
    carrier: CountingCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_carrier, "_PATIENCE_SECONDS", 60.0)
    shells = ShellCarrier(carrier)
    async with shells.short(START_COMMAND, stdin=b"", reconnect=True):
        starting = asyncio.create_task(shells.start(START_COMMAND))
        await turns()
        assert carrier.starts == 1 and not starting.done()
    (await starting).close()
    assert carrier.starts == 2


async def test_it_is_not_waited_for_at_the_moment_it_is_started(carrier: CountingCarrier) -> None:
    """Its own start is none of those that wait, and those that come meanwhile wait for it from its first moment on."""
    shells = ShellCarrier(carrier)

    async def short() -> None:
        async with shells.short(START_COMMAND, stdin=b"exit\n", reconnect=True) as process:
            await process.wait_exit()
            assert carrier.starts == 1

    _, process = await asyncio.gather(short(), shells.start(START_COMMAND))
    process.close()


@pytest.mark.parametrize("wanted", [True, False])
async def test_only_what_somebody_waits_for_loses_patience(
    carrier: CountingCarrier, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    monkeypatch.setattr(shell_carrier, "_PATIENCE_SECONDS", 0.0)
    shells = ShellCarrier(carrier)
    async with shells.short(START_COMMAND, stdin=b"", reconnect=True):
        starting = asyncio.create_task(shells.start(START_COMMAND, wanted=lambda: wanted))
        if wanted:
            (await starting).close()
        else:
            await asyncio.sleep(0.1)
            assert carrier.starts == 1
    (await starting).close()


@pytest.mark.parametrize("carrier", [False], indirect=True)
async def test_elsewhere_nothing_waits(carrier: CountingCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell_carrier, "_PATIENCE_SECONDS", 60.0)
    shells = ShellCarrier(carrier)
    async with shells.short(START_COMMAND, stdin=b"", reconnect=True):
        (await shells.start(START_COMMAND)).close()


async def test_a_short_process_that_could_not_be_started_is_not_waited_for(
    carrier: CountingCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_carrier, "_PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(carrier, "lost", True)
    shells = ShellCarrier(carrier)
    with pytest.raises(ConnectionLostError):
        async with shells.short(START_COMMAND, stdin=b"", reconnect=True):
            pass
    monkeypatch.setattr(carrier, "lost", False)
    (await shells.start(START_COMMAND)).close()
