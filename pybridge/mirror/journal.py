"""The undo journal: every change of a tool's, with the contents before and after it, recorded before it is made.

Local storage only; whoever undoes asks the remote. Layout, below the platform's state folder:

    journal/TARGET/TIME-ID/entry.json    what the change is and how it stands
    journal/TARGET/TIME-ID/before-0      the first file's content before, as it was, and so on
    journal/TARGET/TIME-ID/after-0
    journal/TARGET/dropped.json          what was dropped to keep the size

A folder for each change rather than one store of contents, because then

- nothing is shared, so nothing has to be counted: no lock is needed to record, to read or to drop one, a killed process
  blocks nobody, and damage stays with one change. Where the file system has hard links, the content after one change
  and before the next is one file on the disk all the same;
- the contents are put there first and `entry.json` last, each file whole: a folder without one is a change that was
  never asked for, since the request goes out only after that;
- a person can take a content out by hand.

Nothing waits for the disk: a kill of the process loses nothing that was written, and a power failure of this machine
at most the last seconds of the journal. The remote files are whole in any case, and a sync would cost more than all the
rest of an edit.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import logging
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from pybridge.errors import LocalStorageError
from pybridge.host.model import ABSENT, FileVersion
from pybridge.locations import private_folder, slug, state_folder, write_private
from pybridge.mirror.background_trimming import BackgroundTrimming
from pybridge.mirror.journal_dropped import Dropped, read_dropped
from pybridge.mirror.journal_entry import (
    ENTRY,
    ChangedFile,
    Entry,
    Image,
    Origin,
    Side,
    State,
    Target,
    from_json,
    key_of,
    new_id,
    read_key,
    to_json,
    version_here,
    with_state,
)
from pybridge.mirror.journal_trimming import trim
from pybridge.mirror.trimming import space_on_disk

DEFAULT_MAX_BYTES = 256 * 1024 * 1024

_LINKABLE = 1024
_LOGGER = logging.getLogger(__name__)


def journal_folder() -> Path:
    """The folder of all journals (not created)."""
    return state_folder() / "journal"


class Journal:
    """The journal of one target. Its operations wait for the local disk; they may be called from several threads.

    Args:
        root: the folder of all targets' journals.
        target: where changes are made.
        max_bytes: disk space that all journals may take; the oldest changes go first, the newest never.
    """

    def __init__(self, root: Path, target: Target, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.target = target
        self._root = root
        self._records = JournalRecords(root / slug(target.slug))
        self._max_bytes = max_bytes
        self._trimming = BackgroundTrimming(self.trim, max_bytes, "pybridge-journal-trim")
        self._lock = threading.Lock()
        self._last_time = datetime.datetime.min.replace(tzinfo=datetime.UTC)
        self._latest: OrderedDict[FileVersion, Path] = OrderedDict()

    @property
    def records(self) -> JournalRecords:
        """What is recorded."""
        return self._records

    def begin(self, origin: Origin, images: Sequence[Image]) -> Entry:
        """Record a change before the request that makes it is sent.

        Raises:
            LocalStorageError: it could not be recorded, so the request must not be made.
        """
        entry = Entry(
            id=new_id(),
            time=self._now(),
            target=self.target,
            origin=origin,
            state=State.PENDING,
            files=tuple(
                ChangedFile(i.path, i.real, version_here(i.before), version_here(i.after), i.mode, i.new_mode)
                for i in images
            ),
        )
        folder = self._records.folder / entry.key
        try:
            private_folder(folder)
            for index, (image, file) in enumerate(zip(images, entry.files, strict=True)):
                self._put(folder / f"{Side.BEFORE.value}-{index}", file.before, image.before)
                self._put(folder / f"{Side.AFTER.value}-{index}", file.after, image.after)
            write_private(folder / ENTRY, to_json(entry), durable=False)
        except LocalStorageError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise LocalStorageError(
                f"The change could not be recorded for undo, so it was not made. {error.message}",
                next_step=f"Make room on this machine for {self._root}, or see to its permissions. `pybridge clean "
                "--journal` removes the journal; PYBRIDGE_JOURNAL_MB=0 works without one.",
            ) from error
        self._trimming.wrote(space_on_disk(sum(len(i.before or b"") + len(i.after or b"") for i in images)))
        return entry

    def close(self) -> None:
        """Wait for a trimming under way."""
        self._trimming.close()

    def trim(self) -> None:
        """Drop the oldest changes until seven eighths of the space are enough."""
        try:
            trim(self._root, self._max_bytes)
        except (OSError, LocalStorageError) as error:
            _LOGGER.info("The journal %s could not be trimmed: %s", self._root, error)

    def _now(self) -> datetime.datetime:
        """The time, and later than any this journal gave before."""
        with self._lock:
            step = datetime.timedelta(microseconds=1)
            self._last_time = max(datetime.datetime.now(datetime.UTC), self._last_time + step)
            return self._last_time

    def _put(self, file: Path, version: FileVersion, content: bytes | None) -> None:
        if content is None:
            return
        with self._lock:
            same = self._latest.pop(version, None)
        if same is None or len(content) < _LINKABLE or not _link(same, file):
            write_private(file, content, durable=False)
        with self._lock:
            self._latest[version] = file
            while len(self._latest) > 1000:
                self._latest.popitem(last=False)


class JournalRecords:
    """What is recorded for one target: to be read, and marked.

    Args:
        folder: of this target's journal.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self, *, session_id: str | None = None, message_id: str | None = None) -> list[Entry]:
        """The recorded changes, oldest first; unreadable ones are left out.

        Args:
            session_id, message_id: only those of this OpenCode session, of this message.
        """
        read = (self._read(key) for key in self.keys())
        return [
            entry
            for entry in read
            if isinstance(entry, Entry)
            and session_id in (None, entry.session_id)
            and message_id in (None, entry.message_id)
        ]

    def keys(self) -> list[str]:
        """The names of all changes' folders, oldest first, those that are unreadable or in the making among them."""
        try:
            return sorted(name for name in os.listdir(self.folder) if read_key(name))  # noqa: PTH208
        except OSError:
            return []

    def unreadable(self) -> list[Path]:
        """Folders of changes whose record is damaged."""
        return [self.folder / key for key in self.keys() if isinstance(self._read(key), ValueError)]

    def get(self, key: str) -> Entry | None:
        """One change as it stands now; None if it is not there, or unreadable."""
        entry = self._read(key)
        return entry if isinstance(entry, Entry) else None

    def content(self, entry: Entry, index: int, side: Side) -> bytes | None:
        """The content of a file before or after a change.

        Args:
            index: which of the change's files.

        Returns:
            None where there was no file, and where the journal's copy is missing or damaged: `holds` tells them apart.
        """
        version = entry.files[index].version(side)
        if version == ABSENT:
            return None
        try:
            content = (self.folder / entry.key / f"{side.value}-{index}").read_bytes()
        except OSError:
            return None
        return content if f"sha256:{hashlib.sha256(content).hexdigest()}" == version.digest else None

    def holds(self, entry: Entry, index: int, side: Side) -> bool:
        """Whether that side can be put back: its content is here and sound, or there was no file."""
        return entry.files[index].version(side) == ABSENT or self.content(entry, index, side) is not None

    def mark(self, entry: Entry, state: State, trouble: str | None = None) -> None:
        """Note how a change stands now. What cannot be noted is logged: undo then finds out from the remote.

        Args:
            trouble: why it could not be undone or redone, in a sentence; None forgets what was noted before.
        """
        file = self.folder / entry.key / ENTRY
        try:
            if file.exists():  # else it was dropped meanwhile
                write_private(file, to_json(with_state(entry, state, trouble)), durable=False)
        except (OSError, LocalStorageError) as error:
            _LOGGER.warning("That change %s is %s could not be noted: %s", entry.id, state.value, error)

    def dropped(self) -> Dropped:
        """What was dropped to keep the journal's size."""
        return read_dropped(self.folder)

    def _read(self, key: str) -> Entry | ValueError | None:
        try:
            entry = from_json((self.folder / key / ENTRY).read_bytes())
            if key_of(entry.time, entry.id) != key:
                raise ValueError(f"it is the entry of {entry.id}")
        except OSError:
            return None
        except ValueError as error:
            _LOGGER.info("The journal's entry %s is unreadable: %s", self.folder / key, error)
            return error
        return entry


def all_records(root: Path) -> list[JournalRecords]:
    """The records of every target."""
    with contextlib.suppress(OSError):
        return [JournalRecords(folder) for folder in sorted(root.iterdir()) if folder.is_dir()]
    return []


def records_of(root: Path, target_slug: str) -> JournalRecords:
    """The records of one target.

    Args:
        target_slug: the transport's slug of REMOTE_SSH.
    """
    return JournalRecords(root / slug(target_slug))


def _link(existing: Path, file: Path) -> bool:
    try:
        os.link(existing, file)
    except OSError:  # no hard links there, or dropped meanwhile
        return False
    return True
