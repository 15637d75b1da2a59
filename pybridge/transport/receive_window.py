"""How much a channel may send before it is read: little at first, much once it proves to be a fast stream.

A stream moves one window per round trip at most, so a long link needs a large one. What a reader that stops leaves
unread is as large, so only few channels at a time have one: all of them together hold a bounded amount (law 9).
"""

from __future__ import annotations

import time
from typing import Any

FIRST_BYTES = 2 * 1024 * 1024
WIDE_BYTES = 16 * 1024 * 1024
MOST_WIDE = 2
"""Channels of this process that may have a wide window at a time."""

_PROVEN_BYTES = FIRST_BYTES // 2
"""A channel that has brought so much is a stream. asyncssh asks for more when half of a window is used up."""

_IDLE_SECONDS = 1.0
"""A channel that has brought nothing for so long, and holds nothing, gives its place to another one."""


class WidePlaces:
    """Who has a wide window now.

    Args:
        most: so many at most.
    """

    def __init__(self, most: int = MOST_WIDE) -> None:
        self._most = most
        self._holders: list[ReceiveWindow] = []

    def take(self, window: ReceiveWindow) -> bool:
        """Take a place, if there is one; whether there was."""
        if len(self._holders) >= self._most:
            idle = next((holder for holder in self._holders if holder.idle), None)
            if idle is None:
                return False
            idle.narrow()
        self._holders.append(window)
        return True

    def give_back(self, window: ReceiveWindow) -> None:
        """Give a place back."""
        self._holders.remove(window)


_PLACES = WidePlaces()


class ReceiveWindow:
    """The window of one channel.

    Args:
        places: where a wide one is asked for; those of the whole process unless given.
    """

    def __init__(self, places: WidePlaces = _PLACES) -> None:
        self._places = places
        self._channel: Any = None
        self._received = 0
        self._received_at = 0.0
        self._wide = False
        self.paused = False
        """Its reader has stopped: what comes is held."""

    @property
    def idle(self) -> bool:
        """Nothing has come for a while, and nothing is held."""
        return not self.paused and time.monotonic() - self._received_at > _IDLE_SECONDS

    def opened(self, channel: Any) -> None:
        """It is the window of this channel of asyncssh."""
        self._channel = channel

    def received(self, size: int) -> None:
        """So many bytes have come: widen when it is time to."""
        self._received_at = time.monotonic()
        if self._wide:
            return
        self._received += size
        if self._received >= _PROVEN_BYTES and self._places.take(self):
            self._wide = True
            # With the next packet asyncssh finds less than half of this left, and asks for the rest.
            self._channel._init_recv_window = WIDE_BYTES

    def narrow(self) -> None:
        """Give the place back. What the server may send already it may send; it is not asked for as much again."""
        if self._wide:
            self._wide = False
            self._received = 0
            self._channel._init_recv_window = FIRST_BYTES
            self._places.give_back(self)
