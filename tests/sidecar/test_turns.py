"""Calls and reverts of one session do not overlap."""

from __future__ import annotations

import asyncio

import pytest

from pybridge.sidecar.turns import SessionTurns

pytestmark = pytest.mark.unit


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_call_waits_for_every_revert_announced_before_it() -> None:
    turns, log = SessionTurns(), []
    gates = [asyncio.Event(), asyncio.Event()]

    async def revert(number: int) -> None:
        async with turns.revert("s"):
            log.append(f"revert {number} begins")
            await gates[number].wait()
            log.append(f"revert {number} ends")

    async def call(session: str) -> None:
        async with turns.call(session, asyncio.Event()):
            log.append(f"call of {session}")

    tasks = [asyncio.ensure_future(work) for work in (revert(0), revert(1), call("s"), call("other"))]
    await settle()
    assert log == ["revert 0 begins", "call of other"]
    gates[1].set()
    await settle()
    assert log == ["revert 0 begins", "call of other"]
    gates[0].set()
    await asyncio.gather(*tasks)
    assert log[2:] == ["revert 0 ends", "revert 1 begins", "revert 1 ends", "call of s"]


async def test_an_abort_ends_the_waiting() -> None:
    turns, abort = SessionTurns(), asyncio.Event()
    async with turns.revert("s"):

        async def call() -> bool:
            async with turns.call("s", abort):
                return abort.is_set()

        task = asyncio.ensure_future(call())
        await settle()
        assert not task.done()
        abort.set()
        assert await task


async def test_a_revert_that_fails_or_is_cancelled_holds_nobody_back() -> None:
    turns = SessionTurns()
    with pytest.raises(KeyError):
        async with turns.revert("s"):
            raise KeyError

    async def stuck() -> None:
        async with turns.revert("s"):
            await asyncio.Event().wait()

    tasks = [asyncio.ensure_future(stuck()) for _ in range(2)]
    await settle()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(10), turns.call("s", asyncio.Event()), turns.call("s", asyncio.Event()):
        pass


async def test_a_revert_waits_for_calls_under_way_of_the_sessions_it_is_about() -> None:
    turns, gate = SessionTurns(), asyncio.Event()

    async def call(session: str) -> None:
        async with turns.call(session, asyncio.Event()):
            await gate.wait()

    tasks = [asyncio.ensure_future(call(name)) for name in ("child", "other")]
    await settle()
    assert await turns.calls_ended(["s"], 10)
    assert not await turns.calls_ended(["s", "child"], 0.01)
    waiting = asyncio.ensure_future(turns.calls_ended(["s", "child"], 10))
    await settle()
    assert not waiting.done()
    gate.set()
    assert await waiting
    await asyncio.gather(*tasks)


async def test_others_can_wait_for_the_reverts_within_a_limit() -> None:
    turns = SessionTurns()
    async with turns.revert("s"):
        await turns.reverts_ended("other", 10)
        await turns.reverts_ended("s", 0.01)
    await turns.reverts_ended("s", 10)
