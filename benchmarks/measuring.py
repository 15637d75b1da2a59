"""Measuring: several implementations in turn, round by round, so that whatever the machine does meets all alike."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.adapter import Adapter, Timed, TookTooLongError
from benchmarks.adapters.protocol import CallFailedError, UnsupportedError
from benchmarks.link import Counts
from benchmarks.place import Link

SLOW_SECONDS = 5.0
"""What takes longer is measured once."""

LIMIT_SECONDS = 10.0
"""What takes longer is given up."""


@dataclass
class Subject:
    """An implementation that is connected, and its link.

    Attributes:
        adapter: its driver.
        link: the way it takes, which is its alone.
        ready_at: when all that its last call began in the background is over.
    """

    adapter: Adapter
    link: Link
    ready_at: float = 0.0

    @property
    def name(self) -> str:
        """What the tables call it."""
        return self.adapter.name

    @property
    def settle_seconds(self) -> float:
        """How long it may take to make ready in the background what an operation used up: some round trips."""
        return 0.2 + 6 * self.link.round_trip

    async def settled(self) -> None:
        """Wait until that is over."""
        await asyncio.sleep(self.ready_at - time.monotonic())


@dataclass
class Measured:
    """What one operation took one implementation.

    Attributes:
        seconds: of each run.
        counts: over the link in each run; empty where nothing is counted.
        why: why there is no figure: the reason it is unsupported, has failed or was given up.
        given_up: whether it was given up for taking too long.
    """

    seconds: list[float] = field(default_factory=list)
    counts: list[Counts] = field(default_factory=list)
    why: str = ""
    given_up: bool = False

    @property
    def median(self) -> float:
        """In seconds; infinite where there is none."""
        return statistics.median(self.seconds) if self.seconds else float("inf")

    @property
    def low(self) -> float:
        """The fastest run, in seconds."""
        return min(self.seconds, default=float("inf"))

    @property
    def high(self) -> float:
        """The slowest run, in seconds."""
        return max(self.seconds, default=float("inf"))

    @property
    def round_trips(self) -> float | None:
        """Counted, the median; None where nothing is counted."""
        return statistics.median(counts.round_trips for counts in self.counts) if self.counts else None

    @property
    def moved(self) -> int | None:
        """Bytes over the link both ways, the median; None where nothing is counted."""
        moved = [counts.to_server + counts.to_client for counts in self.counts]
        return int(statistics.median(moved)) if moved else None


Action = Callable[[Subject, int], Awaitable[Timed | float]]
"""Does one operation; the number of the run tells it which fresh names to take. Answers what it took."""


Control = Callable[[], Awaitable[float]]
"""Does the same without us; answers the seconds it took."""


async def interleaved(
    subjects: Sequence[Subject],
    action: Action,
    *,
    runs: int = 5,
    prepare: Action | None = None,
    controls: Mapping[str, Control] | None = None,
) -> dict[str, Measured]:
    """Measure one operation for several implementations.

    Each does it once in each round; every round begins with another. One that takes long does it once.

    Args:
        action: the operation.
        runs: how many rounds.
        prepare: what comes before it, for all before any does it, and is not measured.
        controls: also done once in each round.

    Returns:
        what it took each, by name; the controls last.
    """
    found = {subject.name: Measured() for subject in subjects}
    found |= {name: Measured() for name in controls or {}}
    left = list(subjects)
    for run in range(runs):
        turn = run % max(len(left), 1)
        for step in (prepare, action) if prepare else (action,):
            for subject in left[turn:] + left[:turn]:
                measured = found[subject.name]
                try:
                    await subject.settled()
                    if step is prepare:
                        await step(subject, run)
                    else:
                        await _once(subject, step, run, measured)
                except (UnsupportedError, TookTooLongError, CallFailedError) as error:
                    measured.why = str(error)
                    measured.given_up = isinstance(error, TookTooLongError)
                subject.ready_at = time.monotonic() + subject.settle_seconds
                if measured.why or (measured.seconds and measured.high > SLOW_SECONDS):
                    left.remove(subject)
        for name, control in (controls or {}).items():
            found[name].seconds.append(await control())
    return found


async def _once(subject: Subject, action: Action, run: int, measured: Measured) -> None:
    before = await subject.link.counts()
    took = await action(subject, run)
    after = await subject.link.counts()
    measured.seconds.append(took.seconds if isinstance(took, Timed) else took)
    if before is not None and after is not None:
        measured.counts.append(after - before)
