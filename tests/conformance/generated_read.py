"""Generated cases of read: files of many shapes, paged through at random."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.conformance.case import Case, Step
from tests.conformance.cases_read import read

PAGES = 5
"""Pages read of each file."""

_WORDS = (
    "alpha",
    "x",
    "",
    "  indented",
    "\ttab",
    "h\u00e9llo",
    "\u4e16\u754c",
    "\u20ac" * 7,
    "trailing  ",
    "1: 2",
    "</content>",
)


def read_case(seed: int) -> Case:
    """The case of one seed."""
    random = Random(f"read {seed}")
    lines = _lines(random)
    content = "".join(line + _end(random, seed) for line in lines)
    if random.random() < 0.3:
        content = content.rstrip("\r\n")
    if random.random() < 0.15:
        content = "\ufeff" + content
    steps = tuple(_page(random, len(lines)) for _ in range(PAGES))
    return Case(f"generated-read-{seed}", steps, {"f": content.encode()})


def _lines(random: Random) -> list[str]:
    count = random.choice([0, 1, 3, random.randrange(200), random.randrange(1990, 2010), random.randrange(6000)])
    shape = random.choice(["short", "mixed", "even", "long"])
    match shape:
        case "short":
            return [random.choice(_WORDS) for _ in range(count)]
        case "mixed":
            return [random.choice(_WORDS) * random.randrange(12) for _ in range(count)]
        case "even":
            return [chr(random.choice([0x61, 0xE9, 0x4E16])) * random.randrange(20, 400)] * min(count, 2000)
        case _:  # around the limit of a line, some far beyond it
            lengths = [1999, 2000, 2001, random.randrange(4000), random.randrange(30_000)]
            return [random.choice("a\u00e9\u4e16") * random.choice(lengths) for _ in range(min(count, 60))]


def _end(random: Random, seed: int) -> str:
    return "\r\n" if seed % 4 == 1 else random.choice(["\n", "\r\n"]) if seed % 4 == 2 else "\n"


def _page(random: Random, count: int) -> Step:
    more: dict[str, Any] = {}
    if random.random() < 0.7:
        more["offset"] = random.choice(
            [0, 1, count, count + 1, random.randrange(count + 3), random.randrange(count + 3)]
        )
    if random.random() < 0.6:
        more["limit"] = random.choice([0, 1, 2, 2000, 2001, random.randrange(1, 5000)])
    return read(**more)
