"""Records of the temporary folders we make on the remote, so that those of a sidecar that died are removed as well.

One small file for each, beside a lock that its sidecar holds for as long as it lives. Nothing is removed from the
remote but what such a record names, and only when its lock is free (law 2).
"""

from __future__ import annotations

import json
import logging
import posixpath
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import filelock

from pybridge.errors import LocalStorageError
from pybridge.locations import private_folder, slug, write_private

FORMAT = 1
_NAME = re.compile(r"pybridge-[0-9a-f]{32}")
_LOGGER = logging.getLogger(__name__)


def new_name() -> str:
    """A name nobody can guess."""
    return f"pybridge-{secrets.token_hex(16)}"


class TemporaryFolderRecords:
    """The records for one host.

    Args:
        folder: of all hosts (below `locations.state_folder()`).
        host: slug of the target; others' records are never seen.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self._host = host
        self._folder = folder / slug(host)
        self._locks: dict[str, filelock.BaseFileLock] = {}

    def begin(self, path: str) -> None:
        """Record a folder before it is made; nothing happens if it is recorded already.

        Raises:
            LocalStorageError: it could not be recorded, so it must not be made.
        """
        if path in self._locks:
            return
        private_folder(self._folder)
        lock = self._lock(path)
        try:
            lock.acquire(timeout=0)
        except (OSError, filelock.Timeout) as error:
            raise LocalStorageError(f"The file {lock.lock_file} cannot be locked: {error}.") from error
        except NotImplementedError:  # a file system without locks: `abandoned` will not name it
            pass
        self._locks[path] = lock
        data = {"format": FORMAT, "host": self._host, "path": path}
        write_private(self._file(path), json.dumps(data).encode(), durable=False)

    def done(self, path: str) -> None:
        """That folder is gone."""
        lock = self._locks.pop(path, None) or self._lock(path)
        for file in (self._file(path), Path(lock.lock_file)):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                _LOGGER.info("The record %s could not be removed: %s", file, error)
        lock.release()

    def abandoned(self) -> list[str]:
        """The folders whose sidecars are gone."""
        return [path for path in self._recorded() if self._is_free(path)]

    def _recorded(self) -> Iterator[str]:
        try:
            files = sorted(self._folder.glob("pybridge-*.json"))
        except OSError as error:
            _LOGGER.warning("The records in %s cannot be read: %s", self._folder, error)
            return
        for file in files:
            try:
                data = json.loads(file.read_bytes())
                path = str(data["path"])
                if data["format"] == FORMAT and data["host"] == self._host and _is_ours(path, file.stem):
                    yield path
                    continue
            except FileNotFoundError:
                continue  # another process was done with it
            except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
                _LOGGER.warning("The record %s cannot be read and is left alone: %r", file, error)
                continue
            _LOGGER.warning("The record %s is of another format or host and is left alone.", file)

    def _is_free(self, path: str) -> bool:
        if path in self._locks:
            return False
        lock = self._lock(path)
        try:
            lock.acquire(timeout=0)
        except (OSError, NotImplementedError, filelock.Timeout):
            return False
        lock.release()
        return True

    def _lock(self, path: str) -> filelock.BaseFileLock:
        file = self._folder / f"{posixpath.basename(path)}.lock"
        return filelock.FileLock(file, mode=0o600, thread_local=False)  # taken and released by different threads

    def _file(self, path: str) -> Path:
        return self._folder / f"{posixpath.basename(path)}.json"


def _is_ours(path: str, name: str) -> bool:
    return _NAME.fullmatch(name) is not None and path.startswith("/") and posixpath.basename(path) == name
