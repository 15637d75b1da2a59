"""The framed protocol spoken to a persistent `sh`: pure text in, pure bytes out.

A request is one POSIX sh compound command. It runs in a subshell with /dev/null as standard input, so it can neither
change the shell it is sent to nor swallow the requests behind it. Each of the two output streams ends with a frame
whose marker is random and made after everything the request can print was decided, so no file's content and no hostile
output can forge it:

    stdout: ... LF MARKER SP STATUS LF
    stderr: ... LF MARKER LF
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from pybridge.errors import ProtocolError
from pybridge.transport.process import Stream

MARKER_BYTES = 16

_LONGEST_ENDING = 16
"""Bytes that may follow a marker up to the line's end: a space and an exit status."""

_ERRORS_KEPT = 64 * 1024
"""Bytes of standard error that are kept of its beginning, and of its end: it only ever explains a failure."""


def new_marker() -> str:
    """A marker nobody can guess: 32 hexadecimal digits."""
    return secrets.token_hex(MARKER_BYTES)


def quote(text: str) -> str:
    """`text` as one word of POSIX sh, whatever it holds.

    Raises:
        ValueError: it holds a NUL, which no argument can carry.
    """
    if "\0" in text:
        raise ValueError("a NUL byte cannot be part of a path or an argument")
    return "'" + text.replace("'", "'\\''") + "'"


def encode_text(text: str) -> bytes:
    """Bytes of a script: UTF-8, with the bytes of undecodable remote names restored."""
    return text.encode("utf-8", "surrogateescape")


def decode_text(data: bytes) -> str:
    """Text of remote bytes, keeping those that are not UTF-8 (surrogateescape)."""
    return data.decode("utf-8", "surrogateescape")


def encode_request(script: str, marker: str) -> bytes:
    """The bytes to send to the shell for one request."""
    return encode_text(
        f"(\n{script}\n) </dev/null\nprintf '\\n%s %d\\n' {marker} \"$?\"\nprintf '\\n%s\\n' {marker} >&2\n"
    )


@dataclass
class Reply:
    """What one request printed, and its exit status.

    Args:
        output: what came on standard output, in the buffer it was received in.
        stderr: the same of standard error.
        status: exit status of the request.
    """

    output: bytes | bytearray
    stderr: bytes
    status: int

    @property
    def stdout(self) -> bytes:
        """A copy of the output: for what is not large."""
        return bytes(self.output)


@dataclass
class ReplyReader:
    """Collects one reply from pieces of the two streams.

    Args:
        marker: the request's marker.
        max_bytes: the most that standard output may hold. Of a longer standard error the middle is dropped.
    """

    marker: str
    max_bytes: int
    _stdout: bytearray = field(default_factory=bytearray)
    _stderr: bytearray = field(default_factory=bytearray)
    _ends: dict[Stream, int] = field(default_factory=dict)
    _searched: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(Stream, 0))
    _status: int = 0

    def feed(self, stream: Stream, data: bytes) -> bool:
        """Take a piece; true once both streams have seen the frame's end.

        Raises:
            ProtocolError: the reply is over its limit, or the end of a frame is malformed.
        """
        buffer = self._stdout if stream is Stream.STDOUT else self._stderr
        if stream not in self._ends:
            buffer += data
            self._find_end(stream, buffer)
        if stream is Stream.STDOUT and len(buffer) > self.max_bytes:
            raise ProtocolError(f"the remote shell answered more than {self.max_bytes} bytes to one request")
        return len(self._ends) == 2

    def _find_end(self, stream: Stream, buffer: bytearray) -> None:
        opening = b"\n" + self.marker.encode()
        at = buffer.find(opening, self._searched[stream])
        if at < 0:
            self._searched[stream] = max(0, len(buffer) - len(opening) + 1)
            if stream is Stream.STDERR and len(buffer) > 4 * _ERRORS_KEPT:
                del buffer[_ERRORS_KEPT:-_ERRORS_KEPT]
                self._searched[stream] = len(buffer) - len(opening) + 1
            return
        self._searched[stream] = at
        start = at + len(opening)
        line_end = buffer.find(b"\n", start, start + _LONGEST_ENDING + 1)
        if line_end < 0 and len(buffer) - start <= _LONGEST_ENDING:
            return
        rest = bytes(buffer[start : max(line_end, start)])
        if stream is Stream.STDOUT:
            if rest[:1] != b" " or not rest[1:].isdigit():
                raise ProtocolError("the remote shell ended a reply without an exit status")
            self._status = int(rest)
        elif line_end < 0:
            raise ProtocolError("the remote shell ended its messages with more than a marker")
        self._ends[stream] = at
        del buffer[at:]

    def reply(self) -> Reply:
        """The whole reply, once `feed` said it is complete."""
        return Reply(self._stdout, bytes(self._stderr), self._status)
