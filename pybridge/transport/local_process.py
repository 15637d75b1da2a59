"""The carrier over a local command: `docker exec -i NAME sh -c`, or `sh -c` itself."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from typing import cast

from pybridge.errors import ChannelError, ConnectError
from pybridge.transport.output_queue import OutputQueue
from pybridge.transport.process import ByteProcess, ExitStatus, Stream

_KILL_WAIT_SECONDS = 2.0


class LocalCarrier:
    """Starts processes by a local program (implements `Carrier`).

    Args:
        prefix: the program and its arguments; the command line is added as the last one.
    """

    def __init__(self, prefix: Sequence[str]) -> None:
        self._prefix = tuple(prefix)
        self._processes: set[LocalProcess] = set()

    @property
    def opening_is_delicate(self) -> bool:
        return False

    async def start(self, command: str, *, stdin: bytes = b"", reconnect: bool = True) -> ByteProcess:
        """Start a command; see `Carrier.start`."""
        loop = asyncio.get_running_loop()
        try:
            _, process = await loop.subprocess_exec(LocalProcess, *self._prefix, command)
        except FileNotFoundError as error:
            raise ConnectError(
                f"The program {self._prefix[0]!r} is not installed here.", next_step="Install it, or add it to PATH."
            ) from error
        except OSError as error:
            raise ChannelError(f"{self._prefix[0]!r} could not be started: {error.strerror}.") from error
        self._processes = {known for known in self._processes if not known.ended}
        self._processes.add(process)
        process.send(stdin)
        return process

    async def start_transfer(self, command: str, *, stdin: bytes = b"", further: bool = False) -> ByteProcess:
        """Start a command; see `Carrier.start_transfer`. A pipe is as quick as several."""
        if further:
            raise ChannelError("A local command carries a file in one piece.")
        return await self.start(command, stdin=stdin)

    async def close(self) -> None:
        """Kill what still runs."""
        processes, self._processes = self._processes, set()
        for process in processes:
            process.close()
        for process in processes:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait_exit(), _KILL_WAIT_SECONDS)


class LocalProcess(asyncio.SubprocessProtocol):
    """A ByteProcess (see `process.py`) that is its own asyncio protocol."""

    def __init__(self) -> None:
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None
        self._output = OutputQueue(self._pause, self._resume)
        self._open_streams = {1, 2}
        self._exit_status: ExitStatus | None = None
        self._exited = asyncio.Event()
        self._closing = False
        self._writable = asyncio.Event()
        self._writable.set()

    # What a ByteProcess does.

    async def read(self) -> tuple[Stream, bytes] | None:
        return await self._output.get()

    async def write(self, data: bytes) -> None:
        await self._writable.wait()
        self.send(data)

    def write_eof(self) -> None:
        if self._stdin is not None:
            self._stdin.close()

    @property
    def exit_status(self) -> ExitStatus | None:
        return self._exit_status

    async def wait_exit(self) -> ExitStatus:
        await self._exited.wait()
        assert self._exit_status is not None
        return self._exit_status

    def close(self) -> None:
        self._output.discard()
        self._closing = True
        if self._transport is None:
            return
        if self._exit_status is None:
            # The transport is closed when the end has come: before, it would reap the process behind asyncio's back.
            with contextlib.suppress(ProcessLookupError):
                self._transport.kill()
        else:
            self._transport.close()

    @property
    def ended(self) -> bool:
        """Whether the process has ended and its streams too."""
        return self._exit_status is not None and not self._open_streams

    def send(self, data: bytes) -> None:
        """Give input to the pipe without waiting for room."""
        if data and self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write(data)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._output.put(Stream(fd), data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 0:
            self._stdin = None
            self._writable.set()
        self._open_streams.discard(fd)
        if not self._open_streams:
            self._output.end()

    def process_exited(self) -> None:
        code = self._transport.get_returncode() if self._transport is not None else None
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                self._exit_status = ExitStatus(signal=signal.Signals(-code).name.removeprefix("SIG"))
        if self._exit_status is None:
            self._exit_status = ExitStatus(code=code)
        self._exited.set()
        if self._closing and self._transport is not None:
            self._transport.close()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _pause(self) -> None:
        for transport in self._readers():
            transport.pause_reading()

    def _resume(self) -> None:
        for transport in self._readers():
            transport.resume_reading()

    def _readers(self) -> list[asyncio.ReadTransport]:
        if self._transport is None:
            return []
        found = (self._transport.get_pipe_transport(fd) for fd in self._open_streams)
        return [cast(asyncio.ReadTransport, transport) for transport in found if transport is not None]
