"""Bulk: command output, whole files down and up, and slices of a huge file, beside OpenSSH's own programs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shlex
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.adapter import OWN, Adapter, Timed
from benchmarks.bench import Bench
from benchmarks.measuring import Action, Control, Measured, Subject, interleaved
from benchmarks.openssh_transfers import OpensshTransfers, openssh_transfers
from benchmarks.section import Plot, Section, Table, cell, figures, milliseconds

LAYER = "pybridge, files"
SSH, SCP = "ssh", "scp"
OTHER = "asyncssh"
LIMIT_SECONDS = 60.0

_MEGA = 1_000_000
_LINE = "some text of a line that is neither long nor short, as it stands in a file\n"


@dataclass(frozen=True)
class Row:
    """One transfer.

    Attributes:
        name: what the tables call it.
        own: who of ours does it.
        down: whether bytes come from the remote.
        size: in bytes.
    """

    name: str
    own: str
    down: bool
    size: int

    def factor(self, round_trip: float) -> int:
        """How many times as fast as ssh it is to be."""
        return (3 if self.down else 2) if round_trip else 1


class Work:
    """The transfers, on files of this section's own.

    Args:
        bench: the run.
    """

    def __init__(self, bench: Bench) -> None:
        data = bench.place.data
        self._numbers = itertools.count(1)
        self._folder = data.folder / "throughput"
        (self._folder / "new").mkdir(parents=True, exist_ok=True)
        full, fetched, written = (bench.sized(size, 8) * _MEGA for size in (100, 90, 50))
        self.output = Row(f"output of {full // _MEGA} MB", OWN, True, full)
        self.fetch = Row(f"a file of {fetched // _MEGA} MB, whole", LAYER, True, fetched)
        self.write = Row(f"`write` of {written // _MEGA} MB", OWN, False, written)
        self.apply = Row(f"a new file of {full // _MEGA} MB, verified", LAYER, False, full)
        self.rows = (self.output, self.fetch, self.write, self.apply)
        self._files = {row.size: data.folder / data.large(row.size) for row in self.rows}
        self.huge = data.large(bench.sized(1000, 10) * _MEGA)
        self.huge_path = data.folder / self.huge

    def action(self, row: Row) -> Action:
        """What we do."""

        async def act(subject: Subject, _: int) -> Timed:
            return await subject.adapter.tool(*self._call(row), keep=0, limit=LIMIT_SECONDS)

        return act

    def controls(self, row: Row, transfers: OpensshTransfers) -> dict[str, Control]:
        """The same by `ssh` and `scp`."""
        file, here = self._files[row.size], Path(self._folder / "here")
        if row.down:
            return {SSH: lambda: transfers.cat(file), SCP: lambda: transfers.scp_from(file, here)}
        return {
            SSH: lambda: transfers.cat_into(file, self._fresh()),
            SCP: lambda: transfers.scp_to(file, self._fresh()),
        }

    async def warm(self, subject: Subject) -> None:
        """Open the connection for files, as the first large one does."""
        args = {"filePath": str(self._fresh()), "content": {"$repeat": _LINE, "$bytes": 5 * _MEGA}}
        await subject.adapter.tool("write", args, keep=0, limit=LIMIT_SECONDS)

    def clear(self) -> None:
        """Remove what was written."""
        for path in (self._folder / "new").iterdir():
            path.unlink()

    def _fresh(self) -> Path:
        return self._folder / "new" / str(next(self._numbers))

    def _call(self, row: Row) -> tuple[str, dict[str, Any]]:
        file = self._files[row.size]
        if row is self.output:
            return "bash", {"command": f"cat {shlex.quote(str(file))}"}
        if row is self.fetch:
            return "read", {"filePath": str(file)}
        content = {"$repeat": _LINE, "$bytes": row.size}
        return "write", {"filePath": str(self._fresh()), "content": content}


async def run(bench: Bench) -> Section:
    """Measure transfers and slices."""
    section = Section("throughput", "Throughput", _INTRO)
    bench.say("laying out large files")
    work = await asyncio.to_thread(Work, bench)
    speeds: dict[str, list[tuple[float | str, float]]] = {}
    for round_trip in sorted({min(bench.round_trips), bench.typical}):
        title = f"{milliseconds(round_trip)} round trip"
        async with bench.subjects(round_trip, [OWN, OTHER]) as subjects, _layer(bench, round_trip) as layer:
            subjects.append(layer)
            async with bench.place.link(round_trip) as link, openssh_transfers(link.ssh) as transfers:
                found = await _transfers(bench, work, subjects, transfers, round_trip)
            section.tables.append(_table(found, round_trip, title))
            section.figures[title] = {
                row.name: {"megabytes": row.size / _MEGA, "found": figures(measured)} for row, measured in found.items()
            }
            slices = await _slices(bench, work, subjects[:-1])
            section.tables.append(_slice_table(bench, work, slices, title))
            section.figures[f"slices, {title}"] = {name: figures(measured) for name, measured in slices.items()}
            if round_trip == bench.typical:
                speeds = _speeds(found)
    section.tables.append(await _memory(bench, work))
    section.plots.append(
        Plot("throughput", f"Throughput, {milliseconds(bench.typical)} round trip", "bars", "", "MB/s", speeds)
    )
    section.notes += _NOTES
    await asyncio.to_thread(work.clear)
    return section


@contextlib.asynccontextmanager
async def _layer(bench: Bench, round_trip: float) -> AsyncIterator[Subject]:
    command = shlex.join([sys.executable, "-m", "benchmarks.adapters.own_files"])
    home = bench.place.scratch / "homes" / f"files-{round_trip}"
    async with Adapter(LAYER, command, home) as adapter, bench.place.link(round_trip) as link:
        await adapter.init(link.ssh, bench.place.workdir)
        yield Subject(adapter, link)
        await adapter.close()


async def _transfers(
    bench: Bench, work: Work, subjects: list[Subject], transfers: OpensshTransfers, round_trip: float
) -> dict[Row, Mapping[str, Measured]]:
    found = {}
    for row in work.rows:
        bench.say(f"{milliseconds(round_trip)}: {row.name}")
        who = [
            one for one in subjects if one.name in (row.own, OTHER) and not (row is work.fetch and one.name == OTHER)
        ]
        action = work.action(row)
        if not row.down:
            await work.warm(next(one for one in who if one.name == row.own))
        found[row] = await interleaved(
            who, action, runs=bench.runs(2 if round_trip else 3), controls=work.controls(row, transfers)
        )
        await asyncio.to_thread(work.clear)
    return found


def _table(found: Mapping[Row, Mapping[str, Measured]], round_trip: float, title: str) -> Table:
    table = Table(
        f"Transfers, {title}",
        ["transfer", "at least", OWN, "met", SSH, SCP, OTHER],
        note="MB/s of the median; in brackets how many times as fast as `ssh` in the same rounds.",
    )
    for row, measured in found.items():
        ours, control = measured[row.own], measured[SSH]
        ratio = control.median / ours.median
        factor = row.factor(round_trip)
        met = "yes" if ratio >= factor else "**no**"
        name = f"{row.name} (below the tools)" if row.own == LAYER else row.name
        cells = [_speed(row, measured.get(who), control) for who in (row.own, SSH, SCP, OTHER)]
        table.rows.append([name, f"{factor} x ssh", cells[0], met, *cells[1:]])
    return table


def _speed(row: Row, measured: Measured | None, control: Measured) -> str:
    if measured is None or not measured.seconds:
        return measured.why if measured is not None and measured.why else "-"
    text = f"{row.size / measured.median / _MEGA:.0f}"
    return text if measured is control else f"{text} ({control.median / measured.median:.1f})"


def _speeds(found: Mapping[Row, Mapping[str, Measured]]) -> dict[str, list[tuple[float | str, float]]]:
    series: dict[str, list[tuple[float | str, float]]] = {OWN: [], SSH: [], SCP: [], OTHER: []}
    for row, measured in found.items():
        for name, points in series.items():
            one = measured.get(row.own if name == OWN else name)
            if one is not None and one.seconds:
                points.append((row.name, row.size / one.median / _MEGA))
    return series


async def _slices(bench: Bench, work: Work, subjects: list[Subject]) -> dict[str, Mapping[str, Measured]]:
    total = work.huge_path.stat().st_size // _line_length(work.huge_path)
    found = {}
    for name, offset in (("first", 1), ("middle", total // 2), ("last", total - 3000)):
        bench.say(f"{name} lines of a huge file")

        async def act(subject: Subject, _: int, offset: int = offset) -> Timed:
            args = {"filePath": work.huge, "offset": offset}
            return await subject.adapter.tool("read", args, keep=0, limit=LIMIT_SECONDS)

        found[name] = await interleaved(
            subjects, act, runs=bench.runs(3), controls={_COUNT: lambda: _counted(work.huge_path)}
        )
    return found


def _line_length(path: Path) -> int:
    """All lines of the data have the same."""
    with path.open("rb") as file:
        return len(file.readline())


_COUNT = "`wc -l` there"


async def _counted(path: Path) -> float:
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec("wc", "-l", str(path), stdout=asyncio.subprocess.DEVNULL)
    await process.wait()
    return time.perf_counter() - started


def _slice_table(bench: Bench, work: Work, found: Mapping[str, Mapping[str, Measured]], title: str) -> Table:
    size = work.huge_path.stat().st_size // _MEGA
    names = list(next(iter(found.values())))
    table = Table(f"2000 lines of a file of {size} MB, {title}", ["lines", *names], note="Median (fastest–slowest).")
    table.rows += [[which, *(cell(measured[name]) for name in names)] for which, measured in found.items()]
    return table


async def _memory(bench: Bench, work: Work) -> Table:
    """Peak of the sidecar's whole process tree, on a fresh one for each row."""
    table = Table("Peak memory of pybridge's process tree", ["operation", "at most", "MB", "met"])
    rows = {work.output.name: (work.action(work.output), 90), work.write.name: (work.action(work.write), None)}

    async def last_lines(subject: Subject, _: int) -> Timed:
        return await subject.adapter.tool("read", {"filePath": work.huge, "offset": 100_000}, limit=LIMIT_SECONDS)

    rows["2000 lines of the huge file"] = (last_lines, None)
    for name, (action, limit) in rows.items():
        for round_trip in sorted({min(bench.round_trips), bench.typical}) if limit else [bench.typical]:
            async with bench.subject(OWN, round_trip) as subject:
                await subject.adapter.rss(watch=True)
                await action(subject, 0)
                peak = await subject.adapter.rss() / _MEGA
            met = "-" if limit is None else "yes" if peak <= limit else "**no**"
            row = f"{name}, {milliseconds(round_trip)} round trip"
            table.rows.append([row, "-" if limit is None else f"{limit} MB", f"{peak:.0f}", met])
    return table


_INTRO = (
    "Bytes in bulk. OpenSSH's programs run over one shared connection that is up already (`ssh HOST cat FILE` into "
    "/dev/null, `ssh HOST 'cat > FILE'`, `scp`); plain asyncssh takes a fresh exec or SFTP session. Ours show the "
    "model the end of an output and keep the whole of it here, and verify what they wrote before they put it in place."
)
_NOTES = [
    "The tools have limits of their own: `write` takes what fits into a message of 64 MB, and files over 16 MB are not "
    "edited as a whole. *Below the tools* is the layer that they use, with larger files.",
    "A read names the number of the file's lines, as OpenCode's does, so the remote counts them all: `wc -l` there is "
    "the time of that alone.",
]
