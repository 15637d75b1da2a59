"""The page docs/performance.md, from the results of a run."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from benchmarks.section import Section, Table

_HEAD = """\
# How fast it is

Measured on one machine: a private sshd, reached through a proxy that delays each direction at full bandwidth and runs
in a process of its own; without a delay, directly. The delay is such that a short message and its echo take the round
trip that is named between two other processes, the proxy's own work included. All implementations are connected at the
same time, each on a link of its own, and do an operation in turn, round by round, each round beginning with another.
The figures are medians. The proxy does not delay the handshake of TCP.

**Round trips are counted** by the proxy as the longest chain of *sent, answered, sent because of it*: a piece the
client sends is one deeper than the deepest answer it has received by then, an answer is as deep as the deepest piece
the server has received on its connection, and an operation took the difference between its end and its start. What is
sent at once counts once, whatever its size. The time divided by the round trip is more, by what both ends work. What
goes on in the background beside an operation that takes long counts too, so the count is never too small.

Made by `{command}` on {date}.

{machine}
"""


def write_page(results: dict[str, Any], folder: str, drawn: set[str]) -> str:
    """The page.

    Args:
        results: what `results.json` holds.
        folder: of the plots, relative to the page.
        drawn: names of the plots that are there.
    """
    machine = "\n".join(f"- {name}: {value}" for name, value in results["machine"].items())
    parts = [_HEAD.format(command=results["command"], date=results["date"], machine=machine)]
    for found in results["sections"].values():
        parts += _section(Section.from_json(found["section"]), folder, drawn)
        if found["date"] != results["date"] or found["command"] != results["command"]:
            parts.append(f"Measured by `{found['command']}` on {found['date']}.\n")
    return "\n".join(parts)


def _section(section: Section, folder: str, drawn: set[str]) -> Iterator[str]:
    yield f"## {section.title}\n\n{_filled(section.intro)}\n"
    for plot in section.plots:
        if plot.name in drawn:
            yield f"![{plot.title}]({folder}/{plot.name}.svg)\n"
    yield from map(_table, section.tables)
    if section.notes:
        yield "".join(f"{_filled(f'- {note}', '  ')}\n" for note in section.notes)


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _table(table: Table) -> str:
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    text = "\n".join(
        "| " + " | ".join(item.replace("|", "\\|").replace("\n", " ") for item in line) + " |" for line in lines
    )
    return f"### {table.title}\n\n{text}\n" + (f"\n{table.note}\n" if table.note else "")
