"""One command of the user's while it runs on the remote."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pybridge.errors import ConnectionLostError, RemoteError
from pybridge.host.lost_commands import CommandProcess, LostCommands
from pybridge.host.marked_output import MarkedOutput
from pybridge.host.model import Command, CommandResult
from pybridge.host.sudo import Sudo
from pybridge.transport.process import ByteProcess, unless_silent

T = TypeVar("T")

_QUIET = 0.15
_DRAIN = 1.0
_STREAMS_AFTER_KILL = 2.0
_END = 10.0


async def _result_of(task: asyncio.Task[T]) -> T:
    return await task


class NothingRunError(ConnectionLostError):
    """The shell ended before it had read the command."""


class RunningCommand:
    """One command on its way: its streams, its end, and what may cut it short.

    Args:
        process: was sent the command.
        command: what it was.
        marker: what begins its output.
        shell: path of the shell that runs it.
        sudo: what it was given for sudo.
        end: ends its tree.
        lost: is told of it when it may run on unheard.
    """

    def __init__(
        self,
        process: ByteProcess,
        command: Command,
        marker: str,
        shell: str,
        sudo: Sudo | None,
        end: Callable[[int, asyncio.Event, Sudo | None], Awaitable[None]],
        lost: LostCommands,
    ) -> None:
        self._shell = shell
        self._sudo = sudo
        self._end_tree = end
        self._lost = lost
        self._process = process
        self._command = command
        self._output = MarkedOutput(command, marker)
        self._gone = asyncio.Event()
        self._last_piece = 0.0
        self._held = False

    async def finish(self) -> CommandResult:
        reading = asyncio.create_task(self._read())
        waits: list[asyncio.Task[object]] = [reading]
        aborting = None
        if self._command.abort is not None:
            aborting = asyncio.create_task(self._command.abort.wait())
            waits.append(aborting)
        try:
            done, _ = await asyncio.wait(waits, timeout=self._command.timeout, return_when=asyncio.FIRST_COMPLETED)
            if reading in done:
                reading.result()
                return self._result()
            aborted = aborting is not None and aborting in done
            try:
                await self._end(reading)
            except RemoteError:
                if not aborted:
                    raise
            if not aborted and self._output.pid is None and (not reading.done() or reading.exception() is not None):
                # Nothing was heard of it, so nothing was ended.
                raise ConnectionLostError(f"The remote did not answer within {self._command.timeout:g} s.")
            return CommandResult(None, None, timed_out=not aborted, aborted=aborted)
        except asyncio.CancelledError:
            with contextlib.suppress(RemoteError):
                await self._end(reading)
            raise
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def lost(self) -> CommandProcess | None:
        """The connection was lost: the command's process if it was started, remembered if it may still run."""
        if self._output.pid is None:
            return None
        process = CommandProcess(self._output.pid, self._output.process_started, self._sudo)
        if self._process.exit_status is None:
            self._lost.add(process)
        return process

    async def _read(self) -> None:
        try:
            streams = self._read_streams()
            harmless = self._command.harmless
            reading = asyncio.create_task(unless_silent(self._process, streams) if harmless else streams)
            exiting = asyncio.create_task(self._process.wait_exit())
            try:
                await asyncio.wait([reading, exiting], return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    # The shell has ended but a child of its holds the streams: what it wrote before is on its way.
                    await self._drain(reading)
                if reading.done():
                    reading.result()
                    # Streams that have ended say nothing of how it went: it may have closed them and go on, or the link
                    # was lost right behind them.
                    ending = _result_of(exiting)
                    await (unless_silent(self._process, ending) if harmless else ending)
            finally:
                for task in (reading, exiting):
                    task.cancel()
                await asyncio.gather(reading, exiting, return_exceptions=True)
        finally:
            self._gone.set()

    async def _read_streams(self) -> None:
        clock = asyncio.get_running_loop().time
        while (piece := await self._process.read()) is not None:
            self._output.feed(*piece)
            await self._room()
            self._last_piece = clock()
        self._output.end()

    async def _room(self) -> None:
        if self._command.room is None:
            return
        self._held = True
        try:
            await self._command.room()
        finally:
            self._held = False

    async def _drain(self, reading: asyncio.Task[None]) -> None:
        clock = asyncio.get_running_loop().time
        self._last_piece = clock()
        spent = 0.0
        while not reading.done() and clock() - self._last_piece < _QUIET and spent < _DRAIN:
            before, held = clock(), self._held
            await asyncio.wait([reading], timeout=_QUIET / 3)
            if held or self._held:
                self._last_piece = clock()  # it is the reader of the output that is slow
            else:
                spent += clock() - before

    async def _end(self, reading: asyncio.Task[None]) -> None:
        if self._output.pid is None and not reading.done():
            # Not even the process id has come: give it the time of a slow start.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STREAMS_AFTER_KILL):
                    await self._output.started.wait()
        if self._output.pid is not None:
            # A server that allows no further channel gives no way to say so: then the channel's end says it (guard).
            try:
                async with asyncio.timeout(_END):
                    await self._end_tree(self._output.pid, self._gone, self._sudo)
            except TimeoutError:
                if not self._gone.is_set():
                    self.lost()
            except RemoteError:
                self.lost()
                raise
        await asyncio.wait([reading], timeout=_STREAMS_AFTER_KILL)
        if reading.done() and (error := reading.exception()) is not None and not isinstance(error, ConnectionLostError):
            raise error

    def _result(self) -> CommandResult:
        self._output.check(self._shell)
        status = self._process.exit_status
        if status is None or (status.code is None and status.signal is None):
            if self._output.pid is None:
                raise NothingRunError("the remote shell ended before it took the command; nothing was run")
            return CommandResult(None, None)
        return CommandResult(status.code, status.signal)
