"""The seam of the transport room: a process with byte streams, and what can start one.

Everything above speaks to these two protocols only, so an SSH channel, `docker exec` or a local shell are alike.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from pybridge.errors import ConnectionLostError

T = TypeVar("T")


class Stream(enum.Enum):
    """Which of a process's two output streams a piece of output came from."""

    STDOUT = 1
    STDERR = 2


@dataclass(frozen=True)
class ExitStatus:
    """How a process ended: `code` for an exit, `signal` (a name without SIG) for a kill; neither if never said."""

    code: int | None = None
    signal: str | None = None


class ByteProcess(Protocol):
    """One process, local or remote, and its three byte streams."""

    async def read(self) -> tuple[Stream, bytes] | None:
        """The next piece of output, in order of arrival; None once both streams have ended.

        Unread output is bounded: the sender is made to wait (law 9).

        Raises:
            ConnectionLostError: the connection ended before the process did.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes to standard input, waiting while too much of it is unsent."""
        ...

    def write_eof(self) -> None:
        """End standard input."""
        ...

    @property
    def exit_status(self) -> ExitStatus | None:
        """How the process ended, as soon as that is known, even if its streams are still held open by a child."""
        ...

    async def wait_exit(self) -> ExitStatus:
        """Wait until the process has ended (its streams may still be open).

        Raises:
            ConnectionLostError: the connection ended first.
        """
        ...

    def close(self) -> None:
        """Let go of the process and its streams now. Kills a local process; a remote one sees its streams close."""
        ...


@runtime_checkable
class Linked(Protocol):
    """A process behind a link that may stop answering although nothing has ended."""

    async def link_answers(self) -> bool:
        """Whether the link may be used. Waits only where it is in doubt."""
        ...

    async def link_falls_silent(self) -> None:
        """Wait until the link does not answer; for ever if it does."""
        ...


async def may_be_used(process: ByteProcess) -> bool:
    """Whether a process that waits for work can still be reached. Waits only where that is in doubt."""
    return not isinstance(process, Linked) or await process.link_answers()


async def unless_silent(process: ByteProcess, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work` with a process, given up when its link falls silent: for what may be done again.

    Raises:
        ConnectionLostError: it fell silent.
    """
    if not isinstance(process, Linked):
        return await work
    working = asyncio.ensure_future(work)
    silence = asyncio.ensure_future(process.link_falls_silent())
    try:
        await asyncio.wait([working, silence], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ConnectionLostError("The connection does not answer any more.", next_step="Try again.")
        return working.result()
    finally:
        silence.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait([working])


class Carrier(Protocol):
    """Something that starts processes on one machine."""

    @property
    def opening_is_delicate(self) -> bool:
        """Processes must not be started at the moment another one ends, if that can be helped.

        dropbear (seen: 2022.83) closes a channel whose command has not been asked for yet when a command of another
        channel ends, and at worst fails an assertion of its own and drops the whole connection.
        """
        ...

    async def start(self, command: str, *, stdin: bytes = b"", reconnect: bool = True) -> ByteProcess:
        """Start `command` as the remote login shell would run it.

        Args:
            command: a command line for the remote's login shell (keep it to words every shell reads alike).
            stdin: first bytes of standard input, sent together with the start: no round trip of their own.
            reconnect: False for what nobody waits for: where the connection has been lost, it is not made again.

        Raises:
            ConnectError: no connection could be made.
            ConnectionLostError: the connection ended while starting, or had ended before and `reconnect` is False.
            ChannelError: the server refused.
        """
        ...

    async def start_transfer(self, command: str, *, stdin: bytes = b"", further: bool = False) -> ByteProcess:
        """As `start`, for a process that carries bulk: where there are connections for files, on one of them.

        Args:
            further: for one that helps another to be quicker. It is started only where there is room at once and
                others find some after it.

        Raises:
            ChannelError: it is a further one, and there is no room for it.
        """
        ...

    async def close(self) -> None:
        """Close every process and connection."""
        ...


@runtime_checkable
class Expecting(Protocol):
    """A carrier that can prepare for starts before it is known what is to be started."""

    def expect(self, count: int) -> None:
        """Say that so many starts will follow right after the next one. Nothing runs on the other side for that."""
        ...


@runtime_checkable
class Limited(Protocol):
    """A carrier whose other side allows only so many processes at once (MaxSessions of OpenSSH)."""

    @property
    def crowded(self) -> bool:
        """A start waits, and goes on only when a process of ours has ended."""
        ...

    @property
    def places(self) -> int | None:
        """How many processes there can be at once, as far as is known; None where no limit is known."""
        ...
