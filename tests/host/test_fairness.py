"""Callers take turns, and hold no more than their share."""

from __future__ import annotations

import asyncio

import pytest

from pybridge.host.fairness import FairQueue, Places, current_caller, on_behalf_of

pytestmark = pytest.mark.unit


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def served(queue: FairQueue[None]) -> list[str]:
    order = []
    while (following := queue.pop()) is not None:
        order.append(following[0])
    return order


async def test_callers_take_turns_however_many_wait() -> None:
    queue: FairQueue[None] = FairQueue()
    for caller in [*"aaaaa", "b", "c", "b"]:
        queue.join(caller)
    assert len(queue) == 8
    assert served(queue) == [*"abcab", *"aaa"]


async def test_among_one_callers_the_first_is_first() -> None:
    queue: FairQueue[None] = FairQueue()
    waiters = [queue.join("a") for _ in range(3)]
    assert [queue.pop(), queue.pop(), queue.pop(), queue.pop()] == [*(("a", waiter) for waiter in waiters), None]


async def test_who_has_left_or_was_cancelled_is_not_served() -> None:
    queue: FairQueue[None] = FairQueue()
    left, cancelled, waits = (queue.join("a") for _ in range(3))
    queue.leave("a", left)
    cancelled.cancel()
    assert queue.pop() == ("a", waits)
    assert queue.pop() is None
    queue.leave("a", waits)


async def test_only_those_who_may_are_served() -> None:
    queue: FairQueue[None] = FairQueue()
    queue.join("a")
    waits = queue.join("b")
    assert queue.pop(lambda caller: caller != "a") == ("b", waits)
    assert queue.pop(lambda caller: caller != "a") is None
    assert len(queue) == 1


async def test_one_caller_holds_no_more_than_its_share() -> None:
    places = Places(lambda: 5, lambda: 3)
    log: list[str] = []
    gates: dict[str, asyncio.Event] = {"a": asyncio.Event(), "b": asyncio.Event()}

    async def use(caller: str) -> None:
        with on_behalf_of(caller):
            async with places.held():
                log.append(current_caller())
                await gates[caller].wait()

    tasks = [asyncio.ensure_future(use(caller)) for caller in [*"aaaaaa", *"bbb"]]
    await settle()
    assert log == [*"aaa", *"bb"]
    gates["b"].set()
    await settle()
    assert log == [*"aaa", *"bb", "b"]
    gates["a"].set()
    await asyncio.gather(*tasks)
    assert log == [*"aaa", *"bb", "b", *"aaa"]


async def test_a_place_is_not_lost_with_who_was_cancelled() -> None:
    places = Places(lambda: 1, lambda: None)
    await places.take("a")
    waiting = [asyncio.ensure_future(places.take(caller)) for caller in "bc"]
    await settle()
    places.give_back("a")  # it is b's by now, who does not know yet
    waiting[0].cancel()
    await settle()
    assert waiting[1].done() and not waiting[1].cancelled()
    assert waiting[0].cancelled()


async def test_tasks_belong_to_the_caller_that_started_them() -> None:
    async def who() -> str:
        await asyncio.sleep(0)
        return current_caller()

    with on_behalf_of("a"):
        task = asyncio.create_task(who())
    assert (await task, current_caller()) == ("a", "")
