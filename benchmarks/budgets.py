"""Every row of the budget table, for every implementation in one run, with the limit beside ours."""

from __future__ import annotations

import asyncio
import functools
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks import budget_memory
from benchmarks.adapter import OWN
from benchmarks.bench import Bench
from benchmarks.budget_rows import ROWS, Row, Work
from benchmarks.measuring import Control, Measured, interleaved
from benchmarks.section import Plot, Section, Table, cell, figures, milliseconds

CONTROL = "on the remote itself"

_PLOTTED = {
    "bash `true`": "run a command",
    "30 x bash in parallel": "30 commands at once",
    "read 1 KB, cold": "read 1 KB",
    "edit of a 100 KB file, just read": "edit 100 KB",
    "write a new 1 KB file": "write 1 KB",
    "apply_patch, 20 files, just read": "patch 20 files",
    "grep in 100k files with rg": "grep 100k files",
}


@dataclass(frozen=True)
class Found:
    """What one row took every implementation at one round trip, in seconds."""

    row: Row
    round_trip: float
    measured: Mapping[str, Measured]

    @property
    def limit(self) -> float | None:
        """What ours may take, in seconds."""
        control = self.measured[CONTROL].median if self.row.control and CONTROL in self.measured else 0
        return self.row.limit(self.round_trip, control)

    @property
    def met(self) -> bool | None:
        """Whether ours does; None where there is no limit or ours was not measured."""
        if self.limit is None or OWN not in self.measured:
            return None
        return not self.measured[OWN].why and self.measured[OWN].median <= self.limit


async def run(bench: Bench) -> Section:
    """Measure all rows."""
    section = Section("budgets", "The budgets", _INTRO)
    bench.say("laying out files and trees")
    work = await asyncio.to_thread(Work, bench)
    hopeless: dict[tuple[str, str], Measured] = {}
    for round_trip in sorted(bench.round_trips):
        found = await _measure(bench, work, round_trip, hopeless)
        title = f"{milliseconds(round_trip)} round trip"
        section.tables.append(_times(bench, found, title))
        if round_trip:
            section.tables.append(_trips(bench, found, title))
        section.figures[title] = {
            one.row.name: {"limit": one.limit, "met": one.met, "found": figures(one.measured)} for one in found
        }
        if round_trip == bench.typical:
            section.plots.append(_plot(bench, found, title))
    await budget_memory.measure(bench, work, section)
    section.notes += _NOTES
    section.notes += [f"{name} is not measured: {why}." for name, why in bench.absent.items()]
    return section


async def _measure(
    bench: Bench, work: Work, round_trip: float, hopeless: dict[tuple[str, str], Measured]
) -> list[Found]:
    """Measure all rows at one round trip; what was given up at a shorter one is `hopeless` and not tried again."""
    found = []
    async with bench.subjects(round_trip) as subjects:
        for row in ROWS:
            bench.say(f"{milliseconds(round_trip)}: {row.name}")
            measured = await interleaved(
                [
                    one
                    for one in subjects
                    if (row.name, one.name) not in hopeless and (one.name == OWN or not row.own_only)
                ],
                functools.partial(row.action, work),
                runs=bench.runs(row.runs),
                prepare=row.prepare and functools.partial(row.prepare, work),
                controls={CONTROL: _control(bench, work, row)} if row.control or row.floor else {},
            )
            hopeless |= {(row.name, name): Measured(why=one.why) for name, one in measured.items() if one.given_up}
            measured |= {name: one for (of, name), one in hopeless.items() if of == row.name and name not in measured}
            found.append(Found(row, round_trip, measured))
    return found


def _control(bench: Bench, work: Work, row: Row) -> Control:
    async def control() -> float:
        started = time.perf_counter()
        folder = bench.place.data.folder / work.trees[row.tree]
        process = await asyncio.create_subprocess_shell(
            row.control or row.floor, stdin=DEVNULL, stdout=PIPE, cwd=folder
        )
        await process.communicate()
        return time.perf_counter() - started

    return control


def _times(bench: Bench, found: list[Found], title: str) -> Table:
    others = _others(bench)
    table = Table(f"Times, {title}", ["operation", "at most", OWN, "met", *others], note="Median (fastest–slowest).")
    for one in found:
        limit = "-" if one.limit is None else f"{one.row.limit_text} = {milliseconds(one.limit)}"
        if one.row.floor and CONTROL in one.measured:
            limit += f" (its programs alone: {milliseconds(one.measured[CONTROL].median)})"
        met = {None: "-", True: "yes", False: "**no**"}[one.met]
        cells = [cell(one.measured[name]) if name in one.measured else "-" for name in (OWN, *others)]
        table.rows.append([one.row.name, limit, cells[0], met, *cells[1:]])
    return table


def _trips(bench: Bench, found: list[Found], title: str) -> Table:
    names = [OWN, *_others(bench)]
    table = Table(f"Round trips, {title}", ["operation", *names], note="Median time ÷ round trip (counted).")
    for one in found:
        cells = []
        for name in names:
            measured = one.measured.get(name)
            if measured is None or not measured.seconds:
                cells.append("-")
            else:
                counted = "" if measured.round_trips is None else f" ({measured.round_trips:g})"
                cells.append(f"{measured.median / one.round_trip:.1f}{counted}")
        table.rows.append([one.row.name, *cells])
    return table


def _others(bench: Bench) -> list[str]:
    return [name for name in bench.commands if name != OWN and name not in bench.absent]


def _plot(bench: Bench, found: list[Found], title: str) -> Plot:
    rows = {one.row.name: one.measured for one in found}
    series = {
        name: [
            (label, rows[row][name].median * 1000)
            for row, label in _PLOTTED.items()
            if name in rows[row] and rows[row][name].seconds
        ]
        for name in (OWN, *_others(bench))
    }
    return Plot(
        "alternatives", f"What a call takes, {title}", "bars", "", "milliseconds", series, log_y=True, readme=True
    )


_INTRO = (
    "Every row of the budget table, for pybridge through its real sidecar protocol, and for the same job done by plain "
    "asyncssh (one connection, a fresh exec or SFTP session for each call), by OpenSSH's client over a shared "
    "connection (`ssh` with ControlMaster), and by local programs on an `sshfs` mount. None of the alternatives asks "
    "for permission or looks whether somebody else has changed the file meanwhile, and none verifies what it wrote."
)
_NOTES = [
    "`rg's own` and `the remote's own` are the median of the same search without us, beside the sshd, once in each of "
    "the same rounds: `rg`, and for glob `rg --files | xargs stat | sort`, which is also what the alternatives do.",
    "*plugin load* starts the sidecar, connects, and runs a command in the environment of the user's login; what that "
    "takes at least is in the columns of asyncssh and ssh, which start, connect and run a command in none.",
    "*Its programs alone* are those that replace twenty files safely, run by a shell on the remote in the same rounds: "
    "each is copied the attributes, kept, compared and replaced. They are no faster for us, and their time is not "
    "added to what we may take.",
    "*cold* is a file that nobody has seen, after everything known of files was forgotten; *again* comes after a read.",
    "sshfs answers from its cache for up to 20 seconds without a look at the remote: what it shows may be old by so "
    "much. It runs no commands; its *first result* is a read.",
    "Where an alternative has no figure in a row *never read*, it is that of *just read*: it keeps nothing of files.",
    "`took more than N s` was given up then, and not tried on longer links; what takes longer than 5 s is done once.",
]
