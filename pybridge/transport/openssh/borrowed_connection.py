"""Sessions on a shared connection that is the user's own (ControlMaster): it is used, and never ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from pybridge.errors import ChannelError
from pybridge.transport.openssh.borrowed_session import BorrowedSession, SessionRefusedError, Variables
from pybridge.transport.openssh.control_socket import hold
from pybridge.transport.openssh.shared_connection import ChannelRefusedError
from pybridge.transport.ssh_start import ConnectionGoneError

_OPEN_SECONDS = 30.0


class BorrowedConnection:
    """The user's shared connection. Made by `open`; the same face as `SharedConnection`."""

    def __init__(
        self,
        path: str,
        name: str,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        variables: Variables,
        forward_agent: bool,
    ) -> None:
        self._path = path
        self._name = name
        self._reader, self._writer = streams
        self._variables = variables
        self._forward_agent = forward_agent
        self._sessions: set[BorrowedSession] = set()
        self._count = 0
        self._on_change: Callable[[], None] = lambda: None
        self._watching = asyncio.create_task(self._watch())

    @classmethod
    async def open(
        cls, path: str, name: str, *, variables: Variables = (), forward_agent: bool = False
    ) -> BorrowedConnection:
        """Use the connection whose control socket is at `path`.

        Raises:
            ConnectionLostError: nothing answers there.
        """
        return cls(path, name, await hold(path), variables, forward_agent)

    @property
    def alive(self) -> bool:
        """Whether it can still be used."""
        return not self._reader.at_eof() and not self._writer.is_closing()

    @property
    def channels(self) -> int:
        """How many sessions of ours are open or being opened."""
        return self._count

    @property
    def granted(self) -> int:
        """How many of them the server has opened."""
        return sum(not session.ended for session in self._sessions)

    def tell(self, on_change: Callable[[], None]) -> None:
        """Have `on_change` called whenever a session has gone, or the connection."""
        self._on_change = on_change

    async def start(self, command: str, stdin: bytes) -> BorrowedSession:
        """Open a session and start a command in it.

        Raises:
            ChannelRefusedError: there are too many sessions.
            ChannelError: it did not answer in time.
            ConnectionGoneError: the connection has ended.
        """
        if not self.alive:
            raise self._gone_error()
        self._count += 1
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                session = await BorrowedSession.open(
                    self._path,
                    self._name,
                    command,
                    stdin,
                    variables=self._variables,
                    forward_agent=self._forward_agent,
                    on_closed=self._gone,
                    connection_lives=lambda: self.alive,
                )
        except SessionRefusedError as error:
            raise ChannelRefusedError(f"{self._name} refused to open another session: {error}.") from error
        except TimeoutError as error:
            raise ChannelError(f"{self._name} did not answer the request to start a command in time.") from error
        except (OSError, EOFError, ValueError) as error:
            raise self._gone_error() from error
        self._sessions.add(session)
        return session

    async def close(self) -> None:
        """End our sessions; the connection stays."""
        for session in tuple(self._sessions):
            session.lose()
        self._watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watching
        self._writer.close()

    def _gone_error(self) -> ConnectionGoneError:
        return ConnectionGoneError(f"The connection to {self._name} was lost before the command was sent.")

    def _gone(self) -> None:
        self._count -= 1
        self._sessions = {session for session in self._sessions if not session.ended}
        self._on_change()

    async def _watch(self) -> None:
        with contextlib.suppress(OSError):
            while await self._reader.read(4096):
                pass
        self._writer.close()
        self._on_change()
