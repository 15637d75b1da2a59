"""The shape of a curve is named from a few figures of it."""

from __future__ import annotations

import pytest

from benchmarks.shapes import exponent, shape

pytestmark = pytest.mark.unit

SIZES = (1e3, 1e4, 1e5, 1e6)


def curve(base: float, factor: float, power: float) -> list[tuple[float, float]]:
    return [(size, base + factor * size**power) for size in SIZES]


@pytest.mark.parametrize(
    ("points", "name"),
    [
        (curve(0.05, 0, 1), "flat"),
        (curve(0.05, 1e-8, 1), "flat"),
        ([(1, 0.0010), (10, 0.0045), (100, 0.0020)], "flat"),
        (curve(0.05, 1e-6, 1), "linear"),
        (curve(0.05, 1e-3, 0.5), "linear"),
        (curve(0.05, 1e-9, 2), "worse"),
        (curve(0.0, 1e-9, 1.5), "worse"),
        ([(0, 0.01), (10, 0.02), (50, 0.06), (250, 0.26)], "linear"),
    ],
)
def test_a_curve_has_its_shape(points: list[tuple[float, float]], name: str) -> None:
    assert shape(points) == name


def test_a_power_is_found() -> None:
    assert exponent(curve(0, 1e-9, 1.5)) == pytest.approx(1.5)
    assert exponent([(0, 1.0), (5, 1.0)]) == 0
