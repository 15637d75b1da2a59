"""Which points are tried, by whom, and what is said of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from tests.faults.judging import Verdict
from tests.faults.lane import Lane
from tests.faults.operations import POINT
from tests.kit.figures import tell

GROUP = "crash matrix"
SEED = int(os.environ.get("PYBRIDGE_SEED", "5"))
_POINT_SECONDS = 150.0


class Point(Protocol):
    """One place or moment of one operation; `str` shows what is needed to try it alone."""

    @property
    def operation(self) -> str:
        """What is interrupted."""
        ...

    @property
    def kind(self) -> str:
        """The class it is counted in."""
        ...


class Renewable(Protocol):
    """What points are tried on, one after another."""

    async def renew(self) -> None:
        """Begin anew: what was tried last has broken something."""
        ...


P = TypeVar("P", bound=Point)
L = TypeVar("L", bound=Renewable)


def choose(points: Sequence[P], parse: Callable[[str], P], most: int | None) -> list[P]:
    """The points to try. The test is skipped if another one's is asked for.

    Args:
        points: all there are.
        parse: reads a point that `str` has shown.
        most: of each class; 0 for one of each operation only, whichever class that is of; None for all.
    """
    if POINT is not None:
        asked = []
        for text in POINT.split(","):
            with contextlib.suppress(ValueError):
                asked.append(parse(text))
        if asked := [point for point in asked if point.kind in {other.kind for other in points}]:
            return asked
        pytest.skip(f"{POINT} is no point of this test")
    if most is None:
        return list(points)
    classes: dict[str, list[P]] = {}
    for point in points:
        classes.setdefault(point.kind if most else point.operation, []).append(point)
    chosen = []
    for name, members in classes.items():
        chosen += random.Random(f"{SEED} {name}").sample(members, min(most or 1, len(members)))
    return chosen


@contextlib.asynccontextmanager
async def lanes(make: Callable[[Path], Lane], folder: Path, count: int) -> AsyncIterator[list[Lane]]:
    """Some lanes, each with a folder of its own."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(make(folder / f"lane{n}")) for n in range(count)]


async def try_points(
    lanes: Sequence[L], points: Sequence[P], attempt: Callable[[L, P], Awaitable[Verdict]]
) -> list[Verdict]:
    """Every point, on whichever lane is free. After one that broke the promise its lane begins anew."""
    waiting = list(reversed(points))
    verdicts: list[Verdict] = []

    async def work(lane: L) -> None:
        while waiting:
            point = waiting.pop()
            try:
                async with asyncio.timeout(_POINT_SECONDS):
                    verdict = await attempt(lane, point)
            except TimeoutError:
                verdict = Verdict(str(point), point.kind, wrong=["it did not come to an end"])
            verdicts.append(verdict)
            if verdict.wrong:
                await lane.renew()

    await asyncio.gather(*(work(lane) for lane in lanes))
    return verdicts


def report(request: pytest.FixtureRequest, verdicts: Sequence[Verdict], points: Sequence[Point]) -> None:
    """Tell the figures of each class, and fail if a point broke the promise."""
    there = Counter(point.kind for point in points)
    for kind in sorted({verdict.kind for verdict in verdicts}):
        tried = [verdict for verdict in verdicts if verdict.kind == kind]
        wrong = sum(bool(verdict.wrong) for verdict in tried)
        tell(request, GROUP, kind, len(tried), wrong)
        said = ", ".join(f"{n} {told}" for told, n in sorted(Counter(v.told.value for v in tried).items()))
        missed = sum(not verdict.struck for verdict in tried)
        request.node.user_properties.append(
            ("told", f"{kind}: {len(tried)} of {there[kind]} points, {wrong} wrong; told: {said}; {missed} not met")
        )
    broken = [str(verdict) for verdict in verdicts if verdict.wrong]
    if broken:
        pytest.fail(f"{len(broken)} of {len(verdicts)} points (seed {SEED}):\n" + "\n".join(broken), pytrace=False)
