"""Which local files a piece of code opens, lists, renames or removes: told by Python's own audit events."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

_WATCHED = {
    *("open", "os.listdir", "os.scandir", "os.rename", "os.remove"),
    *("os.mkdir", "os.rmdir", "os.chmod", "os.utime", "os.link"),
}
_lists: list[tuple[str, list[tuple[str, str]]]] = []
_installed = False


@contextlib.contextmanager
def operations_below(folder: Path, *, ignore_threads: Sequence[str] = ()) -> Iterator[list[tuple[str, str]]]:
    """The operations on files below a folder while the body runs: event, and path relative to the folder.

    `stat` is not among them; but whoever looks at many files must list them first.

    Args:
        folder: absolute.
        ignore_threads: names of threads whose work does not count.
    """
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_heard)  # it cannot be taken away again
    found: list[tuple[str, str]] = []
    entry = (f"{folder}{os.sep}", found)
    _ignored.extend(ignore_threads)
    _lists.append(entry)
    try:
        yield found
    finally:
        _lists.remove(entry)
        for name in ignore_threads:
            _ignored.remove(name)


_ignored: list[str] = []


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    if not _lists or event not in _WATCHED or threading.current_thread().name in _ignored:
        return
    path = arguments[0]
    if isinstance(path, (str, bytes, os.PathLike)):
        text = f"{os.fsdecode(path)}{os.sep}"
        for prefix, found in _lists:
            if text.startswith(prefix):
                found.append((event, text[len(prefix) : -1]))
