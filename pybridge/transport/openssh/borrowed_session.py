"""A process on a shared connection that is the user's own: the ssh process reads and writes our pipes (PROTOCOL.mux).

This is how `ssh -S` itself does it. The way of `shared_connection` is quicker and knows signals by name, but a channel
the server refused makes the ssh process (seen: OpenSSH 9.2, "no remote_id") end itself when its user leaves; that must
not happen to sessions of the user's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import cast

from pybridge.errors import ConnectionLostError
from pybridge.transport.openssh.messages import Parts, string, uint32
from pybridge.transport.output_queue import OutputQueue
from pybridge.transport.process import ExitStatus, Stream

_HELLO = 0x00000001
_VERSION = 4
_NEW_SESSION = 0x10000002
_EXIT_MESSAGE = 0x80000004
_SESSION_OPENED = 0x80000006
_REQUEST = 1
_NO_ESCAPE = 0xFFFFFFFF
_LARGEST = 256 * 1024
_PIECE = 256 * 1024

Variables = Sequence[tuple[str, str]]


class SessionRefusedError(Exception):
    """The ssh process, or the server behind it, opens no session now; the text says why."""


class BorrowedSession:
    """A ByteProcess (see `process.py`). Made by `open`.

    Args:
        name: the target in words, for errors.
        control: our connection to the ssh process.
        on_closed: called once when the session has ended.
    """

    def __init__(self, name: str, control: socket.socket, on_closed: Callable[[], None]) -> None:
        self._name = name
        self._control = control
        self._on_closed = on_closed
        self._output = OutputQueue(self._pause, self._resume)
        self._readers: dict[Stream, asyncio.ReadTransport] = {}
        self._stdin: asyncio.WriteTransport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._exit_status: ExitStatus | None = None
        self._lost = False
        self._ended = False
        self._exited = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        path: str,
        name: str,
        command: str,
        stdin: bytes,
        *,
        variables: Variables,
        forward_agent: bool,
        on_closed: Callable[[], None],
        connection_lives: Callable[[], bool],
    ) -> BorrowedSession:
        """Open a session and start a command in it.

        Args:
            path: of the control socket.
            variables: environment asked for.
            connection_lives: whether the shared connection is still there when the session ends without a word.

        Raises:
            SessionRefusedError: there are too many, or it is not allowed.
            OSError, EOFError, ValueError: the ssh process does not answer.
        """
        loop = asyncio.get_running_loop()
        control = socket.socket(socket.AF_UNIX)
        control.setblocking(False)
        session = cls(name, control, on_closed)
        try:
            await loop.sock_connect(control, path)
            await _send(control, uint32(_HELLO) + uint32(_VERSION))
            await _receive(control)
            flags = bytes([0, 0, forward_agent, 0])
            pairs = [f"{key}={value}".encode("utf-8", "surrogateescape") for key, value in variables]
            request = uint32(_NEW_SESSION) + uint32(_REQUEST) + string(b"") + _wide(flags) + uint32(_NO_ESCAPE)
            request += string(b"") + string(command.encode("utf-8", "surrogateescape"))
            await _send(control, request + b"".join(map(string, pairs)))
            await session._pass_pipes()
            answer = Parts(await _receive(control))
            kind = answer.number()
            if kind != _SESSION_OPENED:
                answer.number()
                raise SessionRefusedError(answer.string().decode("utf-8", "replace"))
        except BaseException:
            session._abandon()
            raise
        session._watching = asyncio.create_task(session._watch(connection_lives))
        session._give(stdin)
        return session

    # What a ByteProcess does.

    async def read(self) -> tuple[Stream, bytes] | None:
        return await self._output.get()

    async def write(self, data: bytes) -> None:
        """Send input. Input for a process that has closed its end is dropped, as its output will tell.

        Raises:
            ConnectionLostError: the connection has ended.
        """
        for start in range(0, len(data), _PIECE):
            await self._writable.wait()
            if self._lost:
                raise self._lost_error()
            self._give(data[start : start + _PIECE])

    def write_eof(self) -> None:
        if self._stdin is not None:
            self._stdin.close()

    @property
    def exit_status(self) -> ExitStatus | None:
        return self._exit_status

    async def wait_exit(self) -> ExitStatus:
        await self._exited.wait()
        if self._exit_status is None:
            raise self._lost_error()
        return self._exit_status

    def lose(self) -> None:
        """The connection is given up."""
        self._lost = self._exit_status is None
        self._output.end(self._lost_error() if self._lost else None)
        self.close()

    @property
    def ended(self) -> bool:
        """Whether it holds nothing on the connection any more."""
        return self._ended

    def close(self) -> None:
        self._output.discard()
        if self._watching is not None:
            self._watching.cancel()
        self._abandon()

    # What happens to it.

    async def _pass_pipes(self) -> None:
        """Give the ssh process its ends of three pipes, each with a byte of its own, and keep ours."""
        loop = asyncio.get_running_loop()
        theirs: list[int] = []
        try:
            reading, writing = os.pipe()
            theirs.append(reading)
            transport, _ = await loop.connect_write_pipe(lambda: _Input(self), os.fdopen(writing, "wb", 0))
            self._stdin = cast(asyncio.WriteTransport, transport)
            for stream in (Stream.STDOUT, Stream.STDERR):
                reading, writing = os.pipe()
                theirs.append(writing)
                made = await loop.connect_read_pipe(lambda s=stream: _Output(self, s), os.fdopen(reading, "rb", 0))
                self._readers[stream] = cast(asyncio.ReadTransport, made[0])
            for descriptor in theirs:
                await _writable(self._control)
                socket.send_fds(self._control, [b"\0"], [descriptor])
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    async def _watch(self, connection_lives: Callable[[], bool]) -> None:
        try:
            while True:
                message = Parts(await _receive(self._control))
                if message.number() == _EXIT_MESSAGE:
                    message.number()
                    self._exit_status = ExitStatus(code=message.number())
                    self._exited.set()
        except (OSError, EOFError, ValueError):
            pass
        await asyncio.sleep(0)  # that the whole connection has gone is seen in the same round of the loop
        self._lost = self._exit_status is None and not connection_lives()
        if self._exit_status is None and not self._lost:
            self._exit_status = ExitStatus()  # a signal is not told on this way
        if self._lost and not self._readers:
            self._output.end(self._lost_error())
        self._end()

    def _give(self, data: bytes) -> None:
        if data and self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write(data)

    def _received(self, stream: Stream, data: bytes) -> None:
        self._output.put(stream, data)

    def _stream_ended(self, stream: Stream) -> None:
        self._readers.pop(stream, None)
        if not self._readers:
            asyncio.get_running_loop().create_task(self._end_output())

    async def _end_output(self) -> None:
        """Both streams have ended: naturally, or with the connection, which the control socket tells."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await self._exited.wait()
        self._output.end(self._lost_error() if self._lost else None)

    def _abandon(self) -> None:
        for reader in tuple(self._readers.values()):
            reader.close()
        if self._stdin is not None:
            self._stdin.abort()
        if self._exit_status is None and not self._lost:
            self._exit_status = ExitStatus()
        self._end()

    def _end(self) -> None:
        if self._control.fileno() >= 0:
            # A `sock_recv` that is being cancelled would otherwise stop the reading of whatever gets this number next.
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
        self._exited.set()
        self._writable.set()
        if not self._ended:
            self._ended = True
            self._on_closed()

    def _pause(self) -> None:
        for reader in self._readers.values():
            reader.pause_reading()

    def _resume(self) -> None:
        for reader in self._readers.values():
            reader.resume_reading()

    def _lost_error(self) -> ConnectionLostError:
        return ConnectionLostError(
            f"The connection to {self._name} was lost.",
            next_step="The next call connects again. What was running may or may not have been completed.",
        )


class _Output(asyncio.Protocol):
    def __init__(self, session: BorrowedSession, stream: Stream) -> None:
        self._session = session
        self._stream = stream

    def data_received(self, data: bytes) -> None:
        self._session._received(self._stream, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._session._stream_ended(self._stream)


class _Input(asyncio.BaseProtocol):
    def __init__(self, session: BorrowedSession) -> None:
        self._session = session

    def pause_writing(self) -> None:
        self._session._writable.clear()

    def resume_writing(self) -> None:
        self._session._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._session._stdin = None
        self._session._writable.set()


def _wide(flags: bytes) -> bytes:
    """Flags as this protocol has them: each a number of four bytes."""
    return b"".join(map(uint32, flags))


async def _send(control: socket.socket, message: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(control, uint32(len(message)) + message)


async def _receive(control: socket.socket) -> bytes:
    (length,) = struct.unpack(">I", await _exactly(control, 4))
    if length > _LARGEST:
        raise ValueError("it is no control socket")
    return await _exactly(control, length)


async def _exactly(control: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = await asyncio.get_running_loop().sock_recv(control, count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


async def _writable(control: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(control, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_writer(control)
