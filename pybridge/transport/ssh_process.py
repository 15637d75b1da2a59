"""A process on an SSH channel (RFC 4254, sections 5 and 6)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast

from pybridge.errors import ConnectionLostError
from pybridge.transport.asyncssh_quietly import asyncssh, constants
from pybridge.transport.early_input import lend_window
from pybridge.transport.output_queue import OutputQueue
from pybridge.transport.process import ExitStatus, Stream
from pybridge.transport.pulse import Pulse
from pybridge.transport.receive_window import ReceiveWindow

_WRITE_PIECE = 256 * 1024
_LONGEST_SIGNAL = 40


class SshProcess(asyncssh.SSHClientSession[bytes]):
    """A ByteProcess (see `process.py`) that is its own asyncssh session.

    Args:
        name: the target in words, for errors.
        stdin: first input, sent right behind the exec request.
        on_closed: called once when the channel is entirely closed.
        on_abandoned: called when we have closed the channel; the server may take its time.
        pulse: of the connection beneath it.

    Attributes:
        name: the target in words.
        closed: the channel is entirely closed.
        lost: it was the connection that ended.
    """

    def __init__(
        self,
        name: str,
        stdin: bytes,
        on_closed: Callable[[], None],
        on_abandoned: Callable[[], None],
        pulse: Pulse | None = None,
    ) -> None:
        self.name = name
        self._pulse = pulse
        self._stdin = stdin
        self._on_closed: Callable[[], None] | None = on_closed
        self._on_abandoned = on_abandoned
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._connection: asyncssh.SSHClientConnection | None = None
        self._output = OutputQueue(self._pause, self._resume)
        self._window = ReceiveWindow()
        self._exit_status: ExitStatus | None = None
        self._exited = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.lost = False
        self.closed = False

    # What a ByteProcess does.

    async def read(self) -> tuple[Stream, bytes] | None:
        return await self._output.get()

    async def write(self, data: bytes) -> None:
        """Send input. Input for a process that has closed its end is dropped, as its output will tell.

        Raises:
            ConnectionLostError: the connection has ended.
        """
        for start in range(0, len(data), _WRITE_PIECE):
            await self._writable.wait()
            if self.lost:
                raise self.lost_error()
            self._send(data[start : start + _WRITE_PIECE])

    def write_eof(self) -> None:
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.write_eof()

    @property
    def was_opened(self) -> bool:
        """Whether the server has opened the channel."""
        return self._channel is not None

    @property
    def exit_status(self) -> ExitStatus | None:
        return self._exit_status

    async def wait_exit(self) -> ExitStatus:
        await self._exited.wait()
        if self._exit_status is None:
            raise self.lost_error()
        return self._exit_status

    def close(self) -> None:
        self._output.discard()
        if self._channel is not None and not self.closed:
            self._on_abandoned()
            self._channel.abort()

    # What a Linked process does.

    async def link_answers(self) -> bool:
        return not self.lost and (self._pulse is None or await self._pulse.answers())

    async def link_falls_silent(self) -> None:
        if self._pulse is None:
            await asyncio.get_running_loop().create_future()
        else:
            await self._pulse.fall_silent()

    # What asyncssh calls.

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan
        self._window.opened(chan)
        self._connection = cast(asyncssh.SSHClientConnection, chan.get_connection())
        if self._stdin:
            # asyncssh sends the exec request after this call and before it next yields to the loop. So this runs
            # right behind it, and the input does not wait a round trip for the reply.
            asyncio.get_running_loop().call_soon(self._send_first)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._window.received(len(data))
        self._output.put(Stream.STDERR if datatype == constants.EXTENDED_DATA_STDERR else Stream.STDOUT, data)

    def eof_received(self) -> bool:
        self._output.end()
        return True  # Standard input stays open.

    def exit_status_received(self, status: int) -> None:
        self._set_exit(ExitStatus(code=status))

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        name = "".join(c for c in signal.removeprefix("SIG") if c.isprintable())  # the server's own words, shown
        self._set_exit(ExitStatus(signal=name[:_LONGEST_SIGNAL]))

    def connection_lost(self, exc: Exception | None) -> None:
        # asyncssh calls this for the end of a channel as well as for that of the connection beneath it.
        self.closed = True
        self._window.narrow()
        self.lost = exc is not None or self._connection_is_gone()
        if self.lost:
            self._output.end(self.lost_error())
        else:
            self._output.end()
            self._set_exit(ExitStatus())
        self._exited.set()
        self._writable.set()
        callback, self._on_closed = self._on_closed, None
        if callback is not None:
            callback()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _connection_is_gone(self) -> bool:
        # While asyncssh takes a connection down it has no transport any more, but is not "closed" yet.
        connection = self._connection
        return connection is None or connection.is_closed() or getattr(connection, "_transport", connection) is None

    def lost_error(self) -> ConnectionLostError:
        """What is said when the link has ended beneath it."""
        return ConnectionLostError(
            f"The connection to {self.name} was lost.",
            next_step="The next call connects again. What was running may or may not have been completed.",
        )

    def _set_exit(self, status: ExitStatus) -> None:
        if self._exit_status is None:
            self._exit_status = status
            self._exited.set()

    def _send_first(self) -> None:
        data, self._stdin = self._stdin, b""
        if data and self._channel is not None and not self.closed:
            lend_window(self._channel, len(data))
        self._send(data)

    def _send(self, data: bytes) -> None:
        if self._channel is not None and not self.closed:
            with contextlib.suppress(OSError):
                self._channel.write(data)

    def _pause(self) -> None:
        self._window.paused = True
        if self._channel is not None:
            self._channel.pause_reading()

    def _resume(self) -> None:
        self._window.paused = False
        if self._channel is not None and not self.closed:
            self._channel.resume_reading()
