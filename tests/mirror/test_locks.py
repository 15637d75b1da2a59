"""Per-file locks: one at a time, first come first served, never stuck (D24, law 7)."""

from __future__ import annotations

import asyncio

import pytest

from pybridge.errors import RemoteTimeoutError
from pybridge.mirror.locks import FileLocks

pytestmark = pytest.mark.unit


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_path_is_held_by_one_at_a_time_in_order_of_arrival() -> None:
    locks, order, inside = FileLocks(), [], 0

    async def work(number: int) -> None:
        nonlocal inside
        async with locks.hold("/f"):
            inside += 1
            assert inside == 1
            order.append(number)
            await settle()
            inside -= 1

    await asyncio.gather(*(work(n) for n in range(20)))
    assert order == list(range(20)) and len(locks) == 0


async def test_other_paths_do_not_wait() -> None:
    locks = FileLocks()
    async with locks.hold("/a"), locks.hold("/b", wait=0.01):
        assert len(locks) == 2


async def test_several_paths_in_any_order_do_not_block_each_other_for_good() -> None:
    locks, done = FileLocks(timeout=30), []

    async def work(*paths: str) -> None:
        async with locks.hold(*paths):
            await settle()
            done.append(paths)

    await asyncio.gather(*(work(*p) for _ in range(5) for p in (("/a", "/b"), ("/b", "/a"), ("/b", "/c", "/a"))))
    assert len(done) == 15 and len(locks) == 0


async def test_the_same_path_twice_is_taken_once() -> None:
    async with FileLocks().hold("/a", "/a", wait=1):
        pass


async def test_a_wait_that_is_too_long_names_the_path_and_lets_go_of_the_others() -> None:
    locks = FileLocks()
    async with locks.hold("/b"):
        with pytest.raises(RemoteTimeoutError, match="/b is in use"):
            async with locks.hold("/a", "/b", "/c", wait=0.01):
                pytest.fail("held twice")
        async with locks.hold("/a", "/c", wait=0.01):
            pass
    assert len(locks) == 0


async def test_cancelling_a_holder_or_a_waiter_frees_the_path() -> None:
    locks, entered = FileLocks(), asyncio.Event()

    async def holder() -> None:
        async with locks.hold("/a", "/b"):
            entered.set()
            await asyncio.Event().wait()

    async def waiter() -> None:
        async with locks.hold("/0", "/a"):
            await asyncio.Event().wait()

    first = asyncio.create_task(holder())
    await entered.wait()
    second = asyncio.create_task(waiter())
    third = asyncio.create_task(waiter())
    await settle()
    second.cancel()
    await settle()
    first.cancel()
    await settle()
    assert not third.done()  # it holds /0 and /a now
    async with locks.hold("/b", wait=1):
        pass
    third.cancel()
    results = await asyncio.gather(first, second, third, return_exceptions=True)
    assert all(isinstance(r, asyncio.CancelledError) for r in results) and len(locks) == 0


async def test_an_error_in_the_body_frees_the_path() -> None:
    locks = FileLocks()
    with pytest.raises(ZeroDivisionError):
        async with locks.hold("/a"):
            raise ZeroDivisionError
    assert len(locks) == 0


async def test_cancelling_at_any_moment_of_a_handover_never_loses_a_lock() -> None:
    locks = FileLocks()
    for moment in range(8):
        entered = asyncio.Event()

        async def holder(entered: asyncio.Event = entered) -> None:
            async with locks.hold("/a"):
                entered.set()
                await settle()

        first = asyncio.create_task(holder())
        await entered.wait()
        second = asyncio.create_task(holder())
        for _ in range(moment + 6):
            await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        async with locks.hold("/a", wait=1):
            pass
        assert len(locks) == 0
