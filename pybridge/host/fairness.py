"""Who gets what there is little of: callers take turns, so that one that asks for much does not starve the others.

A caller is an OpenCode session: sub-agents are sessions of their own. Whoever carries out a call says whose it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Generic, TypeVar

T = TypeVar("T")

_caller: ContextVar[str] = ContextVar("pybridge_caller", default="")


def current_caller() -> str:
    """Whose call this is; empty for what belongs to none."""
    return _caller.get()


@contextlib.contextmanager
def on_behalf_of(caller: str) -> Iterator[None]:
    """What the body does, and the tasks it starts, is done for this caller."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


class FairQueue(Generic[T]):
    """Those who wait: first come, first served among those of one caller, and the callers in turn."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[asyncio.Future[T]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(waiters) for waiters in self._waiting.values())

    def join(self, caller: str) -> asyncio.Future[T]:
        """Wait in the queue; `leave` it when the wait is given up."""
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(waiter)
        return waiter

    async def served(self, caller: str, waiter: asyncio.Future[T], hand_back: Callable[[T], None]) -> T:
        """Wait until one's turn has come.

        Args:
            waiter: of `join`.
            hand_back: takes what this one was served in the very moment in which it was cancelled.
        """
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                hand_back(waiter.result())
            raise
        finally:
            self.leave(caller, waiter)

    def leave(self, caller: str, waiter: asyncio.Future[T]) -> None:
        """Wait no longer; nothing happens to one that was served."""
        waiters = self._waiting.get(caller, deque())
        if waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiting[caller]

    def pop(self, may_be_served: Callable[[str], bool] = lambda caller: True) -> tuple[str, asyncio.Future[T]] | None:
        """The next one to be served and its caller, no longer in the queue; None if there is none.

        Args:
            may_be_served: which callers are considered.
        """
        for caller in tuple(self._waiting):
            if not may_be_served(caller):
                continue
            waiters = self._waiting.pop(caller)
            found = None
            while waiters and found is None:
                waiter = waiters.popleft()
                found = None if waiter.done() else waiter  # it may have been cancelled just now
            if waiters:
                self._waiting[caller] = waiters  # behind the other callers
            if found is not None:
                return caller, found
        return None


class Places:
    """At most so many at once, and at most so many of one caller.

    Args:
        most: how many there are; None for any number. Asked each time.
        most_of_one: how many one caller may hold; None for any number. Asked each time.
    """

    def __init__(self, most: Callable[[], int | None], most_of_one: Callable[[], int | None]) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._held: Counter[str] = Counter()
        self._queue: FairQueue[None] = FairQueue()

    async def take(self, caller: str) -> None:
        """Hold a place, once there is one; `give_back` it for the same caller."""
        if self._is_free_for(caller):
            self._held[caller] += 1
            return
        # The place is held by the time this ends.
        await self._queue.served(caller, self._queue.join(caller), lambda _: self.give_back(caller))

    def give_back(self, caller: str) -> None:
        """Hold a place no longer."""
        self._held[caller] -= 1
        if self._held[caller] <= 0:
            del self._held[caller]
        while (following := self._queue.pop(self._is_free_for)) is not None:
            served, waiter = following
            self._held[served] += 1
            waiter.set_result(None)

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """A place of the current caller's for the body."""
        caller = current_caller()
        await self.take(caller)
        try:
            yield
        finally:
            self.give_back(caller)

    def _is_free_for(self, caller: str) -> bool:
        most = self._most()
        if most is not None and self._held.total() >= most:
            return False
        share = self._most_of_one()
        return share is None or self._held[caller] < share
