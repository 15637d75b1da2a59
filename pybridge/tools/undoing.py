"""Putting back what the tools changed, and making it again: from the journal, wherever a file still is as we left it.

A change is put back as a whole or not at all, and as every change is made: only if the remote files still are what was
compared (law 3). Where somebody has changed one of them since, nothing of that change is put back, and what either side
did is shown. Folders that were made for a new file stay.
"""

from __future__ import annotations

import asyncio
import datetime
import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pybridge.errors import RemoteError, ToolError
from pybridge.host.model import ABSENT, Change, Fetched, FileKind, FileVersion, Stat, VersionConflict
from pybridge.mirror.journal import Journal
from pybridge.mirror.journal_entry import ChangedFile, Entry, Side, State, version_here
from pybridge.tools.remote_files import EDIT_MAX_BYTES, fetch, keep
from pybridge.tools.session import Session
from pybridge.tools.three_way import three_way

LOCK_WAIT = 30.0
"""Seconds to wait for a call at work on the same file, which may itself be waiting for a person."""

SETTLED_AFTER = datetime.timedelta(minutes=10)
"""A change recorded longer ago than this is not under way any more, whoever made it."""


class Result(enum.Enum):
    """What became of one change that was to be undone or redone."""

    RESTORED = "restored"  # undone, or made again
    ALREADY = "already"  # it was that way before
    NOT_MADE = "not made"  # it never came about, so there is nothing to undo
    REFUSED = "refused"  # a file has changed since; nothing of this change was put back
    MISSING = "missing"  # the journal has it no more, or a copy is damaged; nothing of this change was put back
    ERROR = "error"  # the remote did not take it


@dataclass(frozen=True)
class Outcome:
    """What became of one change.

    Args:
        entry: the change, as it stands now.
        result: machine-readable.
        text: a sentence for a person.
        details: where it was refused, what either side did, as diffs; else "".
        first: ids of changes of ours to the same files that have to be undone (redone) before it.
    """

    entry: Entry
    result: Result
    text: str
    details: str = ""
    first: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """The files hold what was asked for."""
        return self.result in (Result.RESTORED, Result.ALREADY, Result.NOT_MADE)


async def undo(session: Session, entries: Iterable[Entry]) -> list[Outcome]:
    """Put back what these changes made, the newest first.

    Args:
        session: connected to their host, with its journal.
        entries: from that journal, in any order.

    Returns:
        One for each, in the order in which they were undone.

    Raises:
        RemoteError: the remote could not be looked at; nothing was put back.
    """
    return await _Turning(session, redo=False).all(sorted(entries, key=lambda entry: entry.key, reverse=True))


async def redo(session: Session, entries: Iterable[Entry]) -> list[Outcome]:
    """Make these changes again that were undone, the oldest first; as `undo`."""
    return await _Turning(session, redo=True).all(sorted(entries, key=lambda entry: entry.key))


class _Turning:
    """One run over several changes, for all of which the files are looked at once."""

    def __init__(self, session: Session, *, redo: bool) -> None:
        if session.journal is None:
            raise ToolError("No journal is kept, so nothing can be undone.", next_step="PYBRIDGE_JOURNAL_MB is 0.")
        self._session = session
        self._journal: Journal = session.journal
        self._redo = redo
        self._from, self._to = (Side.BEFORE, Side.AFTER) if redo else (Side.AFTER, Side.BEFORE)
        self._done = "redone" if redo else "undone"
        self._now: dict[str, Fetched] = {}
        self._recorded: list[Entry] | None = None

    async def all(self, entries: Sequence[Entry]) -> list[Outcome]:
        reals = {file.real for entry in entries for file in entry.files}
        async with self._session.locks.hold(*reals, wait=LOCK_WAIT):
            await self._look(dict.fromkeys(file.path for entry in entries for file in entry.files))
            return [await self._one(entry) for entry in entries]

    async def _look(self, paths: Iterable[str]) -> None:
        self._now |= {file.path: file for file in await fetch(self._session, list(paths), EDIT_MAX_BYTES)}

    async def _one(self, asked: Entry) -> Outcome:
        records = self._journal.records
        # As it stands by now: another process may just have undone it.
        entry = await asyncio.to_thread(records.get, asked.key)
        if entry is None:
            return Outcome(asked, Result.MISSING, "It is no longer in the journal.")
        if entry.state is State.NOT_MADE:
            return Outcome(entry, Result.NOT_MADE, "It was never made.")
        if entry.state is (State.MADE if self._redo else State.UNDONE):
            return Outcome(entry, Result.ALREADY, f"It is {self._done} already.")
        if self._redo and entry.state is not State.UNDONE:
            return Outcome(entry, Result.ALREADY, "It was not undone.")
        outcome = await self._turn(entry)
        state, trouble = entry.state, None
        if outcome.result in (Result.RESTORED, Result.ALREADY):
            state = State.MADE if self._redo else State.UNDONE
        elif outcome.result is Result.NOT_MADE:
            if datetime.datetime.now(datetime.UTC) - entry.time < SETTLED_AFTER:
                return outcome  # it may yet be made by a call under way
            state = State.NOT_MADE
        else:
            trouble = outcome.text
        await asyncio.to_thread(records.mark, outcome.entry, state, trouble)
        return replace(outcome, entry=await asyncio.to_thread(records.get, entry.key) or outcome.entry)

    async def _turn(self, entry: Entry) -> Outcome:
        for _ in range(2):
            hindered = await self._hindrance(entry)
            if hindered is not None:
                return hindered
            try:
                return await self._apply(entry)
            except VersionConflict:  # somebody was at it since we looked
                await self._look(file.path for file in entry.files)
            except RemoteError as error:
                return Outcome(entry, Result.ERROR, f"It could not be {self._done}: {error}")
        return Outcome(entry, Result.REFUSED, f"Its files keep being changed; nothing of it was {self._done}.")

    async def _hindrance(self, entry: Entry) -> Outcome | None:
        """Why the change cannot be put back or need not be; None if it can."""
        differing: list[int] = []
        waiting = False
        for index, file in enumerate(entry.files):
            now = self._now[file.path]
            if now.error is not None:
                return Outcome(entry, Result.ERROR, f"It could not be {self._done}: {now.error}")
            if now.real != file.real:
                return Outcome(entry, Result.REFUSED, f"{_leads_elsewhere(file, now)} Nothing of it was {self._done}.")
            version = _version(now)
            if version == file.version(self._from):
                waiting = True
                if not await asyncio.to_thread(self._journal.records.holds, entry, index, self._to):
                    text = f"The journal's copy of {file.path} is missing or damaged; nothing of it was {self._done}."
                    return Outcome(entry, Result.MISSING, text)
            elif version != file.version(self._to):
                differing.append(index)
        if differing:
            return await self._refusal(entry, differing)
        if waiting:
            return None
        if entry.state in (State.PENDING, State.UNKNOWN):
            return Outcome(entry, Result.NOT_MADE, "It was not made: its files hold what they held before it.")
        return Outcome(entry, Result.ALREADY, f"Its files hold already what they held {self._to.value} it.")

    async def _apply(self, entry: Entry) -> Outcome:
        """Put back those files that are as the change left them; the others are as they are to be already.

        Raises:
            VersionConflict, RemoteError: nothing was put back.
        """
        changes: list[Change] = []
        files = list(entry.files)
        for index, file in enumerate(files):
            now = self._now[file.path]
            if _version(now) != file.version(self._from):
                continue
            content = await asyncio.to_thread(self._journal.records.content, entry, index, self._to)
            if content is None and now.stat is not None:
                # It is to have this mode again, should it be put back.
                left = now.stat.mode & 0o7777 or None
                files[index] = replace(file, mode=left) if self._redo else replace(file, new_mode=left)
            mode = file.new_mode if self._redo else file.mode
            changes.append(Change(file.real, now.version or ABSENT, content, mode=mode))
        changes.sort(key=lambda change: change.content is None)  # new contents first, as in a patch
        applied = await self._session.host.files.apply(changes)
        for change, made in zip(changes, applied, strict=True):
            await keep(self._session, entry.session_id, change.path, made, change.content)
            self._stands(change, made.version)
        text = f"{self._done.capitalize()}: {', '.join(file.path for file in files)}"
        return Outcome(replace(entry, files=tuple(files)), Result.RESTORED, text)

    def _stands(self, change: Change, version: FileVersion) -> None:
        """What we have just put there is what stands there."""
        for path, now in self._now.items():
            if now.real == change.path:
                content, stat = change.content, None
                if content is not None:  # of a file that was not there yet, the mode is not known
                    stat = now.stat or Stat(FileKind.FILE, len(content), change.mode or 0, 0.0, 1)
                self._now[path] = replace(now, stat=stat, version=version, content=content, unchanged=False)

    async def _refusal(self, entry: Entry, differing: Sequence[int]) -> Outcome:
        names = ", ".join(entry.files[index].path for index in differing)
        text = f"Changed since: {names}. Nothing of it was {self._done}."
        first, explained = await asyncio.to_thread(self._first, entry, [entry.files[index] for index in differing])
        if first:
            ids = " ".join(first)
            if explained and self._redo:
                text += f" Earlier changes to it are undone as well: redo those first: {ids}"
            elif explained:
                text += f" Later changes of ours did that: undo those first: {ids}"
            else:
                text += f" Other changes of ours to it are {'undone' if self._redo else 'later'}, too: {ids}"
        details = "" if explained else "\n".join([await self._details(entry, index) for index in differing])
        return Outcome(entry, Result.REFUSED, text, details, first)

    async def _details(self, entry: Entry, index: int) -> str:
        file, records = entry.files[index], self._journal.records
        sides = [await asyncio.to_thread(records.content, entry, index, side) for side in (self._to, self._from)]
        known = [records.holds(entry, index, side) for side in (self._to, self._from)]
        return await asyncio.to_thread(
            three_way, file.path, sides if all(known) else None, self._now[file.path], redo=self._redo
        )

    def _first(self, entry: Entry, differing: Sequence[ChangedFile]) -> tuple[tuple[str, ...], bool]:
        """Ids of changes that stand between this one and what is there now, and whether they account for all of it."""
        if self._recorded is None:
            self._recorded = self._journal.records.entries()
        between: list[Entry] = []
        explained = True
        for file in differing:
            chain = []
            for other in self._recorded if self._redo else reversed(self._recorded):
                if other.key == entry.key:
                    break
                if any(each.real == file.real for each in other.files):
                    latest = self._journal.records.get(other.key)
                    if latest is not None and self._stands_between(latest):
                        chain.append(latest)
            between += chain
            # The one that is to be turned back first must be what made the file as it is.
            ends = [each.version(self._from) for each in chain[0].files if each.real == file.real] if chain else []
            explained = explained and _version(self._now[file.path]) in ends
        keys = {each.key: each.id for each in between}
        return tuple(keys[key] for key in sorted(keys, reverse=not self._redo)), explained

    def _stands_between(self, other: Entry) -> bool:
        if self._redo:
            return other.state is State.UNDONE
        return other.state not in (State.UNDONE, State.NOT_MADE)


def _version(now: Fetched) -> FileVersion | None:
    """The journal's version of what is there; None for what is no file, or too large to be one of ours."""
    if now.kind is FileKind.MISSING:
        return ABSENT
    return version_here(now.content) if now.content is not None else None


def _leads_elsewhere(file: ChangedFile, now: Fetched) -> str:
    if now.kind is FileKind.MISSING and file.after == ABSENT:
        return (
            f"{file.path} was a symbolic link to {file.real}, and the change removed the link alone: "
            f"`ln -s` on the remote brings it back."
        )
    return f"{file.path} leads to {now.real} now, no longer to {file.real}."
