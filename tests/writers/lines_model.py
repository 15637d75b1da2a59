"""What files may hold after calls of several writers: a model in which everybody only adds lines of their own.

Lines are unique and their order does not matter, so changes by different writers can be told apart whatever the order
they came in: a file's state is the set of its lines, and one that is lost is missing.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

ANCHOR = "anchor"
State = frozenset[str] | None
"""The lines of a file; None when it is not there."""


class Kind(enum.Enum):
    """What a change makes of a file."""

    ADD = "add"  # a line, next to the anchor: the file must be there
    APPEND = "append"  # a line; the file is made if it is not there
    REPLACE = "replace"  # everything by the anchor and a line
    CREATE = "create"  # the same, where no file is
    DELETE = "delete"  # the file must be there


class Told(enum.Enum):
    """What its author was told."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


@dataclass
class Effect:
    """One change of one file.

    Args:
        name: of the file.
        kind: what it does.
        line: the line it brings.
        told: how it went, as far as its author knows.
        shown: what its author was shown of the file before it was replaced or removed.
    """

    name: str
    kind: Kind
    line: str
    told: Told = Told.NOT_DONE
    shown: str = ""

    def on(self, state: State) -> list[State]:
        """What may stand afterwards; nothing if that cannot have gone as was told."""
        match self.told:
            case Told.NOT_DONE:
                return [state]
            case Told.UNKNOWN:
                return [state, *self._done(state)]
            case Told.DONE:
                return self._done(state)

    def _done(self, state: State) -> list[State]:
        fresh = frozenset({ANCHOR, self.line})
        match self.kind:
            case Kind.ADD:
                return [] if state is None else [state | {self.line}]
            case Kind.APPEND:
                return [fresh] if state is None else [state | {self.line}]
            case Kind.REPLACE:
                return [fresh]
            case Kind.CREATE:
                return [fresh] if state is None else []
            case Kind.DELETE:
                return [] if state is None else [None]


@dataclass
class Model:
    """What each file may hold."""

    possible: dict[str, set[State]] = field(default_factory=dict)
    certain: dict[str, frozenset[str]] = field(default_factory=dict)
    """Lines that each file held before the last changes, whatever else it may have held."""

    def take(self, effects: Sequence[Effect]) -> None:
        """Changes that were made at the same time, in whatever order they took effect."""
        for name in {effect.name for effect in effects}:
            mine = [effect for effect in effects if effect.name == name]
            self.certain[name] = frozenset.intersection(*(state or frozenset() for state in self.possible[name]))
            self.possible[name] = {
                state
                for order in itertools.permutations(mine)
                for before in self.possible[name]
                for state in _one_after_another(before, order)
            }

    def faults(self, now: dict[str, State], effects: Sequence[Effect] = ()) -> list[str]:
        """What is wrong with what stands there, given what was changed last."""
        found = [
            f"{name} holds {_shown(state)}, and may hold {' or '.join(map(_shown, self.possible[name]))}"
            for name, state in now.items()
            if state not in self.possible[name]
        ]
        for effect in effects:
            if effect.told is not Told.DONE or effect.kind not in (Kind.REPLACE, Kind.DELETE):
                continue
            others = {e.line for e in effects if e.name == effect.name and e.told is Told.DONE and e is not effect}
            lost = (self.certain[effect.name] | others) - (now[effect.name] or frozenset()) - _lines(effect.shown)
            found += [f"{line} of {effect.name} is lost, and nobody was shown it" for line in lost]
        return found

    def settle(self, now: dict[str, State]) -> None:
        """Nothing is under way any more: what stands is what is."""
        for name, state in now.items():
            self.possible[name] = {state}


def _one_after_another(state: State, effects: Iterable[Effect]) -> set[State]:
    states = {state}
    for effect in effects:
        states = {after for before in states for after in effect.on(before)}
    return states


def _lines(diff: str) -> set[str]:
    return {line[1:] for line in diff.splitlines()}


def _shown(state: State) -> str:
    return "nothing" if state is None else "{" + ", ".join(sorted(state)) + "}"
