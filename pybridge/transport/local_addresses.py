"""The addresses of this machine's network interfaces: getifaddrs(3), which Python's library lacks."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import os
import socket
import sys
from typing import Any

_UP = 1
"""IFF_UP of net/if.h."""


class _Entry(ctypes.Structure):
    """The head of `struct ifaddrs`, which is the same on Linux and macOS."""


_Entry._fields_ = [
    ("next", ctypes.POINTER(_Entry)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
]


def local_addresses() -> list[tuple[str, str]]:
    """Interface and address, IPv4 and IPv6 without scope, of the interfaces that are up.

    On Windows, which is asked in another way, the interface is empty.
    """
    if os.name != "posix":
        with contextlib.suppress(OSError):
            found = socket.getaddrinfo(socket.gethostname(), None)
            return [("", str(entry[4][0]).partition("%")[0]) for entry in found]
        return []
    library = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    first = ctypes.POINTER(_Entry)()
    if library.getifaddrs(ctypes.byref(first)) != 0:
        return []
    try:
        found = []
        entry: Any = first
        while entry:
            address = _read_address(entry.contents.address)
            if address is not None and entry.contents.flags & _UP:
                found.append((entry.contents.name.decode(errors="replace"), address))
            entry = entry.contents.next
        return found
    finally:
        library.freeifaddrs(first)


def _read_address(pointer: int | None) -> str | None:
    """The address of a `struct sockaddr`; macOS has a length byte before the family. None for other families."""
    if not pointer:
        return None
    head = ctypes.string_at(pointer, 2)
    family = head[1] if sys.platform == "darwin" else int.from_bytes(head, sys.byteorder)
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, ctypes.string_at(pointer + 4, 4))
    if family == socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, ctypes.string_at(pointer + 8, 16))
    return None
