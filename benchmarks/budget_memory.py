"""The memory rows: one implementation at a time, so that what the remote needs is its alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from benchmarks.adapter import OWN, TookTooLongError
from benchmarks.adapters.protocol import CallFailedError, UnsupportedError
from benchmarks.bench import Bench
from benchmarks.budget_rows import MEMORY, Work
from benchmarks.measuring import Subject
from benchmarks.memory import watched
from benchmarks.section import Section, Table, milliseconds

LIMIT = 90
"""For 100 MB of output: megabytes of the whole local process tree."""

_MEGA = 1_000_000


async def _idle(subject: Subject, run: int) -> float:
    return 0.0


async def measure(bench: Bench, work: Work, section: Section) -> None:
    """Add a table of peaks, local and remote, at one round trip."""
    rows: Mapping[str, Callable[[Subject, int], Awaitable[object]]] = {
        "connected, idle": _idle,
        "30 x bash in parallel": work.thirty,
        "first 2000 lines of a 50 MB file": work.read_large,
        MEMORY: work.flood,
    }
    round_trip = bench.typical
    found: dict[str, dict[str, tuple[float, float] | str]] = {name: {} for name in rows}
    for name in bench.commands:
        if name in bench.absent:
            continue
        bench.say(f"memory: {name}")
        async with bench.subject(name, round_trip) as subject:
            for row, action in rows.items():
                found[row][name] = await _peaks(bench, subject, action)
    names = list(next(iter(found.values())))
    table = Table(
        f"Peak memory, {milliseconds(round_trip)} round trip",
        ["operation", "at most", OWN, "met", *(name for name in names if name != OWN)],
        note="Megabytes of the whole local process tree + of the remote's processes for it.",
    )
    for row, peaks in found.items():
        cells = {
            name: peak if isinstance(peak, str) else f"{peak[0]:.0f} + {peak[1]:.0f}" for name, peak in peaks.items()
        }
        own = peaks.get(OWN)
        limited = row == MEMORY and isinstance(own, tuple)
        met = ("yes" if own[0] <= LIMIT else "**no**") if limited and isinstance(own, tuple) else "-"
        others = [text for name, text in cells.items() if name != OWN]
        table.rows.append([row, f"{LIMIT} MB" if row == MEMORY else "-", cells.get(OWN, "-"), met, *others])
    section.tables.append(table)
    section.figures["memory"] = found


async def _peaks(
    bench: Bench, subject: Subject, action: Callable[[Subject, int], Awaitable[object]]
) -> tuple[float, float] | str:
    await subject.settled()
    with watched(bench.place.server.pid) as remote:
        await subject.adapter.rss(watch=True)
        try:
            await action(subject, 0)
        except (UnsupportedError, CallFailedError, TookTooLongError) as error:
            return str(error)
        return await subject.adapter.rss() / _MEGA, remote.take(go_on=False) / _MEGA
