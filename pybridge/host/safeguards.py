"""What is asked for before remote files are changed: a record of what may be left behind, and a turn.

Both are kept on this machine by a room above; without one, nothing is recorded and nobody waits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Protocol

from pybridge.host.recovery import UnfinishedRequest


class Recorder(Protocol):
    """Records locally what a request may leave on the remote, before the request is made (law 2)."""

    def begin(self, request: UnfinishedRequest) -> None:
        """Record it."""
        ...

    def done(self, key: str) -> None:
        """Nothing of it remains."""
        ...

    def abandon(self, key: str) -> None:
        """Nobody waits for it any more: the next connection settles it."""
        ...

    def abandoned(self) -> list[UnfinishedRequest]:
        """The requests nobody waits for."""
        ...

    def is_pending(self, key: str) -> bool:
        """It is recorded, and not done."""
        ...


class NoRecords:
    def begin(self, request: UnfinishedRequest) -> None:
        return None

    def done(self, key: str) -> None:
        return None

    def abandon(self, key: str) -> None:
        return None

    def abandoned(self) -> list[UnfinishedRequest]:
        return []

    def is_pending(self, key: str) -> bool:
        return True


class TurnTaker(Protocol):
    """Lets one process at a time replace a file, among those that ask (law 3)."""

    def take(self, paths: Iterable[str]) -> contextlib.AbstractAsyncContextManager[None]:
        """Hold the turn of all `paths` for the body."""
        ...


class NoTurns:
    def take(self, paths: Iterable[str]) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()
