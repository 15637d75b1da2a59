"""Which tool calls of an OpenCode session its user has taken back (/undo), and which are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Point:
    """Where a session is taken back to: what begins there is hidden, and removed by the next prompt.

    Args:
        message_id: the first message taken back. Ids ascend with time, in all sessions of one OpenCode.
        part_id: its first part taken back; None for the whole message.
    """

    message_id: str
    part_id: str | None = None


@dataclass(frozen=True)
class Part:
    """One part of a message.

    Args:
        id: OpenCode's.
        call_id: of the tool call it stands for, if it does.
        session_id: the session of the sub-agent this call started, if it did.
        time: when the call began and ended, in seconds since the epoch; None while it runs.
    """

    id: str
    call_id: str | None = None
    session_id: str | None = None
    time: tuple[float, float] | None = None


@dataclass(frozen=True)
class Message:
    """One message with its parts, oldest first.

    Args:
        copied: from another session, of which this one is a fork; the ids of the message and its parts are new then.
    """

    id: str
    parts: Sequence[Part] = ()
    copied: bool = False


@dataclass(frozen=True)
class Place:
    """Where a change was made: the call's session, message and id."""

    session_id: str
    message_id: str
    call_id: str


@dataclass(frozen=True)
class Conversation:
    """What is left of a session.

    Args:
        session_id: OpenCode's.
        messages: oldest first, those taken back too while OpenCode keeps them.
        parents: the sessions of its sub-agents, and of theirs, each with the session that started it.
    """

    session_id: str
    messages: Sequence[Message]
    parents: Mapping[str, str] = field(default_factory=dict)

    @property
    def sessions(self) -> list[str]:
        """The session and those of its sub-agents."""
        return [self.session_id, *self.parents]

    def place(self, place: Place, time: float) -> Place | None:
        """Where a call stands in this session; None if it is neither of this session nor of one it is a fork of.

        Args:
            place: the call.
            time: within it, in seconds since the epoch. A fork keeps that and the call's own id, but not the message's.
        """
        if place.session_id in self.sessions:
            return place
        for message, part in ((m, p) for m in self.messages if m.copied for p in m.parts):
            if part.time is None or part.call_id is None or not part.time[0] <= time <= part.time[1]:
                continue
            if part.call_id == place.call_id or part.session_id == place.session_id:
                return Place(self.session_id, message.id, part.call_id)
        return None

    def is_reverted(self, place: Place, point: Point | None) -> bool:
        """Whether a call is taken back at `point`, its message there or removed already."""
        if point is None:
            return False
        if point.part_id is None or place.message_id < point.message_id:
            return place.message_id >= point.message_id
        # Not what stands in that message before the part, and what sub-agents did that were started there.
        owner = self._find(place)
        return owner is None or owner[0].id != point.message_id or owner[1].id >= point.part_id

    def owner(self, place: Place) -> str | None:
        """Id of the part a call belongs to, of a sub-agent's call the one that started it; None if it is not there."""
        found = self._find(place)
        return found[1].id if found else None

    def holds(self, part_id: str) -> bool:
        """Whether a part is there: OpenCode removes what is taken back once a new prompt is sent."""
        return any(part.id == part_id for message in self.messages for part in message.parts)

    def _find(self, place: Place) -> tuple[Message, Part] | None:
        if place.session_id == self.session_id:
            parts = ((m, p) for m in self.messages for p in m.parts if m.id == place.message_id)
            return next((found for found in parts if found[1].call_id == place.call_id), None)
        child = place.session_id
        while (parent := self.parents.get(child)) != self.session_id:
            if parent is None:
                return None
            child = parent
        # A sub-agent may be started again, later: what it did belongs to the call before.
        before = [m for m in self.messages if m.id <= place.message_id]
        started = [(m, p) for m in before for p in m.parts if p.session_id == child]
        return started[-1] if started else None
