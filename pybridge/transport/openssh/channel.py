"""A process on a channel of a shared connection: exec, its streams and its end (RFC 4254, sections 5 and 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pybridge.errors import ConnectionLostError
from pybridge.transport.openssh.messages import Kind, string, uint32
from pybridge.transport.output_queue import OutputQueue
from pybridge.transport.process import ExitStatus, Stream

WINDOW = 2 * 1024 * 1024
"""Receive window in bytes: what may be under way per round trip, and what a paused reader holds at most."""
_UNSENT_LIMIT = 256 * 1024
_STDERR = 1


class Channel:
    """A ByteProcess (see `process.py`).

    Args:
        name: the target in words, for errors.
        number: the channel's number on our side.
        send: puts one message on the connection.
        drain: waits while the connection holds too much that is unsent.
        on_closed: called once when the server has closed the channel too, or the connection has ended.
    """

    def __init__(
        self,
        name: str,
        number: int,
        send: Callable[[bytes], None],
        drain: Callable[[], Awaitable[None]],
        on_closed: Callable[[], None],
    ) -> None:
        self._name = name
        self._send = send
        self._drain = drain
        self._on_closed = on_closed
        self.number = number
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._remote = 0
        self._remote_window = 0
        self._remote_packet = 0
        self._unsent = bytearray()
        self._eof_wanted = False
        self._eof_sent = False
        self._close_sent = False
        self._closed = False
        self._lost = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._output = OutputQueue(self._pause, self._resume)
        self._paused = False
        self._credit = 0
        self._exit_status: ExitStatus | None = None
        self._exited = asyncio.Event()

    # What a ByteProcess does.

    async def read(self) -> tuple[Stream, bytes] | None:
        return await self._output.get()

    async def write(self, data: bytes) -> None:
        """Send input. Input for a process that has closed its end is dropped, as its output will tell.

        Raises:
            ConnectionLostError: the connection has ended.
        """
        for start in range(0, len(data), _UNSENT_LIMIT):
            await self._writable.wait()
            if self._lost:
                raise self._lost_error()
            self.give(data[start : start + _UNSENT_LIMIT])
            await self._drain()

    def write_eof(self) -> None:
        self._eof_wanted = True
        self._flush()

    @property
    def exit_status(self) -> ExitStatus | None:
        return self._exit_status

    async def wait_exit(self) -> ExitStatus:
        await self._exited.wait()
        if self._exit_status is None:
            raise self._lost_error()
        return self._exit_status

    def close(self) -> None:
        self._output.discard()
        self._unsent.clear()
        self._writable.set()
        self._send_close()

    def give(self, data: bytes) -> None:
        """Take input to be sent as soon as the server's window allows it."""
        if self._close_sent or self._eof_wanted or self._closed:
            return
        self._unsent += data
        self._flush()

    # What the connection tells.

    def confirm(self, remote: int, window: int, packet: int) -> None:
        """The server has opened the channel."""
        self._remote, self._remote_window, self._remote_packet = remote, window, packet
        if not self.opened.done():
            self.opened.set_result(None)

    def request(self, kind: str, *, reply: bool, rest: bytes = b"") -> None:
        """Send a channel request."""
        message = bytes([Kind.REQUEST]) + uint32(self._remote) + string(kind.encode()) + bytes([reply]) + rest
        self._send(message)

    @property
    def is_open(self) -> bool:
        """Whether the server has opened it."""
        return self.opened.done() and not self.opened.cancelled() and self.opened.exception() is None

    def refuse_request(self) -> None:
        """Answer a request of the server's that is of no use here."""
        if not self._close_sent:
            self._send(bytes([Kind.FAILURE]) + uint32(self._remote))

    def widen(self, count: int) -> None:
        """The server's window has grown."""
        self._remote_window += count
        self._flush()

    def receive(self, data: bytes, stream_code: int = 0) -> None:
        """Output of the process."""
        self._credit += len(data)
        if stream_code in (0, _STDERR):
            self._output.put(Stream.STDERR if stream_code else Stream.STDOUT, data)
        if not self._paused:
            self._give_credit()

    def end_output(self) -> None:
        """No more output will come."""
        self._output.end()

    def exit(self, status: ExitStatus) -> None:
        """How the process ended."""
        if self._exit_status is None:
            self._exit_status = status
            self._exited.set()

    def answer(self, accepted: bool) -> None:
        """The server's answer to the exec request."""
        if not self.accepted.done():
            self.accepted.set_result(accepted)

    def end(self) -> None:
        """The server has closed the channel."""
        self._send_close()
        if not self._closed:
            self._closed = True
            self.answer(False)
            self._output.end()
            self.exit(ExitStatus())
            self._writable.set()
            self._on_closed()

    def lose(self) -> None:
        """The connection has ended."""
        if self._closed:
            return
        self._closed = self._lost = self._close_sent = True
        error = self._lost_error()
        for waited in (self.opened, self.accepted):
            if not waited.done():
                waited.set_exception(error)
                waited.exception()  # somebody may have stopped waiting
        self._output.end(error)
        self._exited.set()
        self._writable.set()
        self._on_closed()

    def _flush(self) -> None:
        if self._close_sent or not self.opened.done():
            return
        while self._unsent and self._remote_window:
            size = min(len(self._unsent), self._remote_window, self._remote_packet)
            self._send(bytes([Kind.DATA]) + uint32(self._remote) + string(bytes(self._unsent[:size])))
            del self._unsent[:size]
            self._remote_window -= size
        if self._eof_wanted and not self._unsent and not self._eof_sent:
            self._eof_sent = True
            self._send(bytes([Kind.EOF]) + uint32(self._remote))
        if len(self._unsent) < _UNSENT_LIMIT:
            self._writable.set()
        else:
            self._writable.clear()

    def _send_close(self) -> None:
        if not self._close_sent and self.is_open:
            self._close_sent = True
            self._send(bytes([Kind.CLOSE]) + uint32(self._remote))

    def _pause(self) -> None:
        self._paused = True

    def _resume(self) -> None:
        self._paused = False
        self._give_credit()

    def _give_credit(self) -> None:
        if self._credit >= WINDOW // 4 and not self._close_sent:
            self._send(bytes([Kind.WINDOW_ADJUST]) + uint32(self._remote) + uint32(self._credit))
            self._credit = 0

    def _lost_error(self) -> ConnectionLostError:
        return ConnectionLostError(
            f"The connection to {self._name} was lost.",
            next_step="The next call connects again. What was running may or may not have been completed.",
        )
