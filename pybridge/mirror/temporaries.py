"""What we may have left on the remote: recorded here before it is made, so that the next connection can put it right.

One small file holds everything about one request to the remote, put in place whole: it survives a kill at any moment,
two processes write theirs side by side without a lock, and damage to one says nothing about the others. Nothing on the
remote is ever removed that is not named in a record (law 2).

Each process that changes files holds a lock for as long as it lives, and its records name it. So every other process
can tell a request that is under way, which is none of its business, from one whose maker is gone, however it went.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import posixpath
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import filelock

from pybridge.errors import LocalStorageError
from pybridge.host.applying import TEMPORARY_PREFIX
from pybridge.host.control_shell import ShellIdentity
from pybridge.host.recovery import Leftover, UnfinishedRequest
from pybridge.locations import private_folder, remove_abandoned, slug, write_private

FORMAT = 2
SWEEP_WAIT = 30.0
"""Seconds to wait for another process that is settling requests."""

_SETTLING = "settling.lock"
_UNUSED_SECONDS = 3600.0
_FREE_SECONDS = 5.0
_IDENTIFIER = re.compile(r"[0-9a-f]{16}")
_LOGGER = logging.getLogger(__name__)


class TemporaryRecords:
    """The records for one host.

    Args:
        folder: of all hosts (below `locations.state_folder()`).
        host: slug of the target; others' records are never seen.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self._host = host
        self._folder = folder / slug(host)
        self._maker = ""
        self._maker_lock: filelock.BaseFileLock | None = None
        self._starting = threading.Lock()
        self._under_way: dict[str, UnfinishedRequest] = {}

    def begin(self, request: UnfinishedRequest) -> None:
        """Record a request before its first byte is sent.

        A kill does not lose the record. A power failure of this machine may: then a hidden file stays on the remote,
        nothing worse, because the remote finishes a request it has received without us. So nobody waits for the disk.

        Raises:
            LocalStorageError: it could not be recorded, so the request must not be made.
        """
        private_folder(self._folder)
        self._hold_maker_lock()
        self._under_way[request.key] = request
        try:
            self._write(request, given_up=False)
        except BaseException:
            del self._under_way[request.key]
            raise

    def done(self, key: str) -> None:
        """Nothing of that request remains on the remote."""
        try:
            self._file(key).unlink(missing_ok=True)
        except OSError as error:  # the next connection finds nothing to put right and tries again
            _LOGGER.info("The record %s could not be removed: %s", key, error)
        self._under_way.pop(key, None)

    def abandon(self, key: str) -> None:
        """Nobody waits for that request any more: it may be settled, by whoever reaches the remote first."""
        request = self._under_way.pop(key, None)
        if request is not None:
            with contextlib.suppress(LocalStorageError):  # then this process settles it, or the next one
                self._write(request, given_up=True)

    def is_pending(self, key: str) -> bool:
        """It is recorded, and not done."""
        return self._file(key).exists()

    def pending(self) -> list[UnfinishedRequest]:
        """Every request that is recorded, of this and other processes. Unreadable records are left alone."""
        return [request for request, _, _ in self._records()]

    def abandoned(self) -> list[UnfinishedRequest]:
        """The requests nobody is waiting for: their makers are gone, or have given them up."""
        if self._is_alone():
            return []
        found = []
        makers: set[str] = set()
        for request, maker, given_up in self._records():
            makers.add(maker)
            if given_up or (maker == self._maker and self._maker):
                if request.key not in self._under_way:
                    found.append(request)
            elif (is_gone := self._is_gone(maker)) is not False:
                # Where nothing can be locked, its remote shell alone tells whether the maker lives.
                found.append(request if is_gone else _without_fence(request))
        self._remove_unused_locks(makers)
        return found

    def _is_alone(self) -> bool:
        """Nothing lies there but what this process has under way: one look at the folder, as in nearly every change."""
        own = {self._file(key).name for key in list(self._under_way)}
        own |= {f"maker-{self._maker}.lock", _SETTLING}
        try:
            return own.issuperset(os.listdir(self._folder))  # noqa: PTH208
        except OSError:
            return False

    @contextlib.asynccontextmanager
    async def settling(self) -> AsyncIterator[bool]:
        """Settle requests as the only process that does; false where another one has been at it all the time."""
        lock = filelock.AsyncFileLock(
            self._folder / _SETTLING, timeout=SWEEP_WAIT, mode=0o600, poll_interval=0.05, run_in_executor=False
        )
        try:
            await lock.acquire()
        except filelock.Timeout:
            yield False
            return
        except (NotImplementedError, OSError):  # a file system without locks: whoever comes second finds nothing left
            yield True
            return
        try:
            yield True
        finally:
            await lock.release()

    def _write(self, request: UnfinishedRequest, *, given_up: bool) -> None:
        data = {"format": FORMAT, "host": self._host, "maker": self._maker, "given_up": given_up}
        content = json.dumps({**data, "request": request}, default=vars).encode()
        write_private(self._file(request.key), content, durable=False)

    def _records(self) -> list[tuple[UnfinishedRequest, str, bool]]:
        """Each request, its maker, and whether that has given it up."""
        found: list[tuple[UnfinishedRequest, str, bool]] = []
        remove_abandoned(self._folder)
        try:
            files = sorted(self._folder.glob("request-*.json"))
        except OSError as error:
            _LOGGER.warning("The records in %s cannot be read: %s", self._folder, error)
            return found
        for file in files:
            try:
                data = json.loads(file.read_bytes())
                if data["format"] == FORMAT and data["host"] == self._host and _IDENTIFIER.fullmatch(data["maker"]):
                    key = file.stem.removeprefix("request-")
                    found.append((_request(key, data["request"]), data["maker"], data.get("given_up") is True))
                    continue
            except FileNotFoundError:
                continue  # another process was done with it
            except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                _LOGGER.warning("The record %s cannot be read and is left alone: %r", file, error)
                continue
            _LOGGER.warning("The record %s is of another format or host and is left alone.", file)
        return found

    def _hold_maker_lock(self) -> None:
        with self._starting:
            while not self._maker:
                maker = secrets.token_hex(8)
                lock = self._lock_of(maker)
                try:
                    lock.acquire(timeout=_FREE_SECONDS)  # a name nobody else has: it is free, or cannot be locked
                except (NotImplementedError, OSError):
                    self._maker = maker
                    return
                # Somebody may have tidied it away between its making and its locking: then nobody would see it.
                if Path(lock.lock_file).exists():
                    self._maker, self._maker_lock = maker, lock
                else:
                    lock.release()

    def _is_gone(self, maker: str) -> bool | None:
        """Whether a maker's process has ended; None where that cannot be told."""
        lock = self._lock_of(maker)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return False
        except (OSError, NotImplementedError):
            return None
        lock.release()
        return True

    def _remove_unused_locks(self, needed: set[str]) -> None:
        limit = time.time() - _UNUSED_SECONDS
        for file in self._folder.glob("maker-*.lock"):
            maker = file.stem.removeprefix("maker-")
            with contextlib.suppress(OSError, filelock.Timeout, NotImplementedError):
                if maker in needed or maker == self._maker or file.stat().st_mtime > limit:
                    continue
                with self._lock_of(maker).acquire(timeout=0):
                    file.unlink(missing_ok=True)

    def _lock_of(self, maker: str) -> filelock.BaseFileLock:
        # Taken and released by different threads.
        return filelock.FileLock(self._folder / f"maker-{maker}.lock", mode=0o600, thread_local=False)

    def _file(self, key: str) -> Path:
        return self._folder / f"request-{key}.json"


def _request(key: str, data: dict[str, Any]) -> UnfinishedRequest:
    """A request as it was recorded.

    Raises:
        ValueError, TypeError, KeyError: it is damaged; what it names goes into a script, and is removed.
    """
    owner = data["owner"]
    if not _IDENTIFIER.fullmatch(key) or type(owner["pid"]) is not int or owner["pid"] < 1:
        raise ValueError("no key, or no process")
    identity = ShellIdentity(owner["pid"], _text(owner["started"]), _text(owner["boot_id"]))
    return UnfinishedRequest(key, identity, tuple(_leftover(left) for left in data["leftovers"]))


def _leftover(data: dict[str, Any]) -> Leftover:
    names = ("path", "target", "old_digest", "new_digest", "top")
    left = Leftover(temporaries=tuple(map(_text, data["temporaries"])), **{name: _text(data[name]) for name in names})
    if not all(path.startswith("/") for path in (left.path, left.target, *left.temporaries, left.top or "/")):
        raise ValueError("not absolute")
    if not all(posixpath.basename(path).startswith(TEMPORARY_PREFIX) for path in left.temporaries):
        raise ValueError("not a temporary of ours")
    return left


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("not a text")
    return value


def _without_fence(request: UnfinishedRequest) -> UnfinishedRequest:
    return UnfinishedRequest(request.key, request.owner, request.leftovers, fence=False)
