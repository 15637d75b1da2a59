"""What working leaves on this machine: caches, kept outputs, logs, state. Nothing here is on a remote."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from pybridge import locations
from pybridge.cli.console import human_size, narrate, show
from pybridge.cli.opencode.handover import abandoned
from pybridge.logs import LOG_NAME

IN_USE_SECONDS = 3600.0
"""A kept output younger than this may belong to a session at work, which can still read it."""


@dataclass(frozen=True)
class Leftover:
    """One file or folder that can be removed.

    Args:
        what: what it is, for a person.
        path: where.
        size: bytes, of everything in it.
    """

    what: str
    path: Path
    size: int


def removable() -> list[Leftover]:
    """What costs nothing but time to lose: mirrors, kept outputs no session reads any more, logs put aside.

    Left alone: the undo journal, records of what sessions have under way on a remote (the next connection cleans up by
    them), the current log, session folders, and the plugin file.
    """
    found = [Leftover("mirror", path, _size(path)) for path in _children(locations.home() / ".opencode" / "mirrors")]
    outputs = _outputs()  # listed first: one that is written meanwhile is not taken for an old one
    young = set(young_outputs())
    found += [Leftover("kept output", path, _size(path)) for path in outputs if path not in young]
    found += [
        Leftover("old log", path, _size(path))
        for path in _children(locations.log_folder())
        if path.name.startswith(f"{LOG_NAME}.") and path.suffix[1:].isdigit()
    ]
    found += [Leftover("unused hand-over of secrets, empty", path, 0) for path in abandoned()]
    cache = platformdirs.user_cache_path("pybridge", appauthor=False)
    if cache.is_dir():
        found.append(Leftover("cache of the demo", cache, _size(cache)))
    return found


def undo_journal() -> list[Leftover]:
    """What `pybridge undo` works by, if there is any: it cannot be had again."""
    folder = locations.state_folder() / "journal"
    return [Leftover("undo journal", folder, _size(folder))] if folder.is_dir() else []


def young_outputs() -> list[Path]:
    """Kept outputs that a session at work may still read, which is why `removable` leaves them out."""
    limit = time.time() - IN_USE_SECONDS
    return [path for path in _outputs() if _modified(path) >= limit]


def everything() -> list[Leftover]:
    """All that is ours on this machine, save the plugin file and the package."""
    opencode = locations.home() / ".opencode"
    folders = [
        ("mirrors", opencode / "mirrors"),
        ("session folders", opencode / "remote-sessions"),
        ("state, with the undo journal", locations.state_folder()),
        ("logs", locations.log_folder()),
        ("data", locations.data_folder()),
        ("cache", platformdirs.user_cache_path("pybridge", appauthor=False)),
    ]
    # Some platforms keep the logs inside the state folder.
    outer = [(what, path) for what, path in folders if not any(other in path.parents for _, other in folders)]
    distinct = {path: what for what, path in reversed(outer)}  # on Windows several of them are one folder
    return [Leftover(what, path, _size(path)) for path, what in distinct.items() if path.exists()]


def print_sizes(leftovers: Iterable[Leftover]) -> None:
    """One line for each, on standard output, and the sum on standard error."""
    total = 0
    for leftover in leftovers:
        show(f"{human_size(leftover.size):>8}  {leftover.what}: {leftover.path}")
        total += leftover.size
    narrate(f"{human_size(total)} in all")


def remove(leftovers: Iterable[Leftover]) -> None:
    """Remove them; what cannot be removed is named, and the rest is removed all the same."""
    freed = 0
    for leftover in leftovers:
        try:
            if leftover.path.is_dir() and not leftover.path.is_symlink():
                shutil.rmtree(leftover.path)
            else:
                leftover.path.unlink(missing_ok=True)
            freed += leftover.size
            with contextlib.suppress(OSError):
                leftover.path.parent.rmdir()  # only if it is empty now
        except OSError as error:
            narrate(f"{leftover.path} cannot be removed: {error.strerror or error}")
    narrate(f"Removed: {human_size(freed)}")


def _outputs() -> list[Path]:
    return [path for path in _children(locations.state_folder() / "output") if path.name.startswith("output-")]


def _children(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from sorted(folder.iterdir())


def _modified(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return time.time()


def _size(path: Path) -> int:
    total = 0
    for file in (path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else ())):
        with contextlib.suppress(OSError):
            if not file.is_dir():
                total += file.lstat().st_size
    return total
