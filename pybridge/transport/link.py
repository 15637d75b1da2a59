"""One connection to a server, and the places its channels have there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.pulse import Pulse

USUAL_CHANNELS = 10
"""What OpenSSH allows unless configured (MaxSessions)."""


@dataclass(eq=False)
class Link:
    """One connection. `channels` counts those we hold, `abandoned` those of them that we have closed and the server has
    not; `limit` is what the server allowed when it last refused one, `most_held` what it has allowed at most."""

    connection: asyncssh.SSHClientConnection
    pulse: Pulse
    channels: int = 0
    limit: int | None = None
    limit_expires: float = 0.0
    most_held: int = 0
    refused_in_a_row: int = 0
    abandoned: int = 0
    abandoned_at: float = 0.0

    @property
    def alive(self) -> bool:
        """Whether the connection is up."""
        return not self.connection.is_closed() and getattr(self.connection, "_transport", self) is not None

    @property
    def silent(self) -> bool:
        """Whether the other side does not answer, though the connection is up."""
        return self.pulse.silent

    @property
    def known_limit(self) -> int | None:
        """How many channels the server allows here: what it last refused beyond, else what its kind usually does."""
        seen = None if self.limit is None else max(self.limit, self.most_held)
        version = str(self.connection.get_extra_info("server_version", ""))
        if "openssh" not in version.lower():
            return seen
        # It may seem to allow one more for a moment: it has closed a channel, and we have not heard of it.
        return USUAL_CHANNELS if seen is None else min(seen, USUAL_CHANNELS)

    def has_room(self, now: float, *, beyond_usual: bool = False, besides: int = 0) -> bool:
        """Whether a further channel is likely to be granted; `now` is the loop's time, `besides` stay free."""
        if self.limit is not None and now < self.limit_expires:
            return self.channels + besides < self.limit
        return beyond_usual or self.channels + besides < USUAL_CHANNELS


class Reservation:
    """One channel's place on a connection.

    Args:
        link: the connection.
        on_released: called once when the place is free again.

    `alone` is whether no other channel was held there when it was made.
    """

    def __init__(self, link: Link, on_released: Callable[[], None]) -> None:
        self._on_released = on_released
        self._state = "held"
        self.link = link
        self.alone = link.channels == 0
        link.channels += 1

    def granted(self) -> None:
        """The server has opened the channel."""
        self.link.refused_in_a_row = 0
        self.link.most_held = max(self.link.most_held, self.link.channels)

    def release(self) -> None:
        """The channel is entirely closed, or was never opened. Only the first call counts."""
        if self._state == "released":
            return
        self.link.abandoned -= self._state == "abandoned"
        self.link.channels -= 1
        self._state = "released"
        self._on_released()

    def abandon(self) -> None:
        """We have closed the channel; OpenSSH goes on counting it until its program has ended."""
        if self._state == "held":
            self._state = "abandoned"
            self.link.abandoned += 1
            self.link.abandoned_at = asyncio.get_running_loop().time()
