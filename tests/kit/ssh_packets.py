"""Where the packets of an SSH connection end, found in its bytes as they go by."""

from __future__ import annotations

CIPHER = "aes128-gcm@openssh.com"
"""The cipher to insist on: it leaves the length of each packet in the clear."""

_NEWKEYS = 21
_TAG_BYTES = 16


class PacketMeter:
    """Measures one direction of one connection that uses `CIPHER`."""

    def __init__(self) -> None:
        self.position = 0
        """Bytes taken so far."""
        self._unread = bytearray()
        self._start = 0  # of what is unread, in the whole stream
        self._greeted = False
        self._encrypted = False

    def feed(self, data: bytes) -> list[int]:
        """Take what came next.

        Returns:
            The position behind each packet (the greeting counts as one) whose length is known since; it may lie ahead.
        """
        self.position += len(data)
        self._unread += data
        self._forget(0)
        ends = []
        while (length := self._next()) is not None:
            self._forget(length)
            if self._greeted:
                ends.append(self._start)
        return ends

    def _next(self) -> int | None:
        """The length of what stands next, or None while it is not known."""
        if self._start > self.position:
            return None
        if not self._greeted:
            end = self._unread.find(b"\n")
            if end < 0:
                return None
            self._greeted = self._unread.startswith(b"SSH-")
            return end + 1
        if len(self._unread) < 6:
            return None
        length = 4 + int.from_bytes(self._unread[:4], "big")
        if self._encrypted:
            return length + _TAG_BYTES
        self._encrypted = self._unread[5] == _NEWKEYS
        return length

    def _forget(self, length: int) -> None:
        """Go on behind the next `length` bytes, some of which may not have come yet."""
        self._start += length
        behind = len(self._unread) - (self.position - self._start)
        del self._unread[: max(0, behind)]
