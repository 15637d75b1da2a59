"""Many at once: parallel commands, several sessions and hosts, and whether anybody waits for somebody else's work."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.adapter import OWN
from benchmarks.bench import Bench
from benchmarks.measuring import Subject, interleaved
from benchmarks.section import Plot, Section, Table, cell, figures, milliseconds

SLEEP = 0.5
"""Seconds that a slow command takes."""

HOSTS = 4

_INTRO = (
    "Calls made at the same moment. A slow command sleeps for half a second. The first rows say how long all of them "
    "take; the others how long one call takes, from its own start, while the rest goes on. An sshd grants ten sessions "
    "to a connection, and pybridge holds three connections for commands and lends them what one for files can spare: "
    "more than about 34 commands of one session at once wait for one to end, so that the last few places are left to "
    "the others."
)

Call = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """What is done at once, and what is measured of it.

    Attributes:
        name: what the table calls it.
        calls: all of them.
        last: the last one's time is measured, not that of all.
    """

    name: str
    calls: list[Call]
    last: bool = False

    async def measure(self, subject: Subject, run: int) -> float:
        """Seconds."""
        many = await subject.adapter.many(self.calls, limit=30, checked=True)
        return many.each[-1].seconds if self.last else many.seconds


def _bash(command: str, session: str = "one") -> Call:
    return {"tool": "bash", "args": {"command": command}, "session": session}


def _read(name: str, session: str = "one", **args: object) -> Call:
    return {"tool": "read", "args": {"filePath": name, **args}, "session": session}


def rows(small: str, large: str, lines: int) -> list[Row]:
    """What is measured.

    Args:
        small: a small file.
        large: a huge one.
        lines: how many it has.
    """
    slow, flood = f"sleep {SLEEP}", "flood"
    sessions = [_bash(slow, f"agent {n % 8}") for n in range(24)]
    parts = [_read(large, offset=lines - n, limit=10) for n in range(6)]
    return [
        Row("30 x bash `true`", [_bash("true")] * 30),
        Row("24 slow commands of 8 sessions", sessions),
        Row("30 reads of 1 KB", [_read(small)] * 30),
        Row("a read beside 20 slow commands", [*[_bash(slow)] * 20, _read(small)], last=True),
        Row("a read beside the ends of a huge file, 6 times", [*parts, _read(small)], last=True),
        Row("a read beside 100 commands of another session", [*[_bash(slow, flood)] * 100, _read(small)], last=True),
        Row("`true` beside 100 commands of another session", [*[_bash(slow, flood)] * 100, _bash("true")], last=True),
    ]


async def run(bench: Bench) -> Section:
    """Measure all rows for every implementation, and several hosts for ours."""
    section = Section("many", "Many at once", _INTRO)
    size = bench.sized(1 << 30, 1 << 22)
    large = await asyncio.to_thread(bench.place.data.large, size)
    small = bench.place.data.small("many/1k")
    wanted = rows(small, large, size // 55 - 20)  # a line has 55 bytes
    for round_trip in bench.round_trips:
        text = f"{milliseconds(round_trip)} round trip"
        table = Table(text, [])
        async with bench.subjects(round_trip) as subjects:
            names = [subject.name for subject in subjects]
            table.columns += ["", *names]
            for row in wanted:
                bench.say(f"many at {text}: {row.name}")
                found = await interleaved(subjects, row.measure, runs=bench.runs(3))
                table.rows.append([row.name, *(cell(found[name], round_trip) for name in names)])
                section.figures.setdefault(text, {})[row.name] = figures(found)
        section.tables.append(table)
        section.tables.append(await _hosts(bench, round_trip, section.figures[text]))
    section.plots.append(_plot(section.figures))
    return section


async def _hosts(bench: Bench, round_trip: float, figures: dict[str, Any]) -> Table:
    """Ours with several hosts at once: a sidecar and connections for each."""
    table = Table(f"{HOSTS} hosts, {milliseconds(round_trip)} round trip", ["", "one host", f"{HOSTS} hosts at once"])
    async with contextlib.AsyncExitStack() as stack:
        subjects = [await stack.enter_async_context(bench.subject(OWN, round_trip)) for _ in range(HOSTS)]
        for name, calls in {
            "24 slow commands each": [_bash(f"sleep {SLEEP}")] * 24,
            "10 reads of 1 KB each": [_read(bench.place.data.small("many/1k"))] * 10,
        }.items():
            alone = await _timed(lambda calls=calls: subjects[0].adapter.many(calls))
            await asyncio.sleep(1)
            together = await _timed(lambda calls=calls: asyncio.gather(*(s.adapter.many(calls) for s in subjects)))
            await asyncio.sleep(1)
            table.rows.append([name, milliseconds(alone), milliseconds(together)])
            figures[f"{HOSTS} hosts, {name}"] = {"one host": alone, "at once": together}
    return table


async def _timed(action: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await action()
    return time.perf_counter() - started


def _plot(found: Mapping[str, Any]) -> Plot:
    series: dict[str, list[tuple[float | str, float]]] = {}
    for name, measured in found[list(found)[-1]].items():
        for implementation, figure in measured.items():
            if isinstance(figure, dict) and figure["seconds"]:
                points = series.setdefault(implementation, [])
                points.append((name.replace("`", ""), sorted(figure["seconds"])[len(figure["seconds"]) // 2] * 1000))
    return Plot("many", f"Many at once, {list(found)[-1]}", "bars", "", "milliseconds", series, log_x=True)
