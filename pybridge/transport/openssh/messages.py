"""The messages of the SSH connection protocol that are used here, and their parts (RFC 4250, RFC 4251, RFC 4254)."""

from __future__ import annotations

import enum
import struct


class Kind(enum.IntEnum):
    """Message numbers (RFC 4250, section 4.1.2)."""

    GLOBAL_REQUEST = 80
    REQUEST_SUCCESS = 81
    REQUEST_FAILURE = 82
    OPEN = 90
    OPEN_CONFIRMATION = 91
    OPEN_FAILURE = 92
    WINDOW_ADJUST = 93
    DATA = 94
    EXTENDED_DATA = 95
    EOF = 96
    CLOSE = 97
    REQUEST = 98
    SUCCESS = 99
    FAILURE = 100


def uint32(number: int) -> bytes:
    """A number, as it is sent."""
    return struct.pack(">I", number)


def string(data: bytes) -> bytes:
    """A byte string, as it is sent: its length ahead."""
    return struct.pack(">I", len(data)) + data


class Parts:
    """Reads the parts of one message, one after the other.

    Raises:
        ValueError: from each method, when the message is too short.
    """

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._at = 0

    def byte(self) -> int:
        return self._take(1)[0]

    def number(self) -> int:
        return struct.unpack(">I", self._take(4))[0]

    def string(self) -> bytes:
        return self._take(self.number())

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._message):
            raise ValueError("the message ends too soon")
        taken = self._message[self._at : end]
        self._at = end
        return taken
