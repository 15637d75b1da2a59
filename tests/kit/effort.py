"""How much a test may do that could go on for ever: fault points, interleavings, generated inputs.

`make test` takes a seeded sample, `make test-all` a part, `make torture` everything. The variable is set by the
Makefile, so that one test serves all three.
"""

from __future__ import annotations

import enum
import os
from typing import TypeVar

VARIABLE = "PYBRIDGE_EFFORT"

T = TypeVar("T")


class Effort(enum.Enum):
    """How much is asked for."""

    SAMPLE = "sample"
    PART = "part"
    ALL = "all"


def effort() -> Effort:
    """What this run asks for."""
    return Effort(os.environ.get(VARIABLE, Effort.SAMPLE.value))


def by_effort(sample: T, part: T, everything: T) -> T:
    """One of three values, by what this run asks for."""
    return {Effort.SAMPLE: sample, Effort.PART: part, Effort.ALL: everything}[effort()]
