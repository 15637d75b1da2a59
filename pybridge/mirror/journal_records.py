"""What the undo journal holds (its layout: `journal`): to be read, and marked with how each change stands."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

from pybridge.errors import LocalStorageError
from pybridge.host.model import ABSENT
from pybridge.locations import put_private, slug, stage_private, state_folder, write_private
from pybridge.mirror.journal_dropped import Dropped, read_dropped
from pybridge.mirror.journal_entry import ENTRY, Entry, Side, State, from_json, key_of, read_key, to_json, with_state

_LOGGER = logging.getLogger(__name__)


def journal_folder() -> Path:
    """The folder of all journals (not created)."""
    return state_folder() / "journal"


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

    def marking(self, entry: Entry, state: State) -> Marking:
        """A mark that is most likely to come, to be made ready before it is known."""
        return Marking(self, entry, state)

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


class Marking:
    """How a change will most likely stand, written beside its record while nobody waits for that.

    Args:
        records: where the change is recorded.
        entry: the change.
        state: how it will stand then.
    """

    def __init__(self, records: JournalRecords, entry: Entry, state: State) -> None:
        self._records, self._entry, self._state = records, entry, state
        self._file = records.folder / entry.key / ENTRY
        self._staged: Path | None = None
        self._over = False

    def prepare(self) -> None:
        """Write it, unless it is too late for that."""
        if not self._over:
            with contextlib.suppress(LocalStorageError):  # then it is tried, and told of, once it is wanted
                self._staged = stage_private(self._file, to_json(with_state(self._entry, self._state)))

    def mark(self) -> None:
        """It has come so; as `JournalRecords.mark`."""
        self._over = True
        try:
            if self._staged is not None and self._file.exists():
                put_private(self._staged, self._file)
                return
        except (OSError, LocalStorageError):
            pass  # as if it had not been prepared
        self._records.mark(self._entry, self._state)

    def drop(self) -> None:
        """It has come otherwise."""
        self._over = True
        if self._staged is not None:
            with contextlib.suppress(OSError):
                self._staged.unlink(missing_ok=True)


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
