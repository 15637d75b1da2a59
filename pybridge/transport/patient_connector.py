"""Connects to a server that drops one, restarts or is away for a moment: again where that can help, not at once."""

from __future__ import annotations

import asyncio

from pybridge.errors import (
    AlgorithmError,
    AuthenticationError,
    ConnectError,
    ConnectionDroppedError,
    ConnectTimeoutError,
    HostKeyError,
    RemoteError,
)
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.backoff import Backoff
from pybridge.transport.connect import Connector

_DROPPED_TRIES = 3
_DROPPED_PAUSE_SECONDS = 0.5
_RECONNECT_SECONDS = 4.0
"""How long one call tries to connect again where nothing answers: a server that restarts is back by then."""

_NOT_BY_WAITING = (AuthenticationError, HostKeyError, AlgorithmError, ConnectTimeoutError)
"""Failures that a further attempt of the same call cannot mend; a timeout was long enough for it."""


class PatientConnector:
    """Opens connections with patience.

    Args:
        connector: makes one attempt.

    Attributes:
        connected_before: to be set once there has been a connection: the address is hardly wrong then.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._backoff = Backoff()
        self.connected_before = False

    async def open_first(self) -> asyncssh.SSHClientConnection:
        """Where there is no connection: with pauses after failures, and, if there was one, more than one attempt.

        Raises:
            RemoteError: as `Connector.open`.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            await self._backoff.wait()
            try:
                patiently = self.open if not self.connected_before else self._connector.open
                connection = await patiently()
            except RemoteError as error:
                self._backoff.failed()
                if not self.connected_before or not _may_pass(error):
                    raise
                if loop.time() - begun + self._backoff.pause > _RECONNECT_SECONDS:
                    raise _while_away(error) from error
            else:
                self._backoff.succeeded()
                return connection

    async def open(self) -> asyncssh.SSHClientConnection:
        """Connect; again if dropped before authentication (MaxStartups).

        Raises:
            RemoteError: as `Connector.open`.
        """
        for attempt in range(1, _DROPPED_TRIES):
            try:
                return await self._connector.open()
            except ConnectionDroppedError as error:
                if error.authenticating:
                    raise
                await asyncio.sleep(_DROPPED_PAUSE_SECONDS * attempt)
        return await self._connector.open()


def _may_pass(error: RemoteError) -> bool:
    if isinstance(error, ConnectionDroppedError) and error.authenticating:
        return False
    return isinstance(error, ConnectError) and not isinstance(error, _NOT_BY_WAITING)


def _while_away(error: RemoteError) -> RemoteError:
    """The same error, for a server that was there before: its address is hardly wrong."""
    steps = f"It was there before, so it may be restarting, or the network is away. {error.next_step or ''}".rstrip()
    return type(error)(error.message, next_step=f"{steps} The next call tries again.")
