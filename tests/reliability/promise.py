"""A promise about files, and the tests that hold it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """One promise.

    Args:
        text: what is promised, for a user; one or two sentences of Markdown.
        tests: node ids, or beginnings of node ids, of the tests that hold it.
        limit: what it does not cover, or "".
    """

    text: str
    tests: tuple[str, ...]
    limit: str = ""

    def is_held_by(self, test: str) -> bool:
        """Whether a test is one of those that hold it."""
        return any(test == name or test.startswith((f"{name}::", f"{name}[", f"{name}/")) for name in self.tests)


@dataclass(frozen=True)
class Chapter:
    """Promises about one matter.

    Args:
        title: of the chapter.
        promises: in the order they are read in.
        figures: groups of figures (`tests/kit/figures.py`) shown below them.
    """

    title: str
    promises: tuple[Promise, ...]
    figures: tuple[str, ...] = ()
