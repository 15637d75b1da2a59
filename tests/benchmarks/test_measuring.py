"""Rounds over several implementations."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.adapter import Adapter, Timed, TookTooLongError
from benchmarks.adapters.protocol import UnsupportedError
from benchmarks.measuring import SLOW_SECONDS, Measured, Subject, interleaved
from benchmarks.place import Link
from benchmarks.section import cell, milliseconds

pytestmark = pytest.mark.unit


def subjects(folder: Path) -> list[Subject]:
    """Three, never started."""
    return [Subject(Adapter(name, sys.executable, folder), Link("ssh host", 0, None)) for name in "abc"]


async def test_each_round_begins_with_another_and_has_each_once(tmp_path: Path) -> None:
    order: list[str] = []

    async def action(subject: Subject, run: int) -> Timed:
        order.append(f"{subject.name}{run}")
        return Timed(run + 1.0)

    found = await interleaved(subjects(tmp_path), action, runs=3)
    assert order == ["a0", "b0", "c0", "b1", "c1", "a1", "c2", "a2", "b2"]
    assert all(measured.seconds == [1.0, 2.0, 3.0] for measured in found.values())
    assert found["a"].median == 2.0
    assert (found["a"].low, found["a"].high) == (1.0, 3.0)


async def test_what_is_slow_is_done_once_and_what_cannot_be_done_is_not_tried_again(tmp_path: Path) -> None:
    tried: list[str] = []

    async def action(subject: Subject, run: int) -> float:
        tried.append(subject.name)
        if subject.name == "a":
            raise UnsupportedError("never")
        return SLOW_SECONDS + 1 if subject.name == "b" else 0.1

    found = await interleaved(subjects(tmp_path), action, runs=3)
    assert sorted(tried) == ["a", "b", "c", "c", "c"]
    assert found["a"].why == "never"
    assert cell(found["a"]) == "never"
    assert len(found["b"].seconds) == 1


async def test_what_fails_later_says_so_beside_its_figure(tmp_path: Path) -> None:
    async def action(subject: Subject, run: int) -> float:
        if run == 1:
            raise TookTooLongError(10)
        return 0.25

    found = await interleaved(subjects(tmp_path)[:1], action)
    assert cell(found["a"]) == "250 ms; then: took more than 10 s"


async def test_preparation_is_not_measured_and_controls_are_once_in_each_round(tmp_path: Path) -> None:
    async def action(subject: Subject, run: int) -> float:
        return 1.0

    async def prepare(subject: Subject, run: int) -> float:
        return 100.0

    async def control() -> float:
        return 0.5

    found = await interleaved(subjects(tmp_path)[:1], action, runs=2, prepare=prepare, controls={"rg": control})
    assert found["a"].seconds == [1.0, 1.0]
    assert found["rg"].seconds == [0.5, 0.5]


def test_times_are_shown_in_the_unit_that_fits() -> None:
    assert [milliseconds(one) for one in (0, 0.00042, 0.0094, 0.0541, 1.39, 12.34)] == [
        "0 ms",
        "0.4 ms",
        "9.4 ms",
        "54 ms",
        "1,390 ms",
        "12.3 s",
    ]
    assert cell(Measured([0.05, 0.06, 0.07]), 0.05) == "60 ms (50–70) = 1.2 RTT"
