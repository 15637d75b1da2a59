"""A few connections to one target, opened when needed, and the count of channels on each.

OpenSSH allows `MaxSessions` channels per connection (10 unless configured) and drops bursts of new connections
(`MaxStartups`). Neither makes a start fail: it goes to another connection, or waits for a channel to close.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from pybridge.errors import ConnectError, ConnectionLostError, RemoteError
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.link import USUAL_CHANNELS, Link, Reservation
from pybridge.transport.pulse import Pulse

LEFT_TO_OTHERS = 2
"""Channels of a connection that are not given to what can do without."""
_GROW_PAUSE_SECONDS = 30.0
_LIMIT_SECONDS = 3.0
"""How long a refusal counts: sessions of programs that outlive their channel come free without a word."""

_ABANDONED_SECONDS = 2.0
_REFUSALS_THAT_PROVE = 3
_LOOK_AGAIN_SECONDS = 1.0


class ConnectionGroup:
    """The connections of one role.

    Args:
        size: the most connections to hold.
        connect: opens one; it paces and retries by itself.
        on_lost: called when the last connection has gone or fallen silent.
        on_back: called when a silent one is heard again.
        keepalive_seconds: between the keep-alives of a connection; 0 for none.
        may_overlap: whether a connection may be begun while others are being made.
    """

    def __init__(
        self,
        size: int,
        connect: Callable[[], Awaitable[asyncssh.SSHClientConnection]],
        on_lost: Callable[[], None],
        on_back: Callable[[], None] = lambda: None,
        keepalive_seconds: float = 0,
        may_overlap: Callable[[], bool] = lambda: False,
    ) -> None:
        self._size = max(1, size)
        self._connect = connect
        self._on_lost = on_lost
        self._on_back = on_back
        self._keepalive_seconds = keepalive_seconds
        self._may_overlap = may_overlap
        self._links: list[Link] = []
        self._connecting: set[asyncio.Task[None]] = set()
        self._may_grow_at = 0.0
        self._failure: RemoteError | None = None
        self._generation = 0
        self._watchers: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False

    @property
    def links(self) -> list[Link]:
        """The connections that are up and answer."""
        self._drop_dead()
        return self._answering()

    @property
    def silent(self) -> bool:
        """Whether a connection is up and does not answer."""
        return any(link.silent and link.alive for link in self._links)

    @property
    def resting(self) -> bool:
        """Whether there is no connection, and the last attempt failed a short while ago."""
        return not self.links and self._failure is not None and self._now() < self._may_grow_at

    @property
    def crowded(self) -> bool:
        """Whether somebody waits for a channel to close, since no further connection is to be had."""
        return bool(self._waiting) and not self._connecting

    @property
    def places(self) -> int | None:
        """How many channels there can be at once, as far as is known; None where the server is known for no limit."""
        limits = [limit for link in self._links if (limit := link.known_limit) is not None]
        return max(limits) * self._size if limits else None

    @property
    def spare_places(self) -> int:
        """How many channels `acquire_spare` gives at most, as far as is known."""
        limits = [limit for link in self._links if (limit := link.known_limit) is not None]
        return sum(max(0, limit - LEFT_TO_OTHERS) for limit in limits)

    @property
    def full(self) -> bool:
        """Whether neither a channel is to be had now nor a further connection."""
        return len(self.links) >= self._size and not self._connecting and self._find_room() is None

    def begin(self) -> None:
        """Make the first connection in the background, if there is none and nothing speaks against it."""
        if not self._links and not self._connecting and not self._closed and self._now() >= self._may_grow_at:
            self._begin_connecting()

    async def acquire(self, *, reconnect: bool = True) -> Reservation:
        """Reserve a channel on a connection; release it when the channel is closed.

        Args:
            reconnect: whether to make a first connection where none is up or under way.

        Raises:
            RemoteError: there is no connection and none can be made.
        """
        generation = self._generation
        while True:
            if self._closed:
                raise ConnectionLostError("The connection was closed.")
            self._drop_dead()
            if self._failure is not None and not self._answering() and self._generation > generation:
                raise self._failure
            if not (reconnect or self._answering() or self._connecting):
                raise ConnectionLostError("There is no connection.", next_step="The next call connects again.")
            link = self._find_room() or self._grow_or_find_beyond()
            if link is not None:
                return Reservation(link, self.announce)
            await self._wait_for_change()

    def acquire_spare(self, *, besides: int = LEFT_TO_OTHERS) -> Reservation | None:
        """Reserve a channel for something that can do without: only one that is to be had now.

        Args:
            besides: so many must be left on its connection.
        """
        if self._closed or self._waiting:
            return None
        self._drop_dead()
        link = self._find_room()
        if link is None or not link.has_room(self._now(), besides=besides):
            return None
        return Reservation(link, self.announce)

    def refused(self, reservation: Reservation) -> bool:
        """The server refused this channel, which has been released: learn from it.

        Returns:
            Whether the refusal is explained by the other channels. If not, the connection is of no use and closed:
            what ran in channels closed long ago still counts there.
        """
        link = reservation.link
        if reservation.alone and link.channels == 0:
            # Once is no proof: sshd forgets a closed channel only after it has read what came along with our close.
            link.refused_in_a_row += 1
            if link.refused_in_a_row < _REFUSALS_THAT_PROVE:
                return True
            self._discard(link)
            return False
        link.limit = max(1, link.channels)
        link.limit_expires = self._now() + _LIMIT_SECONDS
        self.announce()
        return True

    def gone(self, link: Link) -> None:
        """A start found this connection to be dead, or silent: then what runs on it may yet be heard of."""
        if not link.silent:
            link.connection.abort()
        self.announce()

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        for connecting in self._connecting:
            connecting.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        links, self._links = self._links, []
        for link in links:
            link.pulse.close()
            link.connection.close()
        for link in links:
            with contextlib.suppress(TimeoutError, asyncssh.Error, OSError):
                await asyncio.wait_for(link.connection.wait_closed(), 2)
        self.announce()

    def _find_room(self) -> Link | None:
        """The connection with the fewest channels, if it has room."""
        roomy = [link for link in self._answering() if link.has_room(self._now())]
        return min(roomy, key=lambda link: link.channels) if roomy else None

    def _grow_or_find_beyond(self) -> Link | None:
        """Begin another connection if allowed; else try beyond the usual limit of a server that has not refused yet."""
        answering = self._answering()
        if self._connecting:
            if len(answering) + len(self._connecting) < self._size and self._more_are_needed():
                self._begin_connecting()
            return None
        if not answering or (len(answering) < self._size and self._now() >= self._may_grow_at):
            self._begin_connecting()
            return None
        untried = [link for link in answering if link.has_room(self._now(), beyond_usual=True)]
        if untried:
            return min(untried, key=lambda link: link.channels)
        self._discard_abandoned()
        return None

    def _more_are_needed(self) -> bool:
        """Whether those who wait are more than what is being connected can take, and it may be more."""
        limits = [limit for link in self._links if (limit := link.known_limit) is not None]
        # One more waits: whoever asks.
        enough = len(self._waiting) < len(self._connecting) * max(limits, default=USUAL_CHANNELS)
        return not enough and self._now() >= self._may_grow_at and self._may_overlap()

    def _begin_connecting(self) -> None:
        self._connecting.add(asyncio.create_task(self._add_link()))

    def _discard_abandoned(self) -> None:
        """Give up a connection on which nothing runs but programs that outlive their closed channels."""
        for link in self._links:
            if link.abandoned == link.channels > 0 and self._now() - link.abandoned_at > _ABANDONED_SECONDS:
                self._discard(link)
                return

    def _discard(self, link: Link) -> None:
        self._links = [known for known in self._links if known is not link]
        link.connection.close()
        self.announce()

    async def _add_link(self) -> None:
        try:
            connection = await self._connect()
        except Exception as error:
            # Also one that nobody thought of: those who wait must not try for ever.
            failure = error if isinstance(error, RemoteError) else ConnectError(f"Connecting failed: {error!r}.")
            self._failure = failure
            self._may_grow_at = self._now() + _GROW_PAUSE_SECONDS
        else:
            self._failure = None
            link = Link(connection, Pulse(connection, self._keepalive_seconds, self._pulse_changed))
            self._links.append(link)
            watcher = asyncio.create_task(self._watch(link))
            self._watchers.add(watcher)
            watcher.add_done_callback(self._watchers.discard)
        finally:
            self._connecting.discard(asyncio.current_task())  # type: ignore[arg-type]
            self._generation += 1
            self.announce()

    async def _watch(self, link: Link) -> None:
        await link.connection.wait_closed()
        link.pulse.close()
        self.announce()
        if link in self._links:
            self._drop_dead()

    def _drop_dead(self) -> None:
        before = len(self._answering())
        self._links = [link for link in self._links if link.alive]
        if before and not self._answering() and not self._closed:
            self._on_lost()

    def _pulse_changed(self) -> None:
        self.announce()
        if self._closed:
            return
        if self._answering():
            self._on_back()
        elif any(link.alive for link in self._links):
            self._on_lost()

    def _answering(self) -> list[Link]:
        return [link for link in self._links if not link.silent]

    def announce(self) -> None:
        """Wake those who wait for a channel."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def _wait_for_change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            async with asyncio.timeout(_LOOK_AGAIN_SECONDS):  # Abandoned channels become old without a word.
                await waiter
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(waiter)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
