"""Files that need no look before they are changed: as far as we can tell, they still are what we last saw.

Never more than a guess. Whoever computes a change from one lets the change itself verify it: it is made only if the
target still is the version it was computed from (law 3).
"""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace

from pybridge.host.model import Fetched, FileKind

KNOWN_SECONDS = 600.0
"""How long a file counts as known: others work there, too, and a person is asked by what we take for its content."""


class KnownFiles:
    """Files as they were when last looked at, or as a change of ours left them, without their contents.

    Args:
        most: files remembered; beyond this many the one unused for longest is forgotten.
    """

    def __init__(self, *, most: int = 4096) -> None:
        self._files: OrderedDict[str, tuple[Fetched, float]] = OrderedDict()
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
            file: only a regular file whose version is known needs no further look.
            epoch: as it was before the file was looked at.
        """
        certain = file.kind is FileKind.FILE and file.version is not None and file.error is None
        if not certain or epoch != self._epoch or self._changing:
            self.forget(file.path)
            return
        self._files[file.path] = (
            replace(file, content=None, unchanged=False),
            time.monotonic() + KNOWN_SECONDS,
        )
        self._files.move_to_end(file.path)
        while len(self._files) > self._most:
            self._files.popitem(last=False)

    def recall(self, path: str) -> Fetched | None:
        """The file as last seen, without its content; None if it has to be looked at."""
        found, until = self._files.get(path, (None, 0.0))
        return found if time.monotonic() < until else None

    def forget(self, path: str) -> None:
        """This file has to be looked at again."""
        self._files.pop(path, None)

    def forget_all(self) -> None:
        """Any file may have changed."""
        self._epoch += 1
        self._files.clear()

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
