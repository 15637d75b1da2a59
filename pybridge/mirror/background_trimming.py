"""Keeping a local folder to its size without making a call wait: it is trimmed in the background, now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable


class BackgroundTrimming:
    """Has a folder trimmed each time an eighth of its space was written.

    Args:
        trim: trims it; called in a thread of its own.
        max_bytes: the space.
        name: of the thread.
    """

    def __init__(self, trim: Callable[[], None], max_bytes: int, name: str) -> None:
        self._trim = trim
        self._max_bytes = max_bytes
        self._name = name
        self._lock = threading.Lock()
        # The first write of a process has the folder measured once.
        self._unmeasured = max_bytes
        self._thread: threading.Thread | None = None

    def wrote(self, size: int) -> None:
        """So many more bytes lie there."""
        with self._lock:
            self._unmeasured += size
            if self._unmeasured < self._max_bytes // 8 or (self._thread and self._thread.is_alive()):
                return
            self._unmeasured = 0
            self._thread = threading.Thread(target=self._trim, name=self._name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Wait for a trimming under way."""
        if self._thread is not None:
            self._thread.join()
