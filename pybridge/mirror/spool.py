"""Output too long for an answer, kept in local files that read and grep serve by their local path.

Several processes share the folder. Each holds a lock for as long as it lives, and its files bear the lock's name: while
it runs, its sessions may still be told of them, so that only their size removes them; once it is gone, however it went,
their age does too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import time
from pathlib import Path
from types import TracebackType

import filelock

from pybridge.errors import LocalStorageError
from pybridge.locations import private_folder

_LOGGER = logging.getLogger(__name__)
_MIB = 1024 * 1024


class SpoolFile:
    """One output being kept. Writing never fails a call: what the local disk does not take is left out, and said so.

    Args:
        path: the file; None when it could not be made (then nothing is kept).
        max_bytes: size at which it is cut.
    """

    def __init__(self, path: Path | None, max_bytes: int) -> None:
        self.path = path
        self.size = 0
        self.cut = False
        self._max_bytes = max_bytes
        self._handle: int | None = None
        if path is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
            try:
                self._handle = os.open(path, flags, 0o600)
            except OSError as error:
                _LOGGER.warning("Long output is not kept: %s", error)
                self.path = None

    def append(self, data: bytes) -> None:
        """Add output; beyond the size limit, or on a full disk, one note takes the place of all the rest."""
        if self._handle is None or self.cut:
            return
        piece = data[: self._max_bytes - self.size]
        try:
            _write_all(self._handle, piece)
            self.size += len(piece)
            if len(piece) < len(data):
                self.cut = True
                note = f"\n[pybridge: output cut here; only the first {self._max_bytes} bytes are kept]\n"
                _write_all(self._handle, note.encode())
        except OSError as error:
            self.cut = True
            _LOGGER.warning("The rest of a long output is not kept: %s", error)

    def close(self) -> None:
        """The output has ended."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)
            self._handle = None

    def discard(self) -> None:
        """Close and remove: the output turned out short enough to be shown whole."""
        self.close()
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
            self.path = None

    @property
    def open(self) -> bool:
        """Whether output is still being added."""
        return self._handle is not None

    def __enter__(self) -> SpoolFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Spool:
    """The folder of kept outputs, bounded by size and age.

    Args:
        folder: created when first needed.
        max_file: bytes of one output.
        max_total: bytes of all, exceeded only while several are being written; the oldest go first.
        max_age: seconds an output is kept after the process that made it has ended.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_file: int = 64 * _MIB,
        max_total: int = 512 * _MIB,
        max_age: float = 7 * 24 * 3600.0,
    ) -> None:
        self.folder = folder
        self._max_file = max_file
        self._max_total = max_total
        self._max_age = max_age
        self._open: list[SpoolFile] = []
        self._owner = secrets.token_hex(4)
        self._lock: filelock.FileLock | None = None

    def open(self) -> SpoolFile:
        """A new, empty file; makes room for it first."""
        path = None
        try:
            private_folder(self.folder)
            self._own()
            self.empty()
            # The name sorts by time, and cannot be guessed by other users should the folder be opened up.
            name = f"output-{time.strftime('%Y%m%d-%H%M%S')}-{self._owner}-{secrets.token_hex(8)}.txt"
            path = self.folder / name
        except LocalStorageError as error:
            _LOGGER.warning("Long output is not kept: %s", error.message)
        file = SpoolFile(path, self._max_file)
        self._open.append(file)
        return file

    def empty(self) -> None:
        """Remove outputs that are too old, and the oldest while they take too much room. Open ones of ours stay."""
        alive = self._owners_alive()
        self._open = [file for file in self._open if file.open]
        busy = {file.path for file in self._open}
        found: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("output-*.txt"):
            with contextlib.suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        allowed = self._max_total - self._max_file  # room for one more of full size
        total = sum(size for _, size, _ in found)
        oldest = time.time() - self._max_age
        for modified, size, path in sorted(found):
            old = modified < oldest and _owner_of(path) not in alive
            if path not in busy and (old or total > allowed):
                total -= size
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """The process ends: from now on the age of its outputs counts."""
        if self._lock is not None:
            self._lock.release()
            with contextlib.suppress(OSError):
                Path(self._lock.lock_file).unlink(missing_ok=True)
            self._lock = None

    def _own(self) -> None:
        if self._lock is None:
            self._lock = filelock.FileLock(self._lock_file(self._owner), mode=0o600)
            try:
                self._lock.acquire(timeout=0)
            except (OSError, NotImplementedError) as error:  # then age alone decides
                _LOGGER.info("No lock in the folder of long outputs: %s", error)

    def _lock_file(self, owner: str) -> Path:
        return self.folder / f"owner-{owner}.lock"

    def _owners_alive(self) -> set[str]:
        """The processes that hold their lock. The files of other locks go: of a process that was killed."""
        alive = {self._owner} if self._lock is not None else set[str]()
        for file in self.folder.glob("owner-*.lock"):
            owner = file.stem.removeprefix("owner-")
            if owner == self._owner:
                continue
            try:
                with filelock.FileLock(file, mode=0o600).acquire(timeout=0):
                    file.unlink(missing_ok=True)
            except filelock.Timeout:
                alive.add(owner)
            except (OSError, NotImplementedError):
                continue
        return alive

    def contains(self, path: str | Path) -> bool:
        """Whether a path is that of a kept output, and so is to be served from this machine.

        Args:
            path: as the model gives it; anything but an absolute path of an existing file of ours is not.
        """
        try:
            local = Path(path)
            if not local.is_absolute():
                return False
            real = local.resolve(strict=True)
            ours = real.name.startswith("output-") and real.parent == self.folder.resolve(strict=True)
            return ours and real.is_file()
        except (OSError, ValueError, RuntimeError):
            return False


def _owner_of(path: Path) -> str:
    parts = path.stem.split("-")
    return parts[3] if len(parts) == 5 else ""


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
