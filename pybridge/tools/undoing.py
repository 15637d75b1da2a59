"""Putting back what the tools changed, and making it again: from the journal, wherever a file still is as we left it.

A change is put back as a whole or not at all, and as every change is made: only if the remote files still are what was
compared (law 3). Where somebody has changed one of them since, nothing of that change is put back, and what either side
did is shown. Folders that were made for a new file stay.

The files of many changes are looked at in one round trip, and what is to be put there goes in another; if that one
fails, each change is tried by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pybridge.errors import RemoteError, ToolError
from pybridge.host.model import ABSENT, Applied, Change, Fetched, FileKind, FileVersion, Stat, VersionConflict
from pybridge.mirror.journal_entry import ChangedFile, Entry, State
from pybridge.mirror.journal_records import JournalRecords
from pybridge.tools.changing import was_not_made
from pybridge.tools.remote_files import EDIT_MAX_BYTES, fetch, keep
from pybridge.tools.session import Session
from pybridge.tools.undo_outcome import REDO, UNDO, Direction, Outcome, Result
from pybridge.tools.undo_refusal import changed_since, leads_elsewhere, version_now

__all__ = ["Outcome", "Result", "redo", "undo"]

LOCK_WAIT = 30.0
"""Seconds to wait for a call at work on the same file, which may itself be waiting for a person."""

MOST_CHANGES = 40
"""Changes that are looked at together: their files are in memory at once."""

MOST_BYTES = 16 * 1024 * 1024
"""What is put there in one request."""

SETTLED_AFTER = datetime.timedelta(minutes=10)
"""A change recorded longer ago than this is not under way any more, whoever made it."""


async def undo(session: Session, entries: Iterable[Entry]) -> list[Outcome]:
    """Put back what these changes made, the newest first.

    Args:
        session: connected to their host, with its journal.
        entries: from that journal, in any order.

    Returns:
        One for each, in the order in which they were undone.

    Raises:
        RemoteError: the remote could not be looked at, so how each stands is not known; doing it again finds out.
    """
    newest_first = sorted(entries, key=lambda entry: entry.key, reverse=True)
    return await _Turning(session, UNDO).all(newest_first)


async def redo(session: Session, entries: Iterable[Entry]) -> list[Outcome]:
    """Make these changes again that were undone, the oldest first; as `undo`."""
    return await _Turning(session, REDO).all(sorted(entries, key=lambda entry: entry.key))


@dataclass(frozen=True)
class _Step:
    """What turns one change back.

    Args:
        entry: the change, with the modes of files that are to be removed noted in it.
        changes: what is to be put on the remote; by real paths, the expected versions as they are now.
    """

    entry: Entry
    changes: tuple[Change, ...]


class _Turning:
    """One run over several changes, all in one direction."""

    def __init__(self, session: Session, direction: Direction) -> None:
        if session.journal is None:
            raise ToolError("No journal is kept, so nothing can be undone.", next_step="PYBRIDGE_JOURNAL_MB is 0.")
        self._session = session
        self._records: JournalRecords = session.journal.records
        self._direction = direction
        self._now: dict[str, Fetched] = {}
        self._recorded: list[Entry] | None = None
        self._turned: set[str] = set()
        self._differing: dict[str, list[ChangedFile]] = {}

    async def all(self, entries: Sequence[Entry]) -> list[Outcome]:
        reals = {file.real for entry in entries for file in entry.files}
        outcomes: list[Outcome] = []
        async with self._session.locks.hold(*reals, wait=LOCK_WAIT):
            for start in range(0, len(entries), MOST_CHANGES):
                outcomes += await self._some(entries[start : start + MOST_CHANGES])
            return await self._account(outcomes)

    async def _some(self, entries: Sequence[Entry]) -> list[Outcome]:
        paths = list(dict.fromkeys(file.path for entry in entries for file in entry.files))
        self._now = {}
        await self._look(paths)
        if len(entries) > 1:
            turned = set(self._turned)
            with contextlib.suppress(VersionConflict, RemoteError, _OneByOne):
                return await self._together(entries)
            self._turned = turned
            await self._look(paths)
        return [await self._one(entry) for entry in entries]

    async def _account(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes; a change was not refused if its files are farther back already than it would put them.

        So it is where an earlier run broke off after it had been carried out: only the last of several changes of one
        file can be told by that file.
        """
        reached: dict[str, FileVersion] = {}
        settled: list[Outcome] = []
        for outcome in reversed(outcomes):
            differing = self._differing.get(outcome.entry.key, [])
            past = all(reached.get(file.real) == file.version(self._direction.new) for file in differing)
            if outcome.result is Result.REFUSED and differing and past:
                text = f"It is {self._direction.done} already, as are changes beyond it."
                outcome = await self._settle(Outcome(outcome.entry, Result.ALREADY, text))
            if outcome.well:
                reached |= {file.real: file.version(self._direction.old) for file in outcome.entry.files}
            settled.insert(0, outcome)
        return settled

    async def _look(self, paths: Iterable[str]) -> None:
        self._now |= {file.path: file for file in await fetch(self._session, list(paths), EDIT_MAX_BYTES)}

    async def _together(self, entries: Sequence[Entry]) -> list[Outcome]:
        """All of them in one request.

        Raises:
            VersionConflict, RemoteError: it failed; nothing was noted yet.
            _OneByOne: they have to be done one after the other.
        """
        looked = dict(self._now)
        planned: list[Outcome | _Step] = []
        total: dict[str, Change] = {}
        for asked in entries:
            step = await self._plan(asked)
            planned.append(step)
            if isinstance(step, Outcome):
                continue
            self._turned.add(asked.key)
            for change in step.changes:
                total[change.path] = _after_another(total.get(change.path), change)
                self._stands(change, Applied(change.path, change.expected))
        if sum(len(change.content or b"") for change in total.values()) > MOST_BYTES:
            raise _OneByOne
        was = {file.real: file.content for file in looked.values()}
        steps = [each for each in planned if isinstance(each, _Step)]
        applied = await self._apply([each for each in total.values() if each.content != was[each.path]], steps)
        owners = {(change.path, step.entry.session_id) for step in steps for change in step.changes}
        for change, made in applied:
            for session_id in sorted(owner for path, owner in owners if path == change.path):
                keep(self._session, session_id, change.path, made, change.content)
        return [await self._settle(each if isinstance(each, Outcome) else self._restored(each)) for each in planned]

    async def _one(self, asked: Entry) -> Outcome:
        for _ in range(2):
            step = await self._plan(asked)
            if isinstance(step, Outcome):
                return await self._settle(step)
            try:
                for change, made in await self._apply(step.changes, [step]):
                    keep(self._session, step.entry.session_id, change.path, made, change.content)
                    self._stands(change, made)
                self._turned.add(asked.key)
                return await self._settle(self._restored(step))
            except VersionConflict:  # somebody was at it since we looked
                await self._look(file.path for file in asked.files)
            except RemoteError as error:
                entry = step.entry if was_not_made(error) else replace(step.entry, state=State.UNDOING)
                return await self._settle(self._failed(entry, error))
        text = f"Its files keep being changed; nothing of it was {self._direction.done}."
        return await self._settle(Outcome(asked, Result.REFUSED, text))

    async def _apply(self, changes: Iterable[Change], steps: Sequence[_Step]) -> list[tuple[Change, Applied]]:
        """Make the changes that these steps come to; the journal says before that it is being done.

        Raises:
            VersionConflict, RemoteError: it failed. Where it is not certain that nothing was done, the journal says so.
        """
        # New contents first, as in a patch: should the link die, a moved file is there twice rather than not at all.
        ordered = sorted(changes, key=lambda change: change.content is None)
        await asyncio.to_thread(self._mark, steps, State.UNDOING)
        try:
            return list(zip(ordered, await self._session.host.files.apply(ordered), strict=True))
        except (VersionConflict, RemoteError) as error:
            if was_not_made(error):
                await asyncio.to_thread(self._mark, steps, None)
            raise

    def _mark(self, steps: Sequence[_Step], state: State | None) -> None:
        """Note that state; None for the one before."""
        for step in steps:
            self._records.mark(step.entry, state or step.entry.state)

    async def _plan(self, asked: Entry) -> Outcome | _Step:
        """What turns a change back; or why it cannot be, or need not be."""
        # As it stands by now: another process may just have undone it.
        entry = await asyncio.to_thread(self._records.get, asked.key)
        done = self._direction.done
        if entry is None:
            return Outcome(asked, Result.MISSING, "It is no longer in the journal.")
        if entry.state is State.NOT_MADE:
            return Outcome(entry, Result.NOT_MADE, "It was never made.")
        if entry.state is self._direction.state:
            return Outcome(
                entry, Result.ALREADY, f"It is {done} already." if done == "undone" else "It stands already."
            )
        if self._direction.redo and entry.state not in (State.UNDONE, State.UNDOING):
            return Outcome(entry, Result.ALREADY, "It was not undone.")
        return await self._compare(entry)

    async def _compare(self, entry: Entry) -> Outcome | _Step:
        old, new, done = self._direction.old, self._direction.new, self._direction.done
        files = list(entry.files)
        differing: list[int] = []
        changes: list[Change] = []
        for index, file in enumerate(entry.files):
            now = self._now[file.path]
            if now.error is not None:
                return self._failed(entry, now.error)
            if now.real != file.real:
                return leads_elsewhere(entry, file, now, self._direction)
            version = await asyncio.to_thread(version_now, now)
            if version == file.version(old):
                content = await asyncio.to_thread(self._records.content, entry, index, new)
                if content is None and file.version(new) != ABSENT:
                    text = f"The journal's copy of {file.path} is missing or damaged; nothing of it was {done}."
                    return Outcome(entry, Result.MISSING, text)
                if content is None and now.stat is not None:
                    # It is to have this mode again, should it be put back.
                    left = now.stat.mode & 0o7777 or None
                    files[index] = replace(file, mode=left) if self._direction.redo else replace(file, new_mode=left)
                mode = file.new_mode if self._direction.redo else file.mode
                changes.append(Change(file.real, now.version or ABSENT, content, mode=mode))
            elif version != file.version(new):
                differing.append(index)
        if differing:
            return await self._refuse(entry, differing)
        if changes:
            # Files that hold already what they are to hold are left alone.
            return _Step(replace(entry, files=tuple(files)), tuple(changes))
        if entry.state in (State.PENDING, State.UNKNOWN):
            return Outcome(entry, Result.NOT_MADE, "It was not made: its files hold what they held before it.")
        return Outcome(entry, Result.ALREADY, f"Its files hold already what they held {new.value} it.")

    async def _refuse(self, entry: Entry, differing: Sequence[int]) -> Outcome:
        if self._recorded is None:
            self._recorded = await asyncio.to_thread(self._records.entries)
        self._differing[entry.key] = [entry.files[index] for index in differing]
        others = [other for other in self._recorded if other.key not in self._turned]
        return await asyncio.to_thread(
            changed_since, entry, differing, self._now, self._records, others, self._direction
        )

    async def _settle(self, outcome: Outcome) -> Outcome:
        """Note it in the journal."""
        entry, state, trouble = outcome.entry, outcome.entry.state, None
        if outcome.result is Result.RESTORED:
            state = self._direction.state
        elif outcome.result is Result.ALREADY:
            state = state if state in (State.PENDING, State.UNKNOWN) else self._direction.state
        elif outcome.result is Result.NOT_MADE:
            if datetime.datetime.now(datetime.UTC) - entry.time >= SETTLED_AFTER:
                state = State.NOT_MADE
        else:
            trouble = outcome.text
        if (state, trouble) == (entry.state, None):
            return outcome
        await asyncio.to_thread(self._records.mark, entry, state, trouble)
        return replace(outcome, entry=await asyncio.to_thread(self._records.get, entry.key) or entry)

    def _restored(self, step: _Step) -> Outcome:
        paths = ", ".join(file.path for file in step.entry.files)
        return Outcome(step.entry, Result.RESTORED, f"{self._direction.done.capitalize()}: {paths}")

    def _failed(self, entry: Entry, error: Exception) -> Outcome:
        return Outcome(entry, Result.ERROR, f"It could not be {self._direction.done}: {error}")

    def _stands(self, change: Change, made: Applied) -> None:
        """What was put there is what stands there."""
        for path, now in self._now.items():
            if now.real == change.path:
                stat = None
                if change.content is not None:
                    stat = now.stat or Stat(FileKind.FILE, len(change.content), change.mode or 0, 0.0, 1)
                self._now[path] = replace(now, stat=stat, version=made.version, content=change.content, unchanged=False)


class _OneByOne(Exception):
    """These changes cannot be put into one request."""


def _after_another(first: Change | None, second: Change) -> Change:
    """Two changes of one file as one.

    Raises:
        _OneByOne: a file that is there is to be removed and to be made again, with a mode of its own.
    """
    if first is None:
        return second
    if first.content is None and first.expected != ABSENT:
        raise _OneByOne
    return replace(second, expected=first.expected, mode=second.mode if first.content is None else first.mode)
