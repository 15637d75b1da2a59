"""Files that need no look before they are changed: as far as we can tell, they still are, or are not, as last seen.

Never more than a guess. Whoever computes a change from one lets the change itself verify it: it is made only if the
target still is the version it was computed from (law 3).
"""

from __future__ import annotations

import contextlib
import posixpath
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace

from pybridge.host.model import ABSENT, Fetched, FileKind

KNOWN_SECONDS = 600.0
"""How long a file counts as known: others work there, too, and a person is asked by what we take for its content."""

MOST_NAMES = 1000
"""As many names of a folder as the remote sends along with the answer that a file is not in it."""

_MOST_FOLDERS = 64


class KnownFiles:
    """Files as they were when last looked at, or as a change of ours left them, without their contents.

    Args:
        most: files remembered; beyond this many the one unused for longest is forgotten.
    """

    def __init__(self, *, most: int = 4096) -> None:
        self._files: OrderedDict[str, tuple[Fetched, float]] = OrderedDict()
        self._names: OrderedDict[str, tuple[set[str], float]] = OrderedDict()
        """What is in a folder, by its path with all symlinks resolved."""
        self._most = most
        self._changing = 0
        self._epoch = 0

    @property
    def epoch(self) -> int:
        """Taken before a file is looked at, it tells afterwards whether anything may have changed it meanwhile."""
        return self._epoch

    def remember(self, file: Fetched, epoch: int) -> None:
        """A file as it is.

        Args:
            file: only a regular file whose version is known needs no further look. One that is missing tells what else
                is in its folder, and so which other files are missing there.
            epoch: as it was before the file was looked at.
        """
        self.forget(file.path)
        if epoch != self._epoch or self._changing:
            return
        if file.kind is FileKind.MISSING:
            self._remember_names(file)
        if file.kind is not FileKind.FILE or file.version is None or file.error is not None:
            return
        self._files[file.path] = (
            replace(file, content=None, unchanged=False),
            time.monotonic() + KNOWN_SECONDS,
        )
        self._files.move_to_end(file.path)
        while len(self._files) > self._most:
            self._files.popitem(last=False)

    def recall(self, path: str) -> Fetched | None:
        """The file as last seen, without its content, or as a missing one; None if it has to be looked at."""
        found, until = self._files.get(path, (None, 0.0))
        if found is not None:
            return found if time.monotonic() < until else None
        folder, name = posixpath.split(path)
        names, until = self._names.get(folder, (None, 0.0))
        if names is None or name in names or time.monotonic() >= until:
            return None
        return Fetched(path, path, version=ABSENT, nearest=folder)

    def forget(self, path: str) -> None:
        """This file has to be looked at again."""
        self._files.pop(path, None)
        folder, name = posixpath.split(path)
        if folder in self._names:
            self._names[folder][0].add(name)

    def forget_all(self) -> None:
        """Any file may have changed."""
        self._epoch += 1
        self._files.clear()
        self._names.clear()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """While the body runs any file may change, as under a command."""
        self._changing += 1
        self.forget_all()
        try:
            yield
        finally:
            self._changing -= 1
            self.forget_all()

    def _remember_names(self, missing: Fetched) -> None:
        folder = posixpath.dirname(missing.real)
        self._names.pop(folder, None)
        # No names: there are none, or they may not be read.
        if missing.error is None and missing.nearest == folder and 0 < len(missing.siblings) < MOST_NAMES:
            self._names[folder] = {"", ".", "..", *missing.siblings}, time.monotonic() + KNOWN_SECONDS
            while len(self._names) > _MOST_FOLDERS:
                self._names.popitem(last=False)
