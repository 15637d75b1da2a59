"""Reads OpenSSH key revocation lists. Format: PROTOCOL.krl of OpenSSH, version 1.

What this reader does not understand is refused: a list read in part would let a revoked key pass.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

MAGIC = b"SSHKRL\n\0"
_VERSION = 1
_CERTIFICATES, _KEYS, _SHA1, _SIGNATURE, _SHA256, _EXTENSION = 1, 2, 3, 4, 5, 255
_SERIALS, _SERIAL_RANGE, _SERIAL_BITMAP, _KEY_IDS, _CERTIFICATE_EXTENSION = 0x20, 0x21, 0x22, 0x23, 0x39


class KrlError(ValueError):
    """The list is damaged, or has something that is not understood here."""


@dataclass
class _Certificates:
    """What is revoked of one authority's certificates (of every authority's if `authority` is empty)."""

    authority: bytes
    ranges: list[tuple[int, int]] = field(default_factory=list)
    bitmaps: list[tuple[int, int]] = field(default_factory=list)
    key_ids: set[bytes] = field(default_factory=set)

    def has_serial(self, serial: int) -> bool:
        return any(first <= serial <= last for first, last in self.ranges) or any(
            serial >= offset and bits >> (serial - offset) & 1 for offset, bits in self.bitmaps
        )


@dataclass
class KeyRevocationList:
    """The keys and certificates a list revokes. Keys are blobs, as in RFC 4253, 6.6."""

    keys: set[bytes] = field(default_factory=set)
    sha1: set[bytes] = field(default_factory=set)
    sha256: set[bytes] = field(default_factory=set)
    certificates: list[_Certificates] = field(default_factory=list)

    @classmethod
    def parse(cls, data: bytes) -> KeyRevocationList:
        """Read a list.

        Raises:
            KrlError: it is not one, it is damaged, or it has a section of a kind that is not known here.
        """
        reader = _Reader(data)
        if reader.take(8) != MAGIC:
            raise KrlError("it is not a key revocation list")
        if (version := reader.number(4)) != _VERSION:
            raise KrlError(f"its format version {version} is not known")
        reader.take(24)  # The list's own version, its date, flags.
        reader.string()  # Reserved.
        reader.string()  # Comment.
        revoked = cls()
        while reader.left:
            kind = reader.number(1)
            revoked._add_section(kind, _Reader(reader.string()), reader)
        return revoked

    def revokes_key(self, blob: bytes) -> bool:
        """Whether a plain key is revoked."""
        return (
            blob in self.keys
            or hashlib.sha1(blob, usedforsecurity=False).digest() in self.sha1
            or hashlib.sha256(blob).digest() in self.sha256
        )

    def revokes_certificate(self, authority: bytes, serial: int, key_id: bytes) -> bool:
        """Whether a certificate is revoked by its serial number or key id. A serial number 0 stands for none."""
        return any(
            key_id in section.key_ids or (serial != 0 and section.has_serial(serial))
            for section in self.certificates
            if section.authority in (b"", authority)
        )

    def _add_section(self, kind: int, content: _Reader, outside: _Reader) -> None:
        if kind == _CERTIFICATES:
            self.certificates.append(_read_certificates(content))
        elif kind == _KEYS:
            self.keys |= content.strings()
        elif kind == _SHA1:
            self.sha1 |= content.strings()
        elif kind == _SHA256:
            self.sha256 |= content.strings()
        elif kind == _SIGNATURE:
            outside.string()  # The signature over all before; OpenSSH needs none either.
        elif kind == _EXTENSION:
            _skip_extension(content)
        else:
            raise KrlError(f"it has a section of the unknown kind {kind}")


def _read_certificates(content: _Reader) -> _Certificates:
    section = _Certificates(content.string())
    content.string()  # Reserved.
    while content.left:
        kind, part = content.number(1), _Reader(content.string())
        if kind == _SERIALS:
            while part.left:
                serial = part.number(8)
                section.ranges.append((serial, serial))
        elif kind == _SERIAL_RANGE:
            section.ranges.append((part.number(8), part.number(8)))
        elif kind == _SERIAL_BITMAP:
            section.bitmaps.append((part.number(8), int.from_bytes(part.string(), "big")))
        elif kind == _KEY_IDS:
            section.key_ids |= part.strings()
        elif kind == _CERTIFICATE_EXTENSION:
            _skip_extension(part)
        else:
            raise KrlError(f"it has a certificate section of the unknown kind {kind:#x}")
        if part.left:
            raise KrlError("a certificate section is longer than its content")
    return section


def _skip_extension(content: _Reader) -> None:
    name, critical = content.string(), content.number(1)
    content.string()
    if critical:
        raise KrlError(f"it has the unknown critical extension {name.decode('utf-8', 'replace')!r}")


class _Reader:
    """Takes numbers and strings (RFC 4251, 5) from the front of a piece of data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._position

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise KrlError("it ends too early")
        self._position += length
        return self._data[self._position - length : self._position]

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length), "big")

    def string(self) -> bytes:
        return self.take(self.number(4))

    def strings(self) -> set[bytes]:
        found = set()
        while self.left:
            found.add(self.string())
        return found
