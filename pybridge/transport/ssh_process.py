"""A process on an SSH channel: exec with its first input in the same flight (RFC 4254, sections 5 and 6)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast

from pybridge.errors import ChannelError, ConnectionLostError
from pybridge.transport.asyncssh_quietly import asyncssh, constants
from pybridge.transport.output_queue import OutputQueue
from pybridge.transport.process import ExitStatus, Stream
from pybridge.transport.pulse import Pulse
from pybridge.transport.receive_window import FIRST_BYTES, ReceiveWindow

_MAX_PACKET = 64 * 1024
"""Bytes of a packet that the server may send: each costs us time of its own."""
_WRITE_PIECE = 256 * 1024
_LONGEST_SIGNAL = 40
_OPEN_SECONDS = 30.0
"""How long the server may take to answer a channel open or an exec request."""


class ChannelRefusedError(ChannelError):
    """The server opens no further channel on this connection (MaxSessions); another may do."""


class CommandRefusedError(ChannelError):
    """The server opened a channel and closed it again before it took the command: nothing was started."""


class ConnectionGoneError(ConnectionLostError):
    """The connection had ended before the command was sent: nothing happened on the remote."""


class SshProcess(asyncssh.SSHClientSession[bytes]):
    """A ByteProcess (see `process.py`) that is its own asyncssh session.

    Args:
        name: the target in words, for errors.
        stdin: first input, sent right behind the exec request.
        on_closed: called once when the channel is entirely closed.
        on_abandoned: called when we have closed the channel; the server may take its time.
        pulse: of the connection beneath it.
    """

    def __init__(
        self,
        name: str,
        stdin: bytes,
        on_closed: Callable[[], None],
        on_abandoned: Callable[[], None],
        pulse: Pulse | None = None,
    ) -> None:
        self._name = name
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
        self._lost = False
        self._closed = False

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
            if self._lost:
                raise self._lost_error()
            self._send(data[start : start + _WRITE_PIECE])

    def write_eof(self) -> None:
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.write_eof()

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
        if self._channel is not None and not self._closed:
            self._on_abandoned()
            self._channel.abort()

    # What a Linked process does.

    async def link_answers(self) -> bool:
        return not self._lost and (self._pulse is None or await self._pulse.answers())

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
            # right behind it, and the input does not wait a round trip for the reply. (OpenSSH's sshd opens a session
            # with a window of 0 and widens it with its reply to exec: there the input goes out a round trip later.)
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
        self._closed = True
        self._window.narrow()
        self._lost = exc is not None or self._connection_is_gone()
        if self._lost:
            self._output.end(self._lost_error())
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

    def _lost_error(self) -> ConnectionLostError:
        return ConnectionLostError(
            f"The connection to {self._name} was lost.",
            next_step="The next call connects again. What was running may or may not have been completed.",
        )

    def _set_exit(self, status: ExitStatus) -> None:
        if self._exit_status is None:
            self._exit_status = status
            self._exited.set()

    def _send_first(self) -> None:
        data, self._stdin = self._stdin, b""
        self._send(data)

    def _send(self, data: bytes) -> None:
        if self._channel is not None and not self._closed:
            with contextlib.suppress(OSError):
                self._channel.write(data)

    def _pause(self) -> None:
        self._window.paused = True
        if self._channel is not None:
            self._channel.pause_reading()

    def _resume(self) -> None:
        self._window.paused = False
        if self._channel is not None and not self._closed:
            self._channel.resume_reading()


async def start_ssh_process(
    connection: asyncssh.SSHClientConnection,
    name: str,
    command: str,
    stdin: bytes,
    on_closed: Callable[[], None],
    on_abandoned: Callable[[], None],
    pulse: Pulse | None = None,
) -> SshProcess:
    """Open a channel and start a command in it: two round trips. The first input travels with the request wherever
    the server's window allows it, which OpenSSH's does not: there it follows the server's reply.

    Args:
        name: the target in words, for errors.
        on_closed: called once when the channel no longer counts against the server's limit, also after an error.
        on_abandoned: called when we close the channel before the server does.
        pulse: of the connection.

    Raises:
        ChannelRefusedError: the server opens no more channels here.
        CommandRefusedError: it closed the channel before it took the command; another attempt may do.
        ChannelError: it opened one and refused to run the command in it, or did not answer in time.
        ConnectionGoneError: the connection had ended already, or does not answer; nothing was started.
        ConnectionLostError: the connection ended or fell silent while starting; the command may have run.
    """
    process = SshProcess(name, stdin, on_closed, on_abandoned, pulse)
    if not await _answers(pulse, on_closed):
        raise ConnectionGoneError(f"The connection to {name} does not answer. Nothing was sent.")
    opening = asyncio.ensure_future(_open(connection, process, command))
    silence = asyncio.ensure_future(process.link_falls_silent())
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            await asyncio.wait([opening, silence], return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            _let_go(opening, process, on_closed)
            raise process._lost_error()
        opening.result()
    except asyncio.CancelledError:
        _let_go(opening, process, on_closed)
        raise
    except TimeoutError as error:
        _let_go(opening, process, on_closed)
        raise ChannelError(
            f"{name} did not answer the request to start a command within {_OPEN_SECONDS:g} s.",
            next_step="The host may be overloaded. Try again.",
        ) from error
    except (asyncssh.Error, OSError) as error:
        if process._channel is None:
            on_closed()
        raise _describe_refusal(connection, process, name, error) from error
    finally:
        silence.cancel()
    return process


async def _answers(pulse: Pulse | None, on_closed: Callable[[], None]) -> bool:
    if pulse is None:
        return True
    answers = False
    try:
        answers = await pulse.answers()
    finally:
        if not answers:
            on_closed()
    return answers


async def _open(connection: asyncssh.SSHClientConnection, process: SshProcess, command: str) -> None:
    await connection.create_session(
        lambda: process, command, encoding=None, window=FIRST_BYTES, max_pktsize=_MAX_PACKET, request_pty=False
    )


def _let_go(opening: asyncio.Future[None], process: SshProcess, on_closed: Callable[[], None]) -> None:
    """Nobody waits for the channel any more: close it as soon as it is open, so that it does not stay on the server."""

    def finish(done: asyncio.Future[None]) -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and process._channel is None:
            on_closed()
        process.close()

    opening.add_done_callback(finish)


def _describe_refusal(
    connection: asyncssh.SSHClientConnection, process: SshProcess, name: str, error: Exception
) -> ChannelError | ConnectionLostError:
    if process._channel is None:
        refused = isinstance(error, asyncssh.ChannelOpenError) and error.reason != "SSH connection closed"
        if not refused or connection.is_closed():
            return ConnectionGoneError(f"The connection to {name} was lost before the command was sent.")
        return ChannelRefusedError(f"{name} refused to open another channel: {error}.")
    if process._lost or connection.is_closed():
        return process._lost_error()
    # A server answers requests in order, so a channel closed without an answer has not run the command.
    kind = CommandRefusedError if process._closed else ChannelError
    return kind(
        f"{name} opened a channel, but refused to run a command in it.",
        next_step="The account may be restricted (ForceCommand, SFTP only), or the host is out of processes.",
    )
