"""Contents of remote files as last seen, with their versions: kept over sessions, revalidated before use.

It is a cache: what it does not have costs one transfer, and no trouble with the local disk ever fails a call.

Layout below the mirror's folder: `manifest.json` (format, target, workdir); the plain content of each file where
`PathMapper` puts it; for each an entry `entries/xx/SHA256-OF-PATH.json` with its version and the SHA-256 of the local
copy. All sessions of one target and workdir, also in several processes, share one mirror; the only lock is held for the
moment of opening it. Two small files per remote file rather than one database, because then

- one operation touches two files, however many there are;
- no lock is needed to read or write, so no killed process can block another: each file is replaced whole, and a
  content that does not match its entry (two writers crossed, a disk fault, an editor) is dropped, never served;
- damage stays with one file, home folders on network file systems are fine, and a person can look at the mirror.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from pybridge.errors import LocalStorageError
from pybridge.host.model import ABSENT, FileVersion
from pybridge.locations import private_folder, write_private
from pybridge.mirror.background_trimming import BackgroundTrimming
from pybridge.mirror.manifest import ENTRIES, open_manifest
from pybridge.mirror.path_mapper import TREES, PathMapper
from pybridge.mirror.trimming import space_on_disk, trim

DEFAULT_MAX_BYTES = 512 * 1024 * 1024

MOST_WAITING_BYTES = 32 * 1024 * 1024
"""Of contents that wait to be kept: on a disk that is slower than the link, the rest is not kept."""

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Entry:
    path: str
    version: FileVersion
    sha256: str


class ContentStore:
    """The mirror of one remote folder on one host.

    Its operations wait for the local disk, and opening it for another process that opens it at that moment (at most
    10 s): call them from a thread where that matters. They may be called from several threads.

    Args:
        folder: the mirror's folder (`locations.mirror_folder`); created if missing.
        host: slug of the target.
        workdir: remote absolute folder, symlinks resolved.
        max_bytes: disk space all contents may take; the least recently used go first.
    """

    def __init__(self, folder: Path, host: str, workdir: str, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.mapper = PathMapper(workdir, folder)
        self.folder = folder
        self._max_bytes = max_bytes
        self._trimming = BackgroundTrimming(self.trim, max_bytes, "pybridge-mirror-trim")
        self.usable = open_manifest(folder, host, self.mapper.workdir)
        self._writer = ThreadPoolExecutor(1, "pybridge-mirror")
        self._written: Future[None] | None = None
        self._waiting_bytes = 0
        self._counting = threading.Lock()

    def get(self, path: str) -> tuple[FileVersion, bytes] | None:
        """The content last put for a remote path and its version; None when there is none, or it is damaged.

        Ask the remote whether that version still stands (`Fetch.held`) before the content is used.

        Args:
            path: remote absolute path, symlinks resolved.
        """
        if not self.usable:
            return None
        self._wait()
        entry = self._read_entry(path)
        if entry is None:
            return None
        local = self.mapper.to_local(path)
        try:
            content = local.read_bytes()
        except OSError:
            content = None
        sha256 = "" if content is None else hashlib.sha256(content).hexdigest()
        if content is None or sha256 != entry.sha256 or not _belongs(entry.version, content, sha256):
            _LOGGER.info("The local copy of %s is damaged and dropped", path)
            self.forget(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(local)  # when it was last used: what trimming goes by
        return entry.version, content

    def may_have(self, path: str) -> bool:
        """Whether it is worth while to `get` it; takes next to no time.

        Args:
            path: as for `get`.
        """
        being_kept = self._written is not None and not self._written.done()
        return self.usable and (being_kept or self._entry_file(path).exists())

    def put(self, path: str, version: FileVersion, content: bytes) -> bool:
        """Keep the content of a remote path.

        Args:
            path: remote absolute path, symlinks resolved.
            version: as the remote named it for this very content; ABSENT forgets the path.

        Returns:
            whether it is kept. It is not when it is too large (an eighth of the whole), when version and content do
            not belong together, or when the local disk does not take it; what was there before is gone then.
        """
        self._wait()
        return self._put(path, version, content)

    def put_later(self, files: Sequence[tuple[str, FileVersion, bytes]]) -> None:
        """Keep contents as `put` does, in a thread of its own: nobody waits for it but who asks for what is kept.

        Where too much waits already they are not kept. What was kept of them before is then found to be outdated by
        whoever asks the remote.

        Args:
            files: path, version and content of each.
        """
        size = sum(len(content) for _, _, content in files)

        def put_all() -> None:
            try:
                for path, version, content in files:
                    self._put(path, version, content)
            finally:
                self._count(-size)

        if not files or self._waiting_bytes + size > MOST_WAITING_BYTES:
            return
        self._count(size)
        try:
            self._written = self._writer.submit(put_all)
        except RuntimeError:  # it is closed: nobody asks for a copy any more
            self._count(-size)

    def _count(self, size: int) -> None:
        with self._counting:
            self._waiting_bytes += size

    def _put(self, path: str, version: FileVersion, content: bytes) -> bool:
        if not self.usable:
            return False
        sha256 = hashlib.sha256(content).hexdigest()
        if version == ABSENT or len(content) > self._max_bytes // 8 or not _belongs(version, content, sha256):
            self._forget(path)
            return False
        local = self.mapper.to_local(path)
        entry = {"path": path, "digest": version.digest, "size": version.size, "sha256": sha256}
        try:
            self._write(local, content)
            self._write(self._entry_file(path), json.dumps(entry).encode())
        except LocalStorageError as error:
            _LOGGER.warning("No local copy of %s is kept: %s", path, error.message)
            self._forget(path)
            return False
        self._trimming.wrote(space_on_disk(len(content)))
        return True

    def forget(self, path: str) -> None:
        """Drop what is kept of a remote path."""
        self._wait()
        self._forget(path)

    def _forget(self, path: str) -> None:
        if not self.usable:
            return
        # The entry first: content without an entry is never served.
        for file in (self._entry_file(path), self.mapper.to_local(path)):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)

    def trim(self) -> None:
        """Remove the least recently used until seven eighths of the space are enough, and what crashes left."""
        if not self.usable:
            return
        try:
            trim(self.folder, self.mapper, self._entry_file, self._max_bytes)
        except (OSError, LocalStorageError) as error:
            _LOGGER.info("The mirror %s could not be trimmed: %s", self.folder, error)

    def close(self) -> None:
        """Wait for what is being kept, and for a trimming under way."""
        self._writer.shutdown()
        self._trimming.close()

    def _wait(self) -> None:
        """Until everything is kept that was to be kept later."""
        if self._written is not None:
            wait((self._written,))  # the writer takes them in turn, so this one is the last

    def _entry_file(self, path: str) -> Path:
        digest = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:40]
        return self.folder / ENTRIES / digest[:2] / f"{digest}.json"

    def _read_entry(self, path: str) -> _Entry | None:
        file = self._entry_file(path)
        try:
            raw = json.loads(file.read_bytes())
            entry = _Entry(raw["path"], FileVersion(str(raw["digest"]), int(raw["size"])), str(raw["sha256"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            _LOGGER.info("The entry of %s is unreadable and dropped: %s", path, error)
            self.forget(path)
            return None
        return entry if entry.path == path else None

    def _write(self, file: Path, content: bytes) -> None:
        for attempts_left in (2, 1, 0):
            try:
                private_folder(file.parent)
                write_private(file, content, durable=False)
                return
            except LocalStorageError as error:
                # A trimming may just have removed the folder, empty as it was, between the two steps.
                raced = isinstance(error.__cause__, FileNotFoundError | FileExistsError)
                if not attempts_left or not (self._clear_way(file) or raced):
                    raise

    def _clear_way(self, file: Path) -> bool:
        """Where a remote file has become a folder, or a folder a file, remove the outdated copies in the way."""
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
            return not file.exists()
        for parent in file.relative_to(self.folder).parents:
            place = self.folder / parent
            if place.is_file() and parent.parts[0] in TREES:
                with contextlib.suppress(OSError):
                    place.unlink()
                    return True
        return False


def _belongs(version: FileVersion, content: bytes, sha256: str) -> bool:
    """Whether the version may be that of the content, as far as it can be told."""
    if version.size != len(content):
        return False
    algorithm, _, digest = version.digest.partition(":")
    if algorithm == "sha256":
        return digest.lower() == sha256
    if algorithm == "md5":
        return digest.lower() == hashlib.md5(content, usedforsecurity=False).hexdigest()
    return bool(digest)
