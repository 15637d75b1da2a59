"""`python -m benchmarks`: measure, print tables, and write the page.

Starts a private sshd and delay proxies on this machine, lays out the data, and measures pybridge beside the
alternatives.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from compileall import compile_dir
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Printed

import pybridge
from benchmarks import registry
from benchmarks.adapter import COMMANDS
from benchmarks.bench import Bench
from benchmarks.machine import describe
from benchmarks.page import write_page
from benchmarks.place import open_place
from benchmarks.plots import can_draw, draw
from benchmarks.section import Section


def main(words: list[str] | None = None) -> None:
    """Run it. `words` are the arguments, the program's own if not given."""
    arguments = _parser().parse_args(words)
    if arguments.page_only:
        write(arguments.save, json.loads((arguments.save / "results.json").read_text()))
        return
    adapters = dict(COMMANDS)
    for text in arguments.adapter:
        name, equals, command = text.partition("=")
        if not (name and equals and command):
            sys.exit(f"--adapter wants NAME=COMMAND, not {text!r}")
        adapters[name] = command
    if unknown := set(arguments.adapters or ()) - adapters.keys():
        sys.exit(f"no such adapter: {', '.join(sorted(unknown))}")
    adapters = {name: command for name, command in adapters.items() if name in (arguments.adapters or adapters)}
    compile_dir(Path(pybridge.__file__).parent, quiet=1)  # as an installation does
    with open_place(arguments.parent) as place:
        bench = Bench(place, adapters, [one / 1000 for one in arguments.rtt], arguments.quick)
        results: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat(), "command": _command(arguments)}
        results |= {"machine": describe(), "sections": {}}
        if arguments.save is not None and arguments.only and (before := arguments.save / "results.json").exists():
            results["sections"] = json.loads(before.read_text())["sections"]
        asyncio.run(_run(bench, arguments.only or registry.available(), arguments.save, results))
        bench.say("removing what was laid out")
    bench.say("done")


async def _run(bench: Bench, names: list[str], save: Path | None, results: dict[str, Any]) -> None:
    console = Console(width=170)
    measured: dict[str, Any] = results["sections"]
    for name in names:
        bench.say(f"section {name}")
        section = await registry.section(name)(bench)
        show(console, section)
        # An error's text may name where this ran.
        text = json.dumps(section.as_json()).replace(str(bench.place.scratch), "...")
        measured[name] = {"date": results["date"], "command": results["command"], "section": json.loads(text)}
        results["sections"] = {one: measured[one] for one in registry.SECTIONS if one in measured}
        if save is not None:  # after each, so that an interrupted run keeps what it has
            write(save, results)


def show(console: Console, section: Section) -> None:
    """Print a section's tables and notes."""
    console.rule(section.title)
    for table in section.tables:
        printed = Printed(*table.columns, title=table.title, caption=table.note or None)
        for row in table.rows:
            printed.add_row(*row)
        console.print(printed)
    for note in section.notes:
        console.print(f"- {note}")


def write(save: Path, results: dict[str, Any]) -> None:
    """Write `results.json` and the plots into a folder, and the page beside it."""
    save.mkdir(parents=True, exist_ok=True)
    (save / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    drawn = set()
    if can_draw():
        for found in results["sections"].values():
            for plot in Section.from_json(found["section"]).plots:
                (save / f"{plot.name}.svg").write_text(draw(plot))
                drawn.add(plot.name)
    else:
        print("No plots: matplotlib is not there (pip install -e '.[bench]').", file=sys.stderr)
    save.with_name(f"{save.name}.md").write_text(write_page(results, save.name, drawn))


def _command(arguments: argparse.Namespace) -> str:
    """How the same is measured again: without folders of this machine, which change nothing."""
    words = ["python", "-m", "benchmarks", "--rtt", *(f"{one:g}" for one in arguments.rtt)]
    words += ["--only", *arguments.only] if arguments.only else []
    words += ["--adapters", *arguments.adapters] if arguments.adapters else []
    words += [f"--adapter {text.partition('=')[0]}=..." for text in arguments.adapter]
    return " ".join([*words, *(["--quick"] if arguments.quick else [])])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rtt", type=float, nargs="+", default=[0, 50, 150], help="round trips, in milliseconds")
    parser.add_argument(
        "--only", nargs="+", choices=registry.available(), metavar="SECTION", help="these sections only"
    )
    parser.add_argument("--quick", action="store_true", help="small data, one run each: does it work at all?")
    parser.add_argument("--adapter", action="append", default=[], metavar="NAME=COMMAND", help="another implementation")
    parser.add_argument("--adapters", nargs="+", metavar="NAME", help=f"only these of {', '.join(COMMANDS)} and yours")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write results.json and plots there, and DIR.md")
    parser.add_argument("--page-only", action="store_true", help="measure nothing: write page and plots anew from DIR")
    parser.add_argument("--parent", type=Path, metavar="FOLDER", help="where the data is laid out for the run")
    return parser


if __name__ == "__main__":
    main()
