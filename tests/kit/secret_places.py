"""Where a secret lies that should lie nowhere: command lines and environments of all processes, and files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path


def places_with(needle: str, folders: Iterable[Path]) -> list[str]:
    """Files below `folders`, links not followed, and files in /proc, that hold `needle`."""
    wanted = needle.encode()
    paths = [str(path / name) for path in Path("/proc").glob("[0-9]*") for name in ("cmdline", "environ")]
    for folder in folders:
        paths += [str(Path(place, name)) for place, _, names in os.walk(folder) for name in names]
    return [path for path in paths if wanted in _content(path)]


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes() if stat.S_ISREG(os.lstat(path).st_mode) else b""
    except OSError:
        return b""  # ended or removed meanwhile
