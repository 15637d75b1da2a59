"""Keeping the journal within its bounds: the oldest changes go first, and it is noted that they are gone."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import filelock

from pybridge.locations import remove_abandoned
from pybridge.mirror.journal_dropped import DroppedChange, remember_dropped
from pybridge.mirror.journal_entry import ENTRY, from_json, read_key
from pybridge.mirror.pace import paced
from pybridge.mirror.process_lock import process_lock
from pybridge.mirror.trimming import space_on_disk

LOCK = ".lock"

_YOUNG = 3600.0  # seconds in which a folder without an entry may be one in the making
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Change:
    key: str
    folder: Path
    files: tuple[tuple[tuple[int, int], int], ...]  # of each file which it is on the disk, and its space


def trim(root: Path, max_bytes: int) -> int:
    """Drop changes, the oldest of all targets first and never the newest, until seven eighths of the space are enough.

    Also removes what killed processes left. One process does it at a time; another that wants to meanwhile does
    nothing.

    Args:
        root: the folder of all targets' journals.
        max_bytes: disk space, in whole blocks.

    Returns:
        how many were dropped.

    Raises:
        LocalStorageError: it cannot be noted what is dropped; nothing was.
    """
    try:
        with process_lock(root / LOCK, wait=0):
            return _trim(root, max_bytes)
    except filelock.Timeout:
        return 0


def _trim(root: Path, max_bytes: int) -> int:
    changes: list[_Change] = []
    for target in root.iterdir():
        if target.is_dir():
            remove_abandoned(target)
            changes += _changes(target)
    changes.sort(key=lambda change: change.key)
    # A content that is one file in two changes takes its space until both are gone.
    names = Counter(file for change in changes for file, _ in change.files)
    total = sum({file: space for change in changes for file, space in change.files}.values())
    going: list[_Change] = []
    for change in changes[:-1]:
        if total <= max_bytes - max_bytes // 8:
            break
        going.append(change)
        for file, space in change.files:
            names[file] -= 1
            total -= space if not names[file] else 0
    for target in {change.folder.parent for change in going}:
        remember_dropped(target, [_describe(change) for change in going if change.folder.parent == target])
    for change in paced(going):
        # The entry first: what has none is taken for no change.
        with contextlib.suppress(OSError):
            (change.folder / ENTRY).unlink(missing_ok=True)
        shutil.rmtree(change.folder, ignore_errors=True)
    if going:
        _LOGGER.warning("The undo journal is full: its %d oldest changes were dropped", len(going))
    return len(going)


def _changes(target: Path) -> list[_Change]:
    found = []
    limit = time.time() - _YOUNG
    for folder in paced(target.iterdir()):
        if read_key(folder.name) is None:
            continue
        with contextlib.suppress(OSError):
            if not (folder / ENTRY).exists():
                if folder.stat().st_mtime < limit:
                    shutil.rmtree(folder, ignore_errors=True)
                continue
            remove_abandoned(folder)
            files = []
            for file in os.scandir(folder):
                stat = Path(file.path).stat()
                files.append(((stat.st_dev, stat.st_ino), space_on_disk(stat.st_size)))
            found.append(_Change(folder.name, folder, tuple(files)))
    return found


def _describe(change: _Change) -> DroppedChange:
    try:
        entry = from_json((change.folder / ENTRY).read_bytes())
    except (OSError, ValueError):
        return DroppedChange(change.key, "", "")
    return DroppedChange(change.key, entry.session_id, entry.message_id)
