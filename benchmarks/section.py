"""What a section of the benchmarks hands back. It becomes tables on the screen, JSON, and part of the page.

How a section is written
------------------------
A section is a module `benchmarks/NAME.py` with `async def run(bench: Bench) -> Section`, whose NAME stands in
`benchmarks.registry.SECTIONS`. It measures, and returns a `Section`; it prints nothing but progress (`bench.say`).
A minimal one:

    async def run(bench: Bench) -> Section:
        section = Section("many", "Many at once", "What a read takes.")
        name = bench.place.data.small("many/1k")
        read = lambda subject, run: subject.adapter.tool("read", {"filePath": name})
        for round_trip in bench.round_trips:                    # in seconds: 0, 0.05, 0.15
            async with bench.subjects(round_trip) as subjects:  # every implementation, connected, on a link of its own
                found = await interleaved(subjects, read, runs=bench.runs(5))
            table = Table(f"{milliseconds(round_trip)} round trip", ["", "median"])
            table.rows += [[name, cell(measured)] for name, measured in found.items()]
            section.tables.append(table)
            section.figures[milliseconds(round_trip)] = figures(found)
        return section

- Files: `bench.place.data` lays out parts of the working folder when they are first asked for. Change no file that
  another section reads; put your own below a folder named as your section.
- Only this project: `async with bench.subject(OWN, round_trip) as subject`. `subject.adapter` is the adapter's driver,
  `await subject.link.counts()` tells round trips, bytes and connections so far (None at a round trip of 0, unless
  `proxied=True`).
- Controls (the same rg run on the remote, `ssh` by hand ...) belong in the same rounds: time them before or after the
  call in the action, or between the rounds. Limits stand beside what was measured, with met or not met.
- Memory: `adapter.rss(watch=True)` ... `adapter.rss()`; of the remote `with watched(bench.place.server.pid) as memory`
  with a single subject connected. Never while something is timed.
- Time: a whole run of all sections ends within 20 minutes on two cores, so a section has about three. `bench.quick`
  asks for the smallest that still runs every line (a few seconds; `bench.runs(n)` gives 1 then, `bench.sized(full,
  quick)` chooses).
- `figures` holds the raw figures (anything JSON can hold); tables and plots are for people. The first plot that any
  section marks `readme=True` is the README's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.measuring import Measured


@dataclass
class Table:
    """A table: a title, names of columns, rows of the same length, and a line below."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""


@dataclass
class Plot:
    """A plot.

    Attributes:
        name: of its file, without ending; unique among all sections.
        kind: `bars` (x are texts: groups of bars, one for each series) or `lines` (x are numbers).
        series: the points of each series, by the name of its legend.
        readme: whether it is the README's.
    """

    name: str
    title: str
    kind: str
    x_label: str
    y_label: str
    series: Mapping[str, Sequence[tuple[float | str, float]]]
    log_x: bool = False
    log_y: bool = False
    readme: bool = False


@dataclass
class Section:
    """A part of the page: its name (the module's), title, what is measured in a sentence or two, and what was found."""

    name: str
    title: str
    intro: str = ""
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For results.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Section:
        """What `as_json` gave."""
        rest = {k: v for k, v in found.items() if k not in ("tables", "plots")}
        return cls(
            **rest,
            tables=[Table(**table) for table in found["tables"]],
            plots=[Plot(**plot) for plot in found["plots"]],
        )


def milliseconds(seconds: float) -> str:
    """A time as text: `0.4 ms`, `54 ms`, `1,390 ms`, `12.3 s`."""
    if seconds >= 10:
        return f"{seconds:.1f} s"
    value = seconds * 1000
    return f"{value:.1f} ms" if 0 < value < 9.95 else f"{value:,.0f} ms"


def cell(measured: Measured, round_trip: float = 0) -> str:
    """Median, spread, and the multiple of the round trip where there is one; or why there is no figure."""
    if not measured.seconds:
        return measured.why or "-"
    text = milliseconds(measured.median)
    if len(measured.seconds) > 1:
        text += f" ({milliseconds(measured.low).removesuffix(' ms')}–{milliseconds(measured.high).removesuffix(' ms')})"
    if round_trip:
        text += f" = {measured.median / round_trip:.1f} RTT"
    return f"{text}; then: {measured.why}" if measured.why else text


def figures(found: Mapping[str, Measured]) -> dict[str, Any]:
    """Measured times and counts, for `Section.figures`."""
    return {
        name: {
            "seconds": measured.seconds,
            "round_trips": [counts.round_trips for counts in measured.counts],
            "bytes": [counts.to_server + counts.to_client for counts in measured.counts],
            "why": measured.why,
        }
        for name, measured in found.items()
    }
