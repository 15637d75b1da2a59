"""Finds shared libraries by what the system has on record of them, without starting any program."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import sys
from pathlib import Path

_CACHE = Path("/etc/ld.so.cache")
_FOLDERS = ("/lib", "/usr/lib", "/usr/local/lib")

_usual = ctypes.util.find_library


def find_library(name: str) -> str | None:
    """What `ctypes.CDLL` takes for a library, or None.

    Args:
        name: without `lib` and without an ending.
    """
    if not sys.platform.startswith("linux"):
        return _usual(name)  # it starts nothing there
    wanted = re.compile(rf"lib{re.escape(name)}\.so(\.[\w.]+)?")
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    names = _listed([folder for folder in folders if folder]) + (_cached() or _listed(_FOLDERS))
    # The newest first. A bare `.so` belongs to the development files, and may be a linker's script.
    found = sorted({name for name in names if wanted.fullmatch(name)}, key=_version, reverse=True)
    return next(filter(_can_be_loaded, found), None)


def _can_be_loaded(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:  # of another architecture, for one
        return False
    return True


def _version(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name.partition(".so")[2])]


def _cached() -> list[str]:
    """The names in the dynamic linker's cache (glibc); none where there is no cache (musl)."""
    try:
        data = _CACHE.read_bytes()
    except OSError:
        return []
    # The names are the ends of the paths, in one table of strings with both.
    return [text.decode("ascii") for text in re.findall(rb"(?<=[/\0])lib[\x21-\x2e\x30-\x7e]+(?=\0)", data)]


def _listed(folders: list[str] | tuple[str, ...]) -> list[str]:
    names: list[str] = []
    for folder in folders:
        try:
            names += [path.name for path in Path(folder).iterdir()]
        except OSError:
            continue
    return names
