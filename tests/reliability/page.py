"""docs/reliability.md: each promise with the tests that hold it, and the figures of the run that wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.reliability.promise import Chapter, Promise

FILE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"

_TOP = """# What pybridge promises about your files, and what holds each promise

Written by `make reliability` from the run named at the end; a promise is listed only if every test that holds it passed
in that run. How to read the figures: *cases* is how many were tried (fault points, interleavings, inputs), *wrong* how
many broke the promise.
"""


@dataclass
class Run:
    """What one run of the tests told.

    Args:
        about: when, where, and how much was tried.
        passed: tests that passed.
        failed: tests that did not, or were skipped.
        figures: cases and wrong ones, by group and class.
    """

    about: str = ""
    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    figures: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def count(self, group: str, name: str, cases: int, wrong: int) -> None:
        """Add to a figure."""
        before = self.figures.get((group, name), (0, 0))
        self.figures[group, name] = (before[0] + cases, before[1] + wrong)


def faults(chapters: Sequence[Chapter], run: Run) -> list[str]:
    """Why the page cannot be written from this run; none if it can."""
    found = [f"{test} did not pass" for test in sorted(run.failed)]
    found += [f"{group}: {name}: {wrong} wrong" for (group, name), (_, wrong) in run.figures.items() if wrong]
    for chapter in chapters:
        for promise in chapter.promises:
            for name in promise.tests:
                if not any(Promise("", (name,)).is_held_by(test) for test in run.passed):
                    found.append(f"{name} did not run")
        groups = {group for group, _ in run.figures}
        found += [f"there are no figures of {group}" for group in chapter.figures if group not in groups]
    return found


def render(chapters: Sequence[Chapter], run: Run) -> str:
    """The page's text."""
    parts = [_TOP]
    for number, chapter in enumerate(chapters, 1):
        parts.append(f"## {number}. {chapter.title}\n\n" + "".join(_promise(p, run) for p in chapter.promises))
        for group in chapter.figures:
            parts.append(_figures(group, run.figures))
    parts.append(f"## The run\n\n{run.about}\n")
    return "\n".join(parts)


def _promise(promise: Promise, run: Run) -> str:
    passed = sum(promise.is_held_by(test) for test in run.passed)
    names = ", ".join(f"`{name}`" for name in promise.tests)
    limit = f" *Not covered:* {promise.limit}" if promise.limit else ""
    return f"- {promise.text}{limit}\n  Held by {names}: {passed} passed.\n"


def _figures(group: str, figures: Mapping[tuple[str, str], tuple[int, int]]) -> str:
    rows = [(name, *counted) for (of, name), counted in sorted(figures.items()) if of == group]
    total = (f"**{group}, together**", sum(row[1] for row in rows), sum(row[2] for row in rows))
    lines = [f"| {name} | {cases:,} | {wrong} |\n" for name, cases, wrong in [*rows, total]]
    return f"| {group[:1].upper()}{group[1:]} | Cases | Wrong |\n|---|---:|---:|\n" + "".join(lines)
