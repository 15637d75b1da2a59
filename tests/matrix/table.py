"""The table of docs/servers.md: rendered from columns, rows and verdicts, and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.matrix.column import Column
from tests.matrix.rows import Row

FILE = Path(__file__).parents[2] / "docs" / "servers.md"
WORKS = "✓"
REFUSED = "refused"
MOST_REFUSED = 5
_BEGIN = "<!-- written by `make matrix` -->\n"
_END = "<!-- end of what `make matrix` writes -->\n"

Verdicts = Mapping[tuple[str, str], str]
"""By the names of column and row: `WORKS` or `REFUSED`."""


def expected(columns: Sequence[Column], rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """The verdicts the tests hold to."""
    return {(c.name, r.name): REFUSED if r.name in c.refused else WORKS for c in columns for r in rows}


def render(columns: Sequence[Column], rows: Sequence[Row], verdicts: Verdicts) -> str:
    """Markdown of the matrix, and of what its columns and rows are."""
    lines = ["| | " + " | ".join(str(n) for n in range(1, len(columns) + 1)) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    lines += [f"| {r.name} | " + " | ".join(verdicts[c.name, r.name] for c in columns) + " |" for r in rows]
    lines += ["", "The columns:", "", "| | Server and userland | What it is |", "|---|---|---|"]
    lines += [f"| {n} | {c.name} | {c.what} |" for n, c in enumerate(columns, 1)]
    refused = [(n, c, name) for n, c in enumerate(columns, 1) for name in c.refused]
    if refused:
        lines += ["", "What is refused, and why:", ""]
        lines += [f"- {name} on {n} ({c.name}): {c.refused[name].why}" for n, c, name in refused]
    lines += ["", "What a green cell means:", "", "| | |", "|---|---|"]
    lines += [f"| {r.name} | {r.proves} |" for r in rows]
    return "\n".join(lines) + "\n"


def written() -> str:
    """What stands in the file between the marks."""
    _, _, rest = FILE.read_text(encoding="utf-8").partition(_BEGIN)
    return rest.partition(_END)[0]


def write(text: str) -> None:
    """Put `text` between the marks of the file."""
    before, mark, rest = FILE.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (mark and end):
        raise ValueError(f"{FILE.name} lacks the marks {_BEGIN.strip()} and {_END.strip()}")
    FILE.write_text(before + mark + text + end + after, encoding="utf-8")
