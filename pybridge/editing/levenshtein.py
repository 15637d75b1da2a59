"""Levenshtein distance over UTF-16 code units, in time that lines of a minified file can afford.

Bit-parallel algorithm of G. Myers (1999) in the form H. Hyyrö gave it for the edit distance ("A Bit-Vector Algorithm
for Computing Levenshtein and Damerau Edit Distances", 2003); Python's integers are the bit vectors.
"""

from __future__ import annotations

from pybridge.editing.js_text import code_units


def distance(first: str, second: str) -> int:
    """How many code units must be inserted, removed or substituted to make `second` of `first`."""
    pattern, text = code_units(first), code_units(second)
    if not pattern or not text:
        return max(len(pattern), len(text))
    places: dict[int, int] = {}
    for position, unit in enumerate(pattern):
        places[unit] = places.get(unit, 0) | 1 << position
    mask = (1 << len(pattern)) - 1
    last = 1 << len(pattern) - 1
    positive, negative, result = mask, 0, len(pattern)
    for unit in text:
        match = places.get(unit, 0)
        diagonal = (((match & positive) + positive) ^ positive) | match | negative
        rise = negative | ~(diagonal | positive) & mask
        fall = diagonal & positive
        if rise & last:
            result += 1
        elif fall & last:
            result -= 1
        rise = (rise << 1 | 1) & mask
        fall = fall << 1 & mask
        positive = fall | ~(diagonal | rise) & mask
        negative = rise & diagonal
    return result
