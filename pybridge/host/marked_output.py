"""A command's output, told from whatever a login script or the server printed before it began."""

from __future__ import annotations

import asyncio

from pybridge.errors import ConfigurationError, FileMissingError, FilePermissionError, NotDirectoryError
from pybridge.host.model import Command
from pybridge.transport.process import Stream

_LONGEST_LINE = 64
"""Bytes that may follow the marker up to the line's end: a process id and a word."""
_MOST_DIGITS = 10


class MarkedOutput:
    """Hands on the command's own output: what follows the marker on each stream.

    Args:
        command: whose `on_output` is told.
        marker: the line that `command_script` has printed on both streams before the command begins.
    """

    def __init__(self, command: Command, marker: str) -> None:
        self._command = command
        self._opening = b"\n" + marker.encode()
        self._before: dict[Stream, bytearray | None] = {Stream.STDOUT: bytearray(), Stream.STDERR: bytearray()}
        self.pid: int | None = None
        """Of the command's shell, once it is known."""
        self.process_started = "-"
        """Its start time in clock ticks since boot, "-" while or where that is not known."""
        self.started = asyncio.Event()
        """Set once the marker has come, or the streams have ended."""
        self._state = "none"

    def feed(self, stream: Stream, data: bytes) -> None:
        """A piece of what the channel brought."""
        before = self._before[stream]
        if before is None:
            self._command.on_output(stream, data)
            return
        before += data
        line = self._take_line(before)
        if line is None:
            return
        if stream is Stream.STDOUT:
            words = line.split()
            valid = len(words) in (2, 3) and words[0].isdigit() and len(words[0]) <= _MOST_DIGITS
            if valid and int(words[0]) > 0:
                self.pid = int(words[0])
                if len(words) == 3 and words[2].isdigit():
                    self.process_started = words[2].decode()
                self._state = words[1].decode("ascii", "replace")
            self.started.set()
        self._before[stream] = None
        if before:
            self._command.on_output(stream, bytes(before))

    def _take_line(self, before: bytearray) -> bytes | None:
        """What follows the marker on its line, taken away with all that comes before; None if it is not there yet."""
        while (at := before.find(self._opening)) >= 0:
            del before[:at]
            start = len(self._opening)
            end = before.find(b"\n", start, start + _LONGEST_LINE + 1)
            if end >= 0:
                line = bytes(before[start:end])
                del before[: end + 1]
                return line
            if len(before) - start <= _LONGEST_LINE:
                return None
            del before[:1]
        del before[: -len(self._opening) + 1]
        return None

    def end(self) -> None:
        """Both streams have ended."""
        self.started.set()

    def check(self, shell: str) -> None:
        """See that the command was begun.

        Args:
            shell: path of the shell it was meant for.

        Raises:
            FileMissingError, NotDirectoryError, FilePermissionError: its working folder cannot be used.
            ConfigurationError: there is no such shell. Nothing was run in any of these cases.
        """
        workdir = self._command.workdir
        match self._state:
            case "missing":
                raise FileMissingError(
                    f"The working folder {workdir} does not exist on the remote; nothing was run.", path=workdir
                )
            case "file":
                raise NotDirectoryError(f"{workdir} is a file, not a folder; nothing was run.", path=workdir)
            case "denied":
                raise FilePermissionError(f"The remote user may not enter {workdir}; nothing was run.", path=workdir)
            case "noshell":
                raise ConfigurationError(
                    f"The shell {shell} is not on the remote; nothing was run.",
                    next_step="Set REMOTE_SHELL to one that is there, or unset it.",
                )
