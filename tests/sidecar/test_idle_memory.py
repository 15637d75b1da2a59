"""Memory is given back once, when nothing has happened for a while."""

from __future__ import annotations

import asyncio

import pytest

from pybridge.sidecar import idle_memory
from pybridge.sidecar.idle_memory import IdleMemory
from tests.kit.pools import until

pytestmark = pytest.mark.unit


@pytest.fixture
def given_back(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for each time."""
    times: list[None] = []
    monkeypatch.setattr(idle_memory, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(idle_memory, "give_back", lambda: times.append(None))
    return times


async def test_it_is_given_back_once_after_many_calls(given_back: list[None]) -> None:
    memory = IdleMemory(lambda: True)
    for _ in range(5):
        memory.used()
        await asyncio.sleep(0)
    assert await until(lambda: bool(given_back))
    await asyncio.sleep(0.2)
    assert len(given_back) == 1
    memory.used()
    assert await until(lambda: len(given_back) == 2)


async def test_nothing_is_given_back_while_a_call_runs(given_back: list[None]) -> None:
    memory = IdleMemory(lambda: False)
    memory.used()
    await asyncio.sleep(0.2)
    assert given_back == []


def test_giving_back_works_here() -> None:
    idle_memory.keep_together()
    idle_memory.give_back()
