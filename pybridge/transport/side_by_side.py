"""Connections that are made at the same time as others: a crowd of starts waits for one handshake, not for several.

Only where a connection of this pool was made before, with a key, and nobody was asked for it: what is sent then is that
key and nothing else, so no person sees two questions at once and no password is sent twice. The first attempt that does
not lead to a connection ends it for good: the server has no room for so many logins (MaxStartups), or wants more.
"""

from __future__ import annotations

import asyncio

from pybridge.errors import AuthenticationError, ConnectionDroppedError
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.connect import Connector


class SideBySide:
    """Makes connections beside others.

    Args:
        connector: makes one attempt.
        stagger_seconds: the pause the user wants between two connections; with one, none is made beside another.
    """

    def __init__(self, connector: Connector, stagger_seconds: float) -> None:
        self._connector = connector
        self._wanted = not stagger_seconds
        self._under_way = 0
        self._none_under_way = asyncio.Event()
        self._none_under_way.set()

    @property
    def allowed(self) -> bool:
        """Whether connections may be made at the same time."""
        return self._wanted and self._connector.asks_nobody

    async def open(self) -> asyncssh.SSHClientConnection | None:
        """Connect; None if it is to be tried again while no other attempt is under way.

        Raises:
            RemoteError: as `Connector.open`, where another attempt is of no use.
        """
        self._under_way += 1
        self._none_under_way.clear()
        try:
            return await self._connector.open(unattended=True)
        except (ConnectionDroppedError, AuthenticationError):
            self._wanted = False
            return None
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._none_under_way.set()

    async def over(self) -> None:
        """Wait until none is under way."""
        await self._none_under_way.wait()
