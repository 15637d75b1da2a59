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
- the contents are put there first and `entry.json` last, each file whole: a folder without one is a change whose
  request was never sent, since that goes out only afterwards. So they may be put there while somebody is still asked
  whether it may be made;
- a person can take a content out by hand.

Nothing waits for the disk: a kill of the process loses nothing that was written, and a power failure of this machine
at most the last seconds of the journal. The remote files are whole in any case, and a sync would cost more than all the
rest of an edit.
"""

from __future__ import annotations

import datetime
import logging
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pybridge.errors import LocalStorageError
from pybridge.host.model import FileVersion
from pybridge.locations import private_folder, slug, write_private
from pybridge.mirror.background_trimming import BackgroundTrimming
from pybridge.mirror.journal_entry import (
    ENTRY,
    ChangedFile,
    Entry,
    Image,
    Origin,
    Side,
    State,
    Target,
    key_of,
    new_id,
    to_json,
    version_here,
)
from pybridge.mirror.journal_records import JournalRecords
from pybridge.mirror.journal_trimming import trim
from pybridge.mirror.trimming import space_on_disk

DEFAULT_MAX_BYTES = 256 * 1024 * 1024

_LINKABLE = 1024
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A change whose contents have been put there, and nothing else of it."""

    id: str
    time: datetime.datetime
    files: tuple[ChangedFile, ...]

    @property
    def key(self) -> str:
        """The name of its folder."""
        return key_of(self.time, self.id)


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

    def prepare(self, images: Sequence[Image]) -> Prepared:
        """Put the contents of a change there, ahead of `begin`, while it is not known whether it will be made.

        Raises:
            LocalStorageError: they could not be.
        """
        prepared = Prepared(
            new_id(),
            self._now(),
            tuple(
                ChangedFile(i.path, i.real, version_here(i.before), version_here(i.after), i.mode, i.new_mode)
                for i in images
            ),
        )
        folder = self._records.folder / prepared.key
        try:
            private_folder(folder)
            for index, (image, file) in enumerate(zip(images, prepared.files, strict=True)):
                self._put(folder / f"{Side.BEFORE.value}-{index}", file.before, image.before)
                self._put(folder / f"{Side.AFTER.value}-{index}", file.after, image.after)
        except LocalStorageError as error:
            self.discard(prepared)
            raise self._not_recorded(error) from error
        return prepared

    def discard(self, prepared: Prepared) -> None:
        """Take them away again: the change is not made."""
        shutil.rmtree(self._records.folder / prepared.key, ignore_errors=True)

    def begin(self, origin: Origin, images: Sequence[Image], prepared: Prepared | None = None) -> Entry:
        """Record a change before the request that makes it is sent.

        Args:
            prepared: what `prepare` made of `images`.

        Raises:
            LocalStorageError: it could not be recorded, so the request must not be made.
        """
        prepared = (prepared and self._renewed(prepared)) or self.prepare(images)
        entry = Entry(
            id=prepared.id,
            time=prepared.time,
            target=self.target,
            origin=origin,
            state=State.PENDING,
            files=prepared.files,
        )
        folder = self._records.folder / entry.key
        try:
            write_private(folder / ENTRY, to_json(entry), durable=False)
        except LocalStorageError as error:
            self.discard(prepared)
            raise self._not_recorded(error) from error
        self._remember(folder, images, entry.files)
        self._trimming.wrote(space_on_disk(sum(len(i.before or b"") + len(i.after or b"") for i in images)))
        return entry

    def _renewed(self, prepared: Prepared) -> Prepared | None:
        """The same as of now, so that changes stand in the order in which they were made; None if it is gone."""
        renewed = replace(prepared, time=self._now())
        try:
            (self._records.folder / prepared.key).rename(self._records.folder / renewed.key)
        except OSError:
            self.discard(prepared)
            return None
        return renewed

    def _not_recorded(self, error: LocalStorageError) -> LocalStorageError:
        return LocalStorageError(
            f"The change could not be recorded for undo, so it was not made. {error.message}",
            next_step=f"Make room on this machine for {self._root}, or see to its permissions. `pybridge clean "
            "--journal` removes the journal; PYBRIDGE_JOURNAL_MB=0 works without one.",
        )

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
            same = self._latest.get(version)
        if same is None or len(content) < _LINKABLE or not _link(same, file):
            write_private(file, content, durable=False)

    def _remember(self, folder: Path, images: Sequence[Image], files: Sequence[ChangedFile]) -> None:
        """Remember where the contents lie now."""
        with self._lock:
            for index, (image, file) in enumerate(zip(images, files, strict=True)):
                sides = (Side.BEFORE, file.before, image.before), (Side.AFTER, file.after, image.after)
                for side, version, content in sides:
                    if content is not None:
                        self._latest.pop(version, None)
                        self._latest[version] = folder / f"{side.value}-{index}"
            while len(self._latest) > 1000:
                self._latest.popitem(last=False)


def _link(existing: Path, file: Path) -> bool:
    try:
        os.link(existing, file)
    except OSError:  # no hard links there, or dropped meanwhile
        return False
    return True
