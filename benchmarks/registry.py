"""The sections of the benchmarks, in the page's order."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Awaitable, Callable

from benchmarks.bench import Bench
from benchmarks.section import Section

SECTIONS = ("budgets", "throughput", "search", "many", "cost", "growth")
"""Each is a module of this package; one that is not there yet is left out."""


def available() -> list[str]:
    """Those that are there."""
    return [name for name in SECTIONS if importlib.util.find_spec(f"benchmarks.{name}") is not None]


def section(name: str) -> Callable[[Bench], Awaitable[Section]]:
    """What runs a section."""
    return importlib.import_module(f"benchmarks.{name}").run
