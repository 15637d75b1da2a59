"""A lock between processes that ends with its holder, however that ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock


@contextlib.contextmanager
def process_lock(file: Path, *, wait: float) -> Iterator[None]:
    """Hold a lock of the operating system on `file`, which is created and left behind.

    On a file system without locks nothing is held: what is done under the lock must be safe, if wasteful, without it.

    Args:
        wait: seconds; 0 to try once.

    Raises:
        filelock.Timeout: another process holds it.
    """
    lock = filelock.FileLock(file, timeout=wait, mode=0o600)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise
    except (NotImplementedError, OSError):
        pass
    try:
        yield
    finally:
        lock.release()
