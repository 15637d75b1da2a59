"""Persistent `sh` processes that answer small requests in one round trip each.

They live only in the remote's memory and end with the connection. A shell whose reply cannot be trusted any more (a
timeout, a cancelled wait, a malformed frame) is thrown away, never used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from pybridge.errors import ConnectionLostError, RemoteTimeoutError
from pybridge.host.framing import Reply, ReplyReader, encode_request, encode_text, new_marker
from pybridge.host.login_shell import (
    START_COMMAND,
    LoginNoise,
    ended_without_shell,
    no_posix_shell,
    timed_out_without_shell,
)
from pybridge.host.shell_carrier import ShellCarrier
from pybridge.transport.process import ByteProcess, Stream, may_be_used, unless_silent

DEFAULT_TIMEOUT = 30.0
MAX_REPLY_BYTES = 96 * 1024 * 1024
MAX_FIRST_BYTES = 4 * 1024 * 1024
"""Of the first reply, which holds no file."""
_LONGEST_WORD = 64
_MOST_EXIT = 128
"""A status above this means that a signal ended the request."""


@dataclass(frozen=True)
class ShellIdentity:
    """Which process a control shell is, so that a later connection can tell whether it still lives.

    Args:
        pid: its process id on the remote.
        started: its start time in clock ticks since boot, "-" where /proc does not tell.
        boot_id: the kernel's boot id, "-" where there is none.
    """

    pid: int
    started: str
    boot_id: str


class ControlShell:
    """One persistent `sh`, answering one request at a time."""

    def __init__(self, process: ByteProcess, identity: ShellIdentity) -> None:
        self._process = process
        self.identity = identity
        self.usable = True
        self.is_kept = False
        """Its borrower goes on with it after giving it back, and closes it."""

    @classmethod
    async def start(
        cls,
        carrier: ShellCarrier,
        prelude: str,
        first: str,
        timeout: float,
        *,
        wanted: Callable[[], bool] = lambda: True,
    ) -> tuple[ControlShell, Reply]:
        """Start a shell, define `prelude` in it and make a first request, all in one flight.

        Whatever login scripts print before is dropped.

        Args:
            carrier: where to start it.
            prelude: function definitions, `pb_identity` among them.
            first: the first request's script.
            timeout: seconds for the whole.
            wanted: whether somebody waits for it; else no connection is made for it, and no room.

        Raises:
            ConnectError, ConnectionLostError, ChannelError: it could not be started.
            NoShellError: what answers is no POSIX shell.
            ProtocolError: it answers out of order.
            RemoteTimeoutError: nothing answered in time.
        """
        marker = new_marker()
        begin = new_marker()
        # A start-up file that reads a line from standard input gets the empty one.
        hello = f"\nLC_ALL=C; export LC_ALL\n{prelude}\nprintf '\\n%s\\n' {begin}; printf '\\n%s\\n' {begin} >&2\n"
        stdin = encode_text(hello) + encode_request(f"pb_identity\n{first}", marker)
        process = await carrier.start(START_COMMAND, stdin=stdin, reconnect=wanted(), wanted=wanted)
        try:
            reply = await unless_silent(process, _collect_first(process, begin, marker, timeout))
            identity_line, _, rest = reply.stdout.partition(b"\n")
            words = identity_line.decode("ascii", "replace").split()
            if len(words) != 3 or not words[0].isdigit() or max(map(len, words)) > _LONGEST_WORD:
                raise no_posix_shell()
        except BaseException:
            process.close()
            raise
        identity = ShellIdentity(int(words[0]), words[1], words[2])
        return cls(process, identity), Reply(rest, reply.stderr, reply.status)

    async def answers(self) -> bool:
        """Whether it can still be reached. Waits only where that is in doubt."""
        return await may_be_used(self._process)

    async def request(self, script: str, *, timeout: float = DEFAULT_TIMEOUT, harmless: bool = False) -> Reply:
        """Run `script` in a subshell and wait for its frame.

        Args:
            script: POSIX sh.
            timeout: seconds.
            harmless: it changes nothing, so it is given up as soon as the link is found not to answer.

        Raises:
            ConnectionLostError: the shell or its connection ended before the reply was whole.
            ProtocolError: the reply is malformed or over `MAX_REPLY_BYTES`.
            RemoteTimeoutError: no whole reply in `timeout` seconds.
        """
        self.usable = False  # until a whole reply has come, also when this wait is cancelled
        exchange = self._exchange(script, timeout)
        reply = await (unless_silent(self._process, exchange) if harmless else exchange)
        # Where a signal has ended the request, what it had started may go on, and write into the next reply.
        self.usable = reply.status <= _MOST_EXIT
        return reply

    async def _exchange(self, script: str, timeout: float) -> Reply:
        marker = new_marker()
        collecting = asyncio.create_task(_collect(self._process, marker, timeout))
        try:
            async with asyncio.timeout(timeout):
                await self._process.write(encode_request(script, marker))
            return await collecting
        except TimeoutError:
            raise _timed_out(timeout) from None
        finally:
            collecting.cancel()

    def close(self) -> None:
        """Let go of the shell; it ends when its standard input does."""
        self.usable = False
        self._process.close()


async def _collect(process: ByteProcess, marker: str, timeout: float) -> Reply:
    reader = ReplyReader(marker, MAX_REPLY_BYTES)
    try:
        async with asyncio.timeout(timeout):
            while (piece := await process.read()) is not None:
                if reader.feed(*piece):
                    return reader.reply()
    except TimeoutError:
        raise _timed_out(timeout) from None
    raise ConnectionLostError("the remote shell ended before it had answered")


async def _collect_first(process: ByteProcess, begin: str, marker: str, timeout: float) -> Reply:
    """The first reply of a shell, less what was printed before `begin`: where none comes, that says why."""
    reader = ReplyReader(marker, MAX_FIRST_BYTES)
    before = {stream: LoginNoise(begin) for stream in Stream}
    try:
        async with asyncio.timeout(timeout):
            while (piece := await process.read()) is not None:
                stream, data = piece
                if reader.feed(stream, before[stream].take(data)):
                    return reader.reply()
            status = await process.wait_exit()
    except TimeoutError:
        raise timed_out_without_shell(timeout, before.values()) from None
    raise ended_without_shell(status, before.values())


def _timed_out(timeout: float) -> RemoteTimeoutError:
    return RemoteTimeoutError(
        f"the remote did not answer within {timeout:g} s",
        next_step="The link or the machine may be overloaded; the next call tries again.",
    )
