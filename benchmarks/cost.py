"""What it costs to have it: the start, the memory, what happens at rest, and what grows over very many calls."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.measuring import Measured
from benchmarks.own_sidecar import Sidecar, own_sidecar
from benchmarks.section import Section, Table, cell, figures, milliseconds
from benchmarks.shim_cost import OWN_TIME, in_node, in_opencode
from tests.kit.soak import Holdings, Soak

CALLS = 10_000
"""Of the soak, unless PYBRIDGE_SOAK says otherwise."""

REST_SECONDS = 40.0
"""Two keep-alives, which are sent every 15 seconds, and some."""

SHIM_SECONDS = 0.05
READY_SECONDS = 0.5
IDLE_MIB = 60

_MIB = 2**20
_INTRO = (
    "The plugin must not hold up OpenCode's start, and the sidecar must be ready soon and then cost nothing: little "
    "memory, no work and no traffic at rest but the keep-alives of its connections, and nothing that grows with the "
    "number of calls."
)


async def run(bench: Bench) -> Section:
    """Measure all."""
    section = Section("cost", "Cost", _INTRO)
    await _start(bench, section)
    await _rest_and_soak(bench, section)
    return section


async def _start(bench: Bench, section: Section) -> None:
    bench.say("cost: the start")
    place, scratch = bench.place, bench.place.scratch / "homes" / "cost-shim"
    scratch.mkdir(parents=True)
    table = Table("Start", ["", "measured", "at most", ""])
    found: dict[str, Measured] = {}
    found["plugin loaded, in node"] = await in_node(place.server.ssh_command, place.workdir, scratch, bench.runs(9))
    opencode = await in_opencode(place.server.ssh_command, place.workdir, scratch, bench.runs(7))
    found |= {
        name if name == OWN_TIME else f"`opencode serve` opens a folder, {name}": m for name, m in opencode.items()
    }
    await _first_results(bench, found)
    limits = {"plugin loaded, in node": SHIM_SECONDS, OWN_TIME: SHIM_SECONDS, "sidecar takes a call": READY_SECONDS}
    for name, measured in found.items():
        table.rows.append([name, cell(measured), *_against(measured.median, limits.get(name), milliseconds)])
    section.tables.append(table)
    section.figures["start"] = figures(found)


async def _first_results(bench: Bench, found: dict[str, Measured]) -> None:
    """From the start of the sidecar, over links of each latency."""
    name = "sidecar takes a call"
    found[name] = Measured()
    for round_trip in bench.round_trips:
        first = f"first result of `true`, {milliseconds(round_trip)} round trip"
        found[first] = Measured()
        for run in range(bench.runs(5)):
            home = bench.place.scratch / "homes" / f"cost-{round_trip}-{run}"
            async with (
                bench.place.link(round_trip) as link,
                own_sidecar(link, bench.place.workdir, home) as sidecar,
            ):
                await sidecar("bash", command="true")
                found[first].seconds.append(time.perf_counter() - sidecar.started)
                found[name].seconds.append(sidecar.ready)
                if (counts := await link.counts()) is not None:
                    found[first].counts.append(counts)


async def _rest_and_soak(bench: Bench, section: Section) -> None:
    calls = bench.sized(int(os.environ.get("PYBRIDGE_SOAK", CALLS)), 100)
    workdir, home = bench.place.data.folder / "cost", bench.place.scratch / "homes" / "cost"
    workdir.mkdir()
    async with (
        bench.place.link(0, proxied=True) as link,
        own_sidecar(link, str(workdir), home) as sidecar,
    ):
        soak = Soak(sidecar.client, workdir, home, bench.place.server.pid)
        await soak.run(bench.sized(500, 50))
        bench.say("cost: at rest")
        await asyncio.sleep(8)
        section.tables.append(await _rest(bench, sidecar, soak, section))
        before = soak.holdings()
        bench.say(f"cost: {calls} calls")
        started = time.perf_counter()
        await soak.run(calls)
        taken = time.perf_counter() - started
        await asyncio.sleep(8)
        after = soak.holdings()
    done = soak.calls
    table = Table(f"After {calls:,} mixed calls of 8 sessions in {taken:.0f} s", ["", "before", "after"])
    for name in asdict(before):
        table.rows.append([name.replace("_", " "), _shown(name, before), _shown(name, after)])
    table.note = "Local files are the undo journal (at most 256 MB), copies of remote files (at most 512 MB) and logs."
    section.tables.append(table)
    section.figures["soak"] = {"calls": done, "seconds": taken, "before": asdict(before), "after": asdict(after)}


async def _rest(bench: Bench, sidecar: Sidecar, soak: Soak, section: Section) -> Table:
    seconds = bench.sized(REST_SECONDS, 1.0)
    counts, woken, worked = await sidecar.link.counts(), soak.wakeups(), _cpu_seconds(sidecar.pid)
    await asyncio.sleep(seconds)
    moved, holdings = await sidecar.link.counts(), soak.holdings()
    assert counts is not None and moved is not None
    woken, worked, moved = soak.wakeups() - woken, _cpu_seconds(sidecar.pid) - worked, moved - counts
    table = Table(f"At rest for {seconds:.0f} s, after 500 calls", ["", "measured", "at most", ""])
    table.rows.append(["memory of the sidecar", *_row(holdings.resident / _MIB, IDLE_MIB, lambda x: f"{x:.1f} MiB")])
    table.rows.append(["processor time", f"{worked * 1000:.0f} ms", "-", ""])
    table.rows.append(["wakeups", str(woken), "some for each keep-alive", ""])
    table.rows.append(["bytes over the link", f"{moved.to_server + moved.to_client}", "keep-alives", ""])
    figures = {"seconds": seconds, "resident": holdings.resident, "wakeups": woken, "cpu_seconds": worked}
    section.figures["rest"] = figures | {"to_server": moved.to_server, "to_client": moved.to_client}
    return table


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _row(value: float, limit: float, shown: Callable[[float], str]) -> list[str]:
    return [shown(value), *_against(value, limit, shown)]


def _against(value: float, limit: float | None, shown: Callable[[float], str]) -> list[str]:
    return ["-", ""] if limit is None else [shown(limit), "met" if value <= limit else "NOT MET"]


def _shown(name: str, holdings: Holdings) -> str:
    value = getattr(holdings, name)
    return f"{value / _MIB:.1f} MiB" if name in ("resident", "local_bytes") else f"{value}"
