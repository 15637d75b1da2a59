"""The checksums a remote may have, computed here: what is received or sent is compared with what lies there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from pybridge.host.model import FileVersion


@dataclass(frozen=True)
class Program:
    """A program of the remote that prints the checksum of its standard input as its first word.

    Args:
        command: how it is called.
        algorithm: sha256, md5 or cksum.
    """

    command: str
    algorithm: str


PROGRAMS = {
    "sha256sum": Program("sha256sum", "sha256"),
    "shasum": Program("shasum -a 256", "sha256"),
    "openssl": Program("openssl dgst -sha256 -r", "sha256"),
    "md5sum": Program("md5sum", "md5"),
    "md5": Program("md5 -q", "md5"),
    "cksum": Program("cksum", "cksum"),
}
"""By the name that the probe reports."""


def version_of(content: bytes, algorithm: str) -> FileVersion:
    """The version a file with this content has.

    Args:
        algorithm: sha256, md5 or cksum.
    """
    if algorithm == "cksum":
        digest = str(posix_cksum(content))
    else:
        digest = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
    return FileVersion(f"{algorithm}:{digest}", len(content))


@cache
def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


def posix_cksum(content: bytes) -> int:
    """The CRC that POSIX `cksum` prints (IEEE Std 1003.1, utility cksum)."""
    table = _table()
    value = 0
    for byte in content:
        value = ((value << 8) & 0xFFFFFFFF) ^ table[(value >> 24) ^ byte]
    length = len(content)
    while length:
        value = ((value << 8) & 0xFFFFFFFF) ^ table[(value >> 24) ^ (length & 0xFF)]
        length >>= 8
    return value ^ 0xFFFFFFFF
