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
    """What one request printed, and its exit status."""

    stdout: bytes
    stderr: bytes
    status: int


@dataclass
class ReplyReader:
    """Collects one reply from pieces of the two streams.

    Args:
        marker: the request's marker.
        max_bytes: the most that is kept of either stream.
    """

    marker: str
    max_bytes: int
    _stdout: bytearray = field(default_factory=bytearray)
    _stderr: bytearray = field(default_factory=bytearray)
    _ends: dict[Stream, int] = field(default_factory=dict)
    _status: int = 0

    def feed(self, stream: Stream, data: bytes) -> bool:
        """Take a piece; true once both streams have seen the frame's end.

        Raises:
            ProtocolError: the reply is over its limit, or the end of a frame is malformed.
        """
        buffer = self._stdout if stream is Stream.STDOUT else self._stderr
        searched_from = max(0, len(buffer) - len(self.marker) - 16)
        buffer += data
        if stream not in self._ends:
            self._find_end(stream, buffer, searched_from)
        if len(buffer) > self.max_bytes:
            raise ProtocolError(f"the remote shell answered more than {self.max_bytes} bytes to one request")
        return len(self._ends) == 2

    def _find_end(self, stream: Stream, buffer: bytearray, searched_from: int) -> None:
        opening = b"\n" + self.marker.encode()
        at = buffer.find(opening, searched_from)
        if at < 0:
            return
        line_end = buffer.find(b"\n", at + len(opening))
        if line_end < 0:
            return
        rest = bytes(buffer[at + len(opening) : line_end])
        if stream is Stream.STDOUT:
            if not rest[1:].isdigit():
                raise ProtocolError("the remote shell ended a reply without an exit status")
            self._status = int(rest)
        self._ends[stream] = at

    def reply(self) -> Reply:
        """The whole reply, once `feed` said it is complete."""
        return Reply(
            bytes(self._stdout[: self._ends[Stream.STDOUT]]),
            bytes(self._stderr[: self._ends[Stream.STDERR]]),
            self._status,
        )
