"""How cost grows: with the number of tracked files, the size of a file, the size of the tree, and the latency."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from benchmarks.bench import Bench
from benchmarks.own_sidecar import Sidecar, environment, median, own_sidecar
from benchmarks.section import Plot, Section, Table, milliseconds
from benchmarks.shapes import ORDER, exponent, shape

LATENCY = 0.02
"""Round trip in seconds where another thing than latency grows: small, so that growth is not hidden."""

_INTRO = (
    "What one call takes while one thing grows by orders of magnitude, and the shape of that: *flat*, at most "
    "*linear*, or *worse*. The shape comes from the figures: flat if the last one is no more than 1.6 times the least; "
    "linear if a power up to 1.2 fits the last three. "
    f"The round trip is {milliseconds(LATENCY)} unless it is what grows."
)

Timed = Callable[[Sidecar, int], Awaitable[float]]


@dataclass
class Curve:
    """One operation while something grows.

    Attributes:
        name: of the operation.
        wanted: the worst shape it may have.
        points: size and seconds.
    """

    name: str
    wanted: str
    points: list[tuple[float, float]] = field(default_factory=list)

    @property
    def shape(self) -> str:
        """As measured."""
        return shape(self.points)

    @property
    def met(self) -> bool:
        """Whether that is no worse than wanted."""
        return ORDER.index(self.shape) <= ORDER.index(self.wanted)


async def run(bench: Bench) -> Section:
    """Measure all."""
    section = Section("growth", "How cost grows", _INTRO)
    for title, unit, measure in (
        ("Tracked files", "files known from earlier", tracked_files),
        ("File size", "bytes", file_sizes),
        ("Tree", "files in the tree", trees),
        ("Latency", "round trip in milliseconds", latencies),
    ):
        bench.say(f"growth: {title}")
        curves = await measure(bench)
        section.tables.append(_table(title, unit, curves))
        section.plots.append(_plot(title, unit, curves))
        section.figures[title] = {
            curve.name: {"points": curve.points, "shape": curve.shape, "wanted": curve.wanted} for curve in curves
        }
    return section


async def tracked_files(bench: Bench) -> list[Curve]:
    """Calls on one file while very many others are known."""
    names = ("first read after the start", "read 1 KB", "edit 1 KB", "write a new file", "bash `true`")
    curves = {name: Curve(name, "flat") for name in names}
    for count in bench.sized((1, 100, 10_000, 100_000), (1, 100)):
        home = bench.place.scratch / "homes" / f"growth-{count}"
        file = bench.place.data.small("growth/1k")
        async with bench.place.link(LATENCY) as link:
            home.mkdir(parents=True)
            words = [sys.executable, "-m", "benchmarks.tracked_files", link.ssh, bench.place.workdir, str(count)]
            made = await asyncio.create_subprocess_exec(*words, env=environment(home))
            assert await made.wait() == 0
            async with own_sidecar(link, bench.place.workdir, home) as sidecar:
                await sidecar("bash", command="true")
                found = {names[0]: await sidecar.time("read", filePath=file)}
                await settled(sidecar)
                for name, action in _tools(file, f"growth/{count}").items():
                    if name in curves:
                        found[name] = await median(functools.partial(action, sidecar), bench.runs(7))
        for name, seconds in found.items():
            curves[name].points.append((count, seconds))
    return list(curves.values())


async def file_sizes(bench: Bench) -> list[Curve]:
    """Calls on files of 1 KB to 1 GB."""
    sizes = bench.sized((10**3, 10**5, 10**6, 10**7, 10**8, 10**9), (10**3, 10**5))
    read, again = Curve("read, first 2000 lines", "flat"), Curve("read again", "flat")
    some, tail = Curve("`tail -n 5`", "flat"), Curve("read 10 lines from the middle", "linear")
    edit, write = Curve("edit", "linear"), Curve("write", "linear")
    async with (
        bench.place.link(LATENCY) as link,
        own_sidecar(link, bench.place.workdir, bench.place.scratch / "homes" / "growth-sizes") as sidecar,
    ):
        await sidecar("bash", command="true")
        for size in sizes:
            file = await asyncio.to_thread(bench.place.data.large, size)
            middle, runs = max(size // 110, 1), bench.runs(5)
            await settled(sidecar)
            read.points.append((size, await median(lambda run, f=file: sidecar.time("read", filePath=f), 1)))
            again.points.append((size, await median(lambda run, f=file: sidecar.time("read", filePath=f), runs)))
            tail.points.append(
                (
                    size,
                    await median(
                        lambda run, f=file, m=middle: sidecar.time("read", filePath=f, offset=m, limit=10),
                        bench.runs(3),
                    ),
                )
            )
            some.points.append(
                (size, await median(lambda run, f=file: _bash(sidecar, f"tail -n 5 {f}"), bench.runs(3)))
            )
            if size <= 10**7:
                copy = bench.place.data.small(f"growth/edited-{size}", size)
                await sidecar("read", filePath=copy)
                change = lambda run, c=copy: sidecar.time(  # noqa: E731
                    "edit", filePath=c, oldString=f"line {run} of", newString=f"line {run} off"
                )
                edit.points.append((size, await median(change, bench.runs(3))))
            if size <= 10**7:
                content = "x" * 79 + "\n"
                text = content * (size // 80)
                made = lambda run, n=size, t=text: sidecar.time(  # noqa: E731
                    "write", filePath=f"growth/made-{n}-{run}", content=t
                )
                write.points.append((size, await median(made, bench.runs(3))))
    return [read, again, tail, some, edit, write]


async def trees(bench: Bench) -> list[Curve]:
    """Searches in trees of 1k to 1M files, and calls on one file in them."""
    read = Curve("read a file of the tree", "flat")
    search = {name: Curve(name, "linear") for name in ("glob `**/*.txt`", "glob of one name", "grep")}
    bash = Curve("bash `true` in the tree", "flat")
    async with (
        bench.place.link(LATENCY) as link,
        own_sidecar(link, bench.place.workdir, bench.place.scratch / "homes" / "growth-trees") as sidecar,
    ):
        await sidecar("bash", command="true")
        for count in bench.sized((1_000, 10_000, 100_000, 1_000_000), (1_000, 10_000)):
            tree = await asyncio.to_thread(bench.place.data.tree, count)
            [file] = bench.place.data.tree_files(count, 1)
            await settled(sidecar)
            runs = bench.runs(3)
            read.points.append((count, await median(lambda run, f=file: sidecar.time("read", filePath=f), runs)))
            arguments = {
                "glob `**/*.txt`": ("glob", {"pattern": "**/*.txt", "path": tree}),
                "glob of one name": ("glob", {"pattern": "**/7.txt", "path": tree}),
                "grep": ("grep", {"pattern": "needle", "path": tree}),
            }
            for name, (tool, args) in arguments.items():
                taken = await median(lambda run, t=tool, a=args: sidecar.time(t, **a), runs)
                search[name].points.append((count, taken))
            bash.points.append((count, await median(lambda run, t=tree: _bash(sidecar, "true", workdir=t), runs)))
            if count > 100_000:
                await asyncio.to_thread(bench.place.data.remove, tree)
    return [read, bash, *search.values()]


async def latencies(bench: Bench) -> list[Curve]:
    """Each tool over links of 0 to 250 ms."""
    curves: dict[str, Curve] = {}
    for round_trip in bench.sized((0, 0.01, 0.05, 0.1, 0.25), (0, 0.01)):
        home = bench.place.scratch / "homes" / f"growth-{round_trip}"
        file = bench.place.data.small("growth/latency")
        async with bench.place.link(round_trip) as link, own_sidecar(link, bench.place.workdir, home) as sidecar:
            await sidecar("bash", command="true")
            await sidecar("read", filePath=file)
            await settled(sidecar, round_trip)
            for name, action in _tools(file, f"growth/written-{round_trip}").items():
                curve = curves.setdefault(name, Curve(name, "linear"))
                taken = await median(functools.partial(_paused, action, sidecar), bench.runs(5))
                curve.points.append((round_trip * 1000, taken))
    return list(curves.values())


def _tools(file: str, written: str) -> dict[str, Timed]:
    return {
        "bash `true`": lambda sidecar, run: _bash(sidecar),
        "read 1 KB": lambda sidecar, run: sidecar.time("read", filePath=file),
        "edit 1 KB": lambda sidecar, run: sidecar.time(
            "edit", filePath=file, oldString=f"line {run} of", newString=f"line {run} off"
        ),
        "write a new file": lambda sidecar, run: sidecar.time("write", filePath=f"{written}-{run}", content="x\n"),
        "glob": lambda sidecar, run: sidecar.time("glob", pattern="1*", path="growth"),
        "grep": lambda sidecar, run: sidecar.time("grep", pattern="line 3 ", path=file),
    }


async def _bash(sidecar: Sidecar, command: str = "true", **more: str) -> float:
    """A command's time, with one shell made ready for it before."""
    await asyncio.sleep(0.15 + 3 * sidecar.link.round_trip)
    return await sidecar.time("bash", command=command, **more)


async def _paused(action: Timed, sidecar: Sidecar, run: int) -> float:
    """What an action takes, with time before for what the last one has begun in the background."""
    await asyncio.sleep(3 * sidecar.link.round_trip)
    return await action(sidecar, run)


async def settled(sidecar: Sidecar, round_trip: float = LATENCY) -> None:
    """Wait until what the first calls have begun in the background is over."""
    await asyncio.sleep(0.5 + 8 * round_trip)


def _table(title: str, unit: str, curves: list[Curve]) -> Table:
    sizes = sorted({size for curve in curves for size, _ in curve.points})
    table = Table(f"{title} ({unit})", ["", *(f"{size:,.0f}" for size in sizes), "shape", "at most", ""])
    for curve in curves:
        taken = dict(curve.points)
        cells = [milliseconds(taken[size]) if size in taken else "-" for size in sizes]
        table.rows.append([curve.name, *cells, _described(curve), curve.wanted, "met" if curve.met else "NOT MET"])
    return table


def _described(curve: Curve) -> str:
    (first, least), (last, most) = curve.points[0], curve.points[-1]
    if first == 0:  # latency
        return f"{curve.shape}, {(most - least) * 1000 / (last - first):.1f} round trips"
    return curve.shape if curve.shape == "flat" else f"{curve.shape} (power {exponent(curve.points):.2f})"


def _plot(title: str, unit: str, curves: list[Curve]) -> Plot:
    series = {curve.name.replace("`", ""): [(x, y * 1000) for x, y in curve.points] for curve in curves}
    logarithmic = title != "Latency"
    name = f"growth-{title.lower().replace(' ', '-')}"
    return Plot(name, title, "lines", unit, "milliseconds", dict(series), log_x=logarithmic, log_y=logarithmic)
