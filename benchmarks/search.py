"""glob and grep in big trees, beside the same search run by hand on the remote itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.adapter import OWN, Timed
from benchmarks.bench import Bench
from benchmarks.data import NEEDLE
from benchmarks.measuring import Measured, Subject, interleaved
from benchmarks.place import Place
from benchmarks.section import Plot, Section, Table, cell, milliseconds
from tests.kit.counterparts import need
from tests.kit.userlands import SEARCHERS, searching_server

ROUND_TRIPS = (0, 0.05)
BUDGET_AT = 0.05
GLOB_BUDGET = 0.4
"""Seconds for the newest of 100,000 files, with the two round trips in it."""

FACTOR = 1.1
TRIPS = 2

COUNTED_AT = 0.25
"""A round trip, in seconds, long enough to count them: what is made ready in the background is not among them yet."""

COUNTED_IN = 200
"""Files of the tree they are counted in: they are as many in any."""

SETTINGS = {"REMOTE_LOGIN": "0"}
"""So that PATH stays the server's, and with it what searches are made of."""

_GLOB = "**/*.txt"
_NAMES = {"rg": "ripgrep", "gnu": "GNU find and grep", "busybox": "busybox"}
_RG = f"rg --json --hidden --no-messages --glob='!**/.git/**' --regexp={NEEDLE} -- ."
_NEWEST = "sort -rn | head -n 100"
_CONTROLS = {
    ("rg", "glob"): f"rg --files --null --glob='{_GLOB}' . | xargs -0 stat --printf '%.9Y %n\\n' | {_NEWEST}",
    ("rg", "grep"): _RG,
    ("gnu", "glob"): f"find . -type f -name '*.txt' -printf '%T@ %p\\n' | {_NEWEST}",
    ("gnu", "grep"): f"grep -Ern {NEEDLE} .",
    ("busybox", "glob"): f"find . -type f -name '*.txt' -exec stat -c '%Y %n' {{}} + | {_NEWEST}",
    ("busybox", "grep"): f"grep -Ern {NEEDLE} .",
}
_RG_SORTS = f"rg --files --glob='{_GLOB}' --sortr=modified ."


@dataclass
class Control:
    """The same search by hand, on the remote itself.

    Attributes:
        command: for its shell, in the folder to search.
        shell: that shell.
        path: its PATH.
        measured: what it took.
    """

    command: str
    shell: tuple[str, ...]
    path: str
    measured: Measured = field(default_factory=Measured)

    async def run(self, folder: Path) -> None:
        """Do it once."""
        environment = {"PATH": self.path, "LC_ALL": "C", "HOME": "/"}
        begun = time.perf_counter()
        await asyncio.to_thread(
            subprocess.run,
            [*self.shell, self.command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        self.measured.seconds.append(time.perf_counter() - begun)


@dataclass
class Row:
    """One search, measured."""

    userland: str
    tool: str
    size: int
    round_trip: float
    trips: int
    ours: Measured
    control: Measured

    @property
    def limit(self) -> float | None:
        """The most it may take, in seconds; None where no budget is set: those are for 50 ms."""
        if self.round_trip != BUDGET_AT:
            return None
        if (self.userland, self.tool, self.size) == ("rg", "glob", 100_000):
            return GLOB_BUDGET
        factor = FACTOR if (self.userland, self.tool) != ("rg", "glob") else 1
        return factor * self.control.median + TRIPS * self.round_trip

    @property
    def met(self) -> bool | None:
        """Whether it is kept; None where there is none."""
        return None if self.limit is None else self.ours.median <= self.limit

    def cells(self) -> list[str]:
        """For the table."""
        moved = self.ours.moved
        own = self.ours.median - self.trips * self.round_trip
        return [
            f"{self.tool}, {self.size:,} files, {_NAMES[self.userland]}",
            cell(self.ours),
            cell(self.control),
            f"{own / self.control.median:.2f}",
            str(self.trips),
            "-" if moved is None else f"{moved / 1000:.0f} kB",
            "-" if self.limit is None else milliseconds(self.limit),
            {True: "met", False: "**not met**", None: "-"}[self.met],
        ]

    def figures(self) -> dict[str, object]:
        """For the results."""
        return {
            "userland": self.userland,
            "tool": self.tool,
            "files": self.size,
            "round_trip": self.round_trip,
            "seconds": self.ours.seconds,
            "control": self.control.seconds,
            "round_trips": self.trips,
            "bytes": self.ours.moved,
            "limit": self.limit,
            "met": self.met,
        }


async def run(bench: Bench) -> Section:
    """Measure every tool in every userland and tree."""
    section = Section(
        "search",
        "Search on big trees",
        "glob (the newest 100 of all files) and grep (one match) in trees of small files, by what the remote searches"
        " with. The control is the same search by hand, run on the remote itself in the same rounds: no connection,"
        " and none of what makes names and ignore files come out right. Ratio: our time less its round trips, as a"
        f" multiple of the control. Round trips are counted in {COUNTED_IN} files at {milliseconds(COUNTED_AT)}.",
    )
    sizes = bench.sized((10_000, 100_000), (200, 1_000))
    trees = {size: bench.place.data.folder / bench.place.data.tree(size) for size in sizes}
    rows: list[Row] = []
    for userland in SEARCHERS:
        folder = bench.place.scratch / f"search-{userland}"
        folder.mkdir()
        with searching_server(folder, userland) as server:
            there = replace(bench, place=Place(bench.place.scratch, server, bench.place.data))
            trips = await _counted(there)
            for round_trip in ROUND_TRIPS:
                bench.say(f"search: {_NAMES[userland]}, {milliseconds(round_trip)}")
                async with there.subject(OWN, round_trip, settings=SETTINGS) as subject:
                    for size, tree in trees.items():
                        for tool, count in trips.items():
                            rows.append(await _row(bench, subject, userland, tool, size, tree, count))
    columns = ["", "pybridge", "by hand on the remote", "ratio", "round trips", "moved", "at most", ""]
    for round_trip in ROUND_TRIPS:
        found = [row for row in rows if row.round_trip == round_trip]
        section.tables.append(Table(f"{milliseconds(round_trip)} round trip", columns, [row.cells() for row in found]))
    section.tables[-1].note = (
        f"At most: {FACTOR} of the control and {TRIPS} round trips; glob with ripgrep: the control and {TRIPS} round"
        f" trips, in 100,000 files {milliseconds(GLOB_BUDGET)}."
    )
    section.notes.append(await _rg_sorting(trees[sizes[-1]]))
    section.figures["rows"] = [row.figures() for row in rows]
    section.plots.append(_plot([row for row in rows if row.round_trip == BUDGET_AT and row.size == sizes[-1]]))
    return section


def _arguments(tool: str, path: str) -> Mapping[str, str]:
    return {"pattern": _GLOB if tool == "glob" else NEEDLE, "path": path}


async def _counted(bench: Bench) -> dict[str, int]:
    """Round trips of each search once the ignore files are known, or need not be: the fewest of two tries."""
    path = bench.place.data.tree(COUNTED_IN)
    counted = {}
    async with bench.subject(OWN, COUNTED_AT, settings=SETTINGS) as subject:
        for tool in ("glob", "grep"):

            async def search(subject: Subject, _: int, tool: str = tool) -> Timed:
                return await subject.adapter.tool(tool, _arguments(tool, path))

            if not counted:
                await search(subject, 0)
            found = await interleaved([subject], search, runs=bench.runs(2))
            counted[tool] = min(counts.round_trips for counts in found[OWN].counts)
    return counted


async def _row(bench: Bench, subject: Subject, userland: str, tool: str, size: int, tree: Path, trips: int) -> Row:
    arguments = _arguments(tool, str(tree.relative_to(bench.place.data.folder)))
    control = _control(userland, tool, bench.place.scratch)

    async def search(subject: Subject, _: int) -> Timed:
        return await subject.adapter.tool(tool, arguments)

    async def by_hand(_: Subject, __: int) -> float:
        await control.run(tree)
        return 0.0

    await search(subject, 0)  # what is asked before the first search of a tree, and the remote's disk
    found = await interleaved([subject], search, runs=bench.runs(3), prepare=by_hand)
    return Row(userland, tool, size, subject.link.round_trip, trips, found[subject.name], control.measured)


def _control(userland: str, tool: str, scratch: Path) -> Control:
    command = _CONTROLS[userland, tool]
    shell = (need("busybox"), "ash", "-c") if userland == "busybox" else ("/bin/sh", "-c")
    path = os.environ["PATH"] if userland == "rg" else str(scratch / f"search-{userland}" / "programs")
    return Control(command, shell, path)


async def _rg_sorting(tree: Path) -> str:
    control = Control(_RG_SORTS, ("/bin/sh", "-c"), os.environ["PATH"])
    await control.run(tree)
    return (
        f"ripgrep's own way to the newest files, `{_RG_SORTS}`, takes {milliseconds(control.measured.median)} in the"
        " largest of these trees: it looks at one file at a time."
    )


def _plot(rows: list[Row]) -> Plot:
    def points(measured: str) -> list[tuple[float | str, float]]:
        return [(f"{row.tool}, {row.userland}", getattr(row, measured).median * 1000) for row in rows]

    return Plot(
        "search",
        f"{rows[0].size:,} files, {milliseconds(BUDGET_AT)} round trip",
        "bars",
        "",
        "ms",
        {"pybridge": points("ours"), "by hand on the remote": points("control")},
    )
