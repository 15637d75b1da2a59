"""SFTP sessions on the connections of a pool: kept open for the next borrower, and given up when they hang."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from pybridge.errors import ChannelError, ConnectionLostError
from pybridge.transport.asyncssh_quietly import asyncssh, constants
from pybridge.transport.connection_group import ConnectionGroup, Link, Reservation, SftpSession

_OPEN_SECONDS = 30.0
_MAX_SETBACKS = 3
"""Connections that were of no use, before one request for a session gives up."""
_REQUEST_FAILED = constants.OPEN_REQUEST_SESSION_FAILED


class SftpSessions:
    """Lends SFTP clients.

    Args:
        name: the target in words, for errors.
        links: the connections there are.
        acquire: a place on one of them, or on a new one.
    """

    def __init__(
        self,
        name: str,
        links: Callable[[], Iterable[Link]],
        acquire: Callable[[], Awaitable[tuple[ConnectionGroup, Reservation]]],
    ) -> None:
        self._name = name
        self._links = links
        self._acquire = acquire
        self._missing: ChannelError | None = None

    @contextlib.asynccontextmanager
    async def lend(self) -> AsyncIterator[asyncssh.SFTPClient]:
        """Lend a client.

        Raises:
            ChannelError: the server has no SFTP. Remembered.
            ConnectError: no connection could be made.
        """
        lent = await self._borrow()
        link = lent.place.link
        healthy = False
        try:
            yield lent.client
            healthy = True
        except (asyncssh.Error, OSError) as error:
            if not link.alive or isinstance(error, (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection)):
                raise ConnectionLostError(
                    f"The connection to {self._name} was lost during a file transfer.",
                    next_step="The next call connects again.",
                ) from error
            healthy = isinstance(error, asyncssh.SFTPError)  # An answer about one file; the session goes on.
            raise
        finally:
            if healthy and link.alive:
                link.idle_sftp.append(lent)
            else:
                lent.client.exit()
                lent.place.release()

    async def upload(self, path: str, content: bytes) -> None:
        """Fill a file that is there; see `Carrier.upload`."""
        name = path.encode("utf-8", "surrogateescape")
        try:
            async with self.lend() as client:
                file = await client.open(name, constants.FXF_WRITE, encoding=None)
                try:
                    await file.write(content)
                except asyncssh.SFTPError:
                    await file.close()
                    raise
                # Not after a deadline or a lost link: a server that does not answer a write answers no close either.
                await file.close()
        except asyncssh.SFTPError as error:
            raise ChannelError(f"SFTP could not write {path}: {error}.") from error

    async def _borrow(self) -> SftpSession:
        if self._missing is not None:
            raise self._missing
        for link in tuple(self._links()):
            if link.idle_sftp and await link.pulse.answers() and link.idle_sftp:
                return link.idle_sftp.pop()
        for _ in range(_MAX_SETBACKS):
            group, place = await self._acquire()
            link = place.link
            try:
                if not await link.pulse.answers():
                    place.release()
                    continue
                async with asyncio.timeout(_OPEN_SECONDS):
                    return SftpSession(await link.connection.start_sftp_client(), place)
            except TimeoutError as error:
                place.release()
                raise ChannelError(f"{self._name} did not answer the request for SFTP in time.") from error
            except (asyncssh.Error, OSError) as error:
                place.release()
                channel_refused = isinstance(error, asyncssh.ChannelOpenError) and error.code != _REQUEST_FAILED
                if link.alive and channel_refused:
                    group.refused(place)
                elif link.alive:
                    self._missing = ChannelError(f"{self._name} has no SFTP server.")
                    raise self._missing from error
            except BaseException:
                place.release()
                raise
        raise ConnectionLostError(f"No SFTP session could be opened on {self._name}.", next_step="Try again.")
