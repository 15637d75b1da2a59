"""The outcome of one look."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pybridge.errors import RemoteError


class State(enum.Enum):
    """How it stands; the value is what is printed."""

    GOOD = "✓"
    BAD = "✗"
    NOTED = "!"
    SKIPPED = "–"


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Args:
        name: what.
        detail: what was found, or what is wrong.
        next_step: what to do, for a bad or noted one.
    """

    name: str
    state: State
    detail: str
    next_step: str | None = None

    def __str__(self) -> str:
        lines = [*self.detail.splitlines(), *(f"→ {line}" for line in (self.next_step or "").splitlines())]
        first, *rest = lines or [""]
        indent = "\n" + " " * 15
        return f"{self.state.value} {self.name:<12} {first}" + "".join(indent + line for line in rest)


def good(name: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(name, State.GOOD, detail)


def bad(name: str, error: BaseException) -> Finding:
    """Something is wrong; an error that is not of ours is a fault of pybridge's own."""
    if isinstance(error, RemoteError):
        return Finding(name, State.BAD, error.message, error.next_step)
    detail = f"This is a fault of pybridge's own: {type(error).__name__}: {error}"
    return Finding(name, State.BAD, detail, "Report it with the output of `pybridge doctor --report`.")


def noted(name: str, detail: str, next_step: str) -> Finding:
    """It works, but not as well as it could."""
    return Finding(name, State.NOTED, detail, next_step)


def skipped(name: str, why: str) -> Finding:
    """Not looked at."""
    return Finding(name, State.SKIPPED, why)
