"""Keeping a mirror within its bounds: least recently used contents go first."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import filelock

from pybridge.locations import TEMPORARY_PREFIX, remove_abandoned
from pybridge.mirror.manifest import ENTRIES, LOCK
from pybridge.mirror.pace import paced
from pybridge.mirror.path_mapper import LONG, NAMES, TREES, PathMapper
from pybridge.mirror.process_lock import process_lock

_BLOCK = 4096
_YOUNG = 3600.0  # seconds in which a file without its counterpart may belong to a writer at work


def trim(folder: Path, mapper: PathMapper, entry_file: Callable[[str], Path], max_bytes: int) -> None:
    """Remove contents, those unused for longest first, until seven eighths of the space are enough.

    Also removes entries without content and what killed processes left. One process does it at a time; another that
    wants to meanwhile does nothing.

    Args:
        folder: the mirror's folder.
        mapper: of that folder.
        entry_file: where the entry of a remote path lies.
        max_bytes: disk space of contents and entries, in whole blocks.
    """
    try:
        with process_lock(folder / LOCK, wait=0):
            remove_abandoned(folder)
            contents: list[tuple[float, int, Path]] = []
            for tree in TREES:
                for file in paced(_files(folder / tree)):
                    with contextlib.suppress(OSError):
                        stat = file.stat()
                        contents.append((stat.st_mtime, space_on_disk(stat.st_size), file))
            total = sum(space for _, space, _ in contents)
            kept: set[Path] = set()
            for _, space, file in paced(sorted(contents)):
                entry = _entry_of(file, mapper, entry_file)
                if total > max_bytes - max_bytes // 8 or entry is None:
                    total -= space
                    _remove(entry, file)
                else:
                    kept.add(entry)
            _remove_orphans(folder, kept)
    except filelock.Timeout:
        pass


def _entry_of(file: Path, mapper: PathMapper, entry_file: Callable[[str], Path]) -> Path | None:
    try:
        return entry_file(mapper.to_remote(file))
    except ValueError:
        return None


def _remove(entry: Path | None, file: Path) -> None:
    for path in (entry, file):
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # folders that are empty now; the first that is not ends it
        for parent in file.parents:
            if parent.name in TREES:
                break
            parent.rmdir()


def _remove_orphans(folder: Path, kept: set[Path]) -> None:
    """Entries and stored names whose content is gone. Young ones may just be being written by another process."""
    limit = time.time() - _YOUNG
    names = {folder / NAMES / f"{file.name}.json" for file in _files(folder / LONG)}
    for file in paced(chain(_files(folder / ENTRIES), _files(folder / NAMES))):
        if file not in kept and file not in names:
            with contextlib.suppress(OSError):
                if file.stat().st_mtime < limit:
                    file.unlink()


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, without following links; temporaries of writers that may still live left out."""
    limit = time.time() - _YOUNG
    for place, _, names in os.walk(folder):
        for name in names:
            file = Path(place, name)
            if name.startswith(TEMPORARY_PREFIX):
                with contextlib.suppress(OSError):
                    if file.stat().st_mtime >= limit:
                        continue
            yield file


def space_on_disk(size: int) -> int:
    """Bytes on disk of a content of that size and its entry."""
    return (size + _BLOCK - 1) // _BLOCK * _BLOCK + _BLOCK
