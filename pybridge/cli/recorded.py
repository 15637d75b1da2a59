"""Finding changes in the undo journals of this machine: by id, session, time and path."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pybridge.cli.times import clock
from pybridge.errors import ConfigurationError
from pybridge.mirror.journal_dropped import Dropped
from pybridge.mirror.journal_entry import Entry, State, read_key
from pybridge.mirror.journal_records import JournalRecords, all_records, journal_folder, records_of
from pybridge.settings import Settings

SHORTEST = 4
"""Characters of an id that are shown at least."""

NOT_BASH = "Changes that commands (bash) made are not in the journal: they cannot be undone."
NOT_UNDONE = frozenset({State.MADE, State.PENDING, State.UNKNOWN, State.UNDOING})
NOT_STANDING = frozenset({State.UNDONE, State.UNDOING})


@dataclass(frozen=True)
class Recorded:
    """A change, and where it is recorded."""

    entry: Entry
    records: JournalRecords


@dataclass
class Journals:
    """All journals of this machine, read once.

    Args:
        folders: of every target.
        scope: the slug of the target that REMOTE_SSH names; None where it is not set.
    """

    folders: Sequence[JournalRecords]
    scope: str | None = None
    changes: list[Recorded] = field(default_factory=list)

    def __post_init__(self) -> None:
        found = [Recorded(entry, records) for records in self.folders for entry in records.entries()]
        self.changes = sorted(found, key=lambda change: change.entry.key)
        """Every readable change, oldest first."""
        self.dropped: list[Dropped] = [records.dropped() for records in self.in_scope()]
        self._lengths = _lengths([change.entry.id for change in self.changes])

    def in_scope(self) -> list[JournalRecords]:
        """The journals that are looked at where nothing else is said."""
        if self.scope is None:
            return list(self.folders)
        wanted = records_of(journal_folder(), self.scope).folder
        return [records for records in self.folders if records.folder == wanted]

    def short(self, entry: Entry) -> str:
        """The beginning of an id that no other has."""
        return entry.id[: self._lengths.get(entry.id, len(entry.id))]

    def by_id(self, prefix: str) -> Recorded:
        """The change whose id begins so, on whichever host.

        Raises:
            ConfigurationError: there is none, or more than one; or it was dropped.
        """
        wanted = prefix.strip().lower()
        found = [change for change in self.changes if wanted and change.entry.id.startswith(wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(self.short(change.entry) for change in found)
            raise ConfigurationError(f"{prefix} may be any of {names}.", next_step="Write more of it.")
        for records in self.folders:
            for gone in records.dropped().changes:
                if wanted and gone.id.startswith(wanted) and (parsed := read_key(gone.key)):
                    raise ConfigurationError(
                        f"Change {gone.id} of {clock(parsed[0])} was dropped, because the journal was full; it cannot "
                        "be undone any more.",
                        next_step="PYBRIDGE_JOURNAL_MB sets how much is kept.",
                    )
            for folder in records.unreadable():
                if wanted and folder.name.partition("-")[2].startswith(wanted):
                    raise ConfigurationError(
                        f"The record of change {prefix} is damaged; it cannot be undone.",
                        next_step=f"What is left of the files' contents lies in {folder}.",
                    )
        raise ConfigurationError(
            f"There is no change {prefix} in the journal.", next_step="`pybridge history` lists them."
        )

    def select(
        self, *, session: str | None = None, since: datetime.datetime | None = None, path: str | None = None
    ) -> list[Recorded]:
        """Changes in scope, oldest first.

        Args:
            session: an OpenCode session's id, or the beginning of one.
            since: not older than this.
            path: a remote file or folder; its end will do.

        Raises:
            ConfigurationError: `session` begins several sessions' ids.
        """
        folders = {records.folder for records in self.in_scope()}
        found = [change for change in self.changes if change.records.folder in folders]
        if session is not None:
            ids = {change.entry.session_id for change in found if change.entry.session_id.startswith(session)}
            if len(ids) > 1 and session not in ids:
                raise ConfigurationError(
                    f"{session} may be any of {', '.join(sorted(ids))}.", next_step="Write more of it."
                )
            exact = session if session in ids else next(iter(ids), session)
            found = [change for change in found if change.entry.session_id == exact]
        if since is not None:
            found = [change for change in found if change.entry.time >= since]
        if path is not None:
            found = [change for change in found if _touches(change.entry, path)]
        return found


def open_journals(env: Mapping[str, str]) -> Journals:
    """Every journal there is, and the target of REMOTE_SSH, if that is set.

    Raises:
        ConfigurationError: REMOTE_SSH cannot be read.
    """
    scope = None
    if env.get("REMOTE_SSH", "").strip():
        from pybridge.transport.carriers import find_route

        scope = find_route(Settings.from_environment(env)).target.slug
    return Journals(all_records(journal_folder()), scope)


def _touches(entry: Entry, path: str) -> bool:
    wanted = path.removeprefix("./").rstrip("/") + "/"
    names = {f"{name}/" for file in entry.files for name in (file.path, file.real)}
    if wanted.startswith("/"):
        return any(name.startswith(wanted) for name in names)
    return any(f"/{wanted}" in name for name in names)


def _lengths(ids: Iterable[str]) -> dict[str, int]:
    """For each id how much of it tells it from all others."""
    lengths: dict[str, int] = {}
    ordered = sorted(set(ids))
    for index, id in enumerate(ordered):
        near = [ordered[other] for other in (index - 1, index + 1) if 0 <= other < len(ordered)]
        lengths[id] = max([SHORTEST, *(_common(id, other) + 1 for other in near)])
    return lengths


def _common(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
