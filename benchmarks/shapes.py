"""How a cost grows: the shape of a curve, from a few figures of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

FLAT_FACTOR = 1.6
FLAT_SECONDS = 0.005
"""What a machine's unrest may add to a cost that does not grow."""

LINEAR_EXPONENT = 1.2

ORDER = ("flat", "linear", "worse")


def shape(points: Sequence[tuple[float, float]]) -> str:
    """`flat`, `linear` (at most), or `worse`.

    Args:
        points: size and seconds, by size; at least two.
    """
    low = min(seconds for _, seconds in points)
    if points[-1][1] <= low * FLAT_FACTOR + FLAT_SECONDS:
        return "flat"
    return "linear" if exponent(points) <= LINEAR_EXPONENT else "worse"


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """How the cost grows where it is largest: with this power of the size.

    The fit over the last three sizes: what every call costs hides the growth at the first ones. A size of 0 says
    nothing of powers and is left out.
    """
    last = [(math.log(size), math.log(seconds)) for size, seconds in points if size > 0 and seconds > 0][-3:]
    middle_x = sum(x for x, _ in last) / len(last)
    middle_y = sum(y for _, y in last) / len(last)
    spread = sum((x - middle_x) ** 2 for x, _ in last)
    return sum((x - middle_x) * (y - middle_y) for x, y in last) / spread if spread else 0.0
