"""After many commands at once: as many shells are ready for the next ones, for a while, and in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pybridge.host import crowd
from pybridge.host.command_shells import READY, READY_WHERE_DELICATE, CommandShells
from pybridge.host.crowd import CROWD
from pybridge.transport.local_process import LocalCarrier
from tests.kit.pools import until

pytestmark = pytest.mark.unit


class LimitedCarrier(LocalCarrier):
    """Local shells, so many of them at once."""

    def __init__(self, places: int | None, *, delicate: bool = False) -> None:
        super().__init__(["sh", "-c"])
        self.places = places
        self.crowded = False
        self._is_delicate = delicate

    @property
    def opening_is_delicate(self) -> bool:
        return self._is_delicate


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "PAUSE_SECONDS", 0.05)


async def rest(shells: CommandShells) -> int:
    """How many shells are ready once nothing is being started or let go of."""
    before = (-1, -1)
    while before != (before := (len(shells._idle), len(shells._opening))) or shells._opening:
        await asyncio.sleep(0.3)
    return len(shells._idle)


async def together(shells: CommandShells, count: int) -> None:
    """So many commands at once, to their end."""
    for process in await asyncio.gather(*(shells.take() for _ in range(count))):
        process.close()
        shells.ended()


@pytest.fixture
async def shells() -> AsyncIterator[CommandShells]:
    """With room for forty."""
    carrier = LimitedCarrier(40)
    shells = CommandShells(carrier)
    yield shells
    shells.close()
    await carrier.close()


async def test_as_many_are_ready_after_a_crowd_and_serve_the_next(shells: CommandShells) -> None:
    await together(shells, 20)
    assert await until(lambda: len(shells._idle) == 20)
    taken = await asyncio.gather(*(shells.take() for _ in range(20)))
    assert not shells._idle
    for process in taken:
        process.close()
        shells.ended()
    assert await until(lambda: len(shells._idle) == 20)


async def test_few_commands_are_no_crowd(shells: CommandShells) -> None:
    await together(shells, CROWD - 1)
    assert await rest(shells) == READY


async def test_they_are_not_kept_for_long(shells: CommandShells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "KEPT_SECONDS", 0.5)
    await together(shells, CROWD)
    assert await until(lambda: len(shells._idle) == CROWD)
    assert await until(lambda: len(shells._idle) == READY)
    assert await rest(shells) == READY


async def test_none_is_started_while_a_command_runs(shells: CommandShells) -> None:
    process = await shells.take()
    await together(shells, CROWD)
    assert await rest(shells) == READY
    process.close()
    shells.ended()
    assert await until(lambda: len(shells._idle) == CROWD + 1)


@pytest.mark.parametrize(("places", "ready"), [(12, 8), (3, READY), (None, READY)])
async def test_a_third_of_what_the_server_allows_is_for_others(places: int | None, ready: int) -> None:
    carrier = LimitedCarrier(30)
    shells = CommandShells(carrier)
    await together(shells, 12)
    carrier.places = places
    assert await until(lambda: len(shells._idle) >= ready)
    assert await rest(shells) == ready
    shells.close()
    await carrier.close()


async def test_whoever_needs_room_has_that_of_all_of_them(shells: CommandShells) -> None:
    await together(shells, 20)
    assert await until(lambda: len(shells._idle) == 20)
    assert shells.spare(False)
    assert len(shells._idle) == READY


async def test_none_where_opening_is_delicate() -> None:
    carrier = LimitedCarrier(40, delicate=True)
    shells = CommandShells(carrier)
    await together(shells, 12)
    assert await rest(shells) == READY_WHERE_DELICATE
    shells.close()
    await carrier.close()
