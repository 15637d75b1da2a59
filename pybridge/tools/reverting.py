"""OpenCode's /undo and /redo: which journaled changes they are about, and what the user is told of the outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from pybridge.mirror.journal_entry import Entry, State
from pybridge.mirror.journal_records import JournalRecords
from pybridge.mirror.reverted_changes import Reverted, RevertedChanges
from pybridge.tools.conversation import Conversation, Place, Point
from pybridge.tools.permissions import relative
from pybridge.tools.session import Session
from pybridge.tools.undoing import Outcome, Result, redo, undo

HISTORY = "See `pybridge history`."


@dataclass
class _Plan:
    """What a move of the point asks for.

    Args:
        undo, redo: changes, in any order.
        half_redone, half_undone: those of `undo` and of `redo` of which it is not known whether they are made again,
            and undone: that is finished first.
        kept: changes that /undo had undone and that stay so, each with the part it belongs to.
        owners: the parts that those to be undone and redone belong to; nothing for one that is not there any more.
        gone: how many more changes it is about that the journal has no more.
    """

    undo: list[Entry] = field(default_factory=list)
    redo: list[Entry] = field(default_factory=list)
    half_redone: list[Entry] = field(default_factory=list)
    half_undone: list[Entry] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    gone: int = 0


async def revert(
    session: Session, host: str, point: Point | None, conversation: Conversation, reverted: RevertedChanges
) -> dict[str, str]:
    """Undo the changes of what is taken back, make those again that /undo had undone and that are taken back no more.

    What a user undid by hand is left alone, and so is what /undo had undone in messages that OpenCode has removed.

    Args:
        host: as a person would name it.
        point: where the session is taken back to; None for nowhere.
        conversation: what is left of it.
        reverted: what /undo has undone so far; kept up to date.

    Returns:
        `message` and `variant` of a notice; nothing where there is nothing to tell.

    Raises:
        RemoteError: the remote could not be asked, or what is undone could not be written down: nothing was done.
    """
    if session.journal is None:
        message = "No journal is kept (PYBRIDGE_JOURNAL_MB is 0): the remote's files stay as they are."
        return {} if point is None else {"message": message, "variant": "warning"}
    name = conversation.session_id
    plan = await asyncio.to_thread(_plan, session.journal.records, point, conversation, reverted.get(name))
    left = Reverted(plan.kept | plan.owners, [e.id for e in plan.undo], [e.id for e in plan.redo])
    # Before, so that whoever comes after a sidecar that dies in the middle knows of it.
    await asyncio.to_thread(reverted.put, name, left)
    report = _Report(session, host, plan.gone)
    if plan.half_redone:
        await _redo(session, plan.half_redone)
    if plan.half_undone:
        await _undo(session, plan.half_undone)
    if plan.undo:
        outcomes = await _undo(session, plan.undo)
        report.undone(outcomes)
        _let_know(session, conversation, outcomes)
        left = _without(
            left, (o for o in outcomes if o.result is not Result.ERROR and o.entry.state is not State.UNDONE)
        )
        left = replace(left, undoing=[o.entry.id for o in outcomes if o.result is Result.ERROR])
    if plan.redo:
        outcomes = await _redo(session, plan.redo)
        report.redone(outcomes)
        _let_know(session, conversation, outcomes)
        left = _without(left, (outcome for outcome in outcomes if outcome.well))
        left = replace(left, redoing=[o.entry.id for o in outcomes if o.result is Result.ERROR])
    await asyncio.to_thread(reverted.put, name, left)
    return report.notice()


def _plan(records: JournalRecords, point: Point | None, conversation: Conversation, ours: Reverted) -> _Plan:
    sessions = set(conversation.sessions)
    plan = _Plan()
    for entry in records.entries():
        asked = Place(entry.session_id, entry.message_id, entry.origin.call_id)
        place = conversation.place(asked, entry.time.timestamp())
        if place is None or entry.state is State.NOT_MADE:
            continue
        undone, part = entry.state is State.UNDONE, ours.changes.get(entry.id)
        if conversation.is_reverted(place, point):
            half = undone and entry.id in ours.redoing
            if undone and not half:
                plan.kept |= {entry.id: part} if part is not None else {}
                continue
            plan.undo.append(entry)
            plan.half_redone += [entry] if half else []
            if owner := conversation.owner(place):
                plan.owners[entry.id] = owner
        elif part is not None and conversation.holds(part) and (undone or entry.id in ours.undoing):
            plan.redo.append(entry)
            plan.half_undone += [] if undone else [entry]
            plan.owners[entry.id] = part
    for change in records.dropped().changes:
        place = Place(change.session_id, change.message_id, "")
        plan.gone += change.session_id in sessions and conversation.is_reverted(place, point)
    return plan


async def _undo(session: Session, entries: Sequence[Entry]) -> list[Outcome]:
    return await _finished(session, await undo(session, entries), State.UNDONE)


async def _redo(session: Session, entries: Sequence[Entry]) -> list[Outcome]:
    return await _finished(session, await redo(session, entries), State.MADE)


async def _finished(session: Session, outcomes: Sequence[Outcome], state: State) -> list[Outcome]:
    # Where an earlier attempt broke off after the remote had done it all, only the last of several changes of one file
    # can be seen in that file. The others are in its past, and were refused.
    assert session.journal is not None
    seen: set[str] = set()
    finished: list[Outcome] = []
    for outcome in reversed(outcomes):
        reals = {file.real for file in outcome.entry.files}
        if outcome.result is Result.REFUSED and reals <= seen:
            await asyncio.to_thread(session.journal.records.mark, outcome.entry, state)
            outcome = replace(outcome, entry=replace(outcome.entry, state=state), result=Result.ALREADY)
        if outcome.well:
            seen |= reals
        finished.insert(0, outcome)
    return finished


def _without(reverted: Reverted, outcomes: Iterable[Outcome]) -> Reverted:
    gone = {outcome.entry.id for outcome in outcomes}
    return replace(reverted, changes={id: part for id, part in reverted.changes.items() if id not in gone})


def _let_know(session: Session, conversation: Conversation, outcomes: Iterable[Outcome]) -> None:
    # The user asked for these versions himself: no session of this conversation is to take them for somebody else's.
    entries = (outcome.entry for outcome in outcomes if outcome.result is Result.RESTORED)
    for owner, real in {(entry.session_id, file.real) for entry in entries for file in entry.files}:
        version = session.versions.known(owner, real)
        for name in conversation.sessions:
            if version is not None and session.versions.known(name, real) is not None:
                session.versions.record(name, real, version)


@dataclass
class _Report:
    """Collects what is to be told."""

    session: Session
    host: str
    gone: int
    _said: list[str] = field(default_factory=list)
    _well: bool = True

    def undone(self, outcomes: Sequence[Outcome]) -> None:
        self._add(outcomes, "restored")

    def redone(self, outcomes: Sequence[Outcome]) -> None:
        self._add(outcomes, "changed again")

    def notice(self) -> dict[str, str]:
        said = list(self._said)
        if self.gone:
            said.append(f"{_count(self.gone, 'change')} too old for the journal: not restored.")
        if not said:
            return {}
        well = self._well and not self.gone
        return {"message": " ".join(said if well else [*said, HISTORY]), "variant": "success" if well else "warning"}

    def _add(self, outcomes: Sequence[Outcome], done: str) -> None:
        failed = [outcome for outcome in outcomes if not outcome.well]
        bad = list(dict.fromkeys(file.path for outcome in failed for file in outcome.entry.files))
        # A file of which some changes were restored and others not is not as it was.
        restored = (outcome.entry for outcome in outcomes if outcome.result is Result.RESTORED)
        good = {file.path for entry in restored for file in entry.files} - set(bad)
        if good:
            self._said.append(f"{_count(len(good), 'file')} {done} on {self.host}.")
        if bad:
            self._well = False
            names = relative(self.session, bad[0]) + (f" and {len(bad) - 1} more" if len(bad) > 1 else "")
            self._said.append(f"{names} {'were' if len(bad) > 1 else 'was'} not {done}: {_reason(failed[0])}")


def _reason(outcome: Outcome) -> str:
    if outcome.result is Result.REFUSED:
        return "changed since."
    if outcome.result is Result.MISSING:
        return "the journal's copy is missing or damaged."
    return outcome.text.split("\n")[0]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
