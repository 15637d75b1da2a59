"""Work in the background pauses again and again, and misses nothing."""

from __future__ import annotations

import time

import pytest

from pybridge.mirror import pace
from pybridge.mirror.pace import paced

pytestmark = pytest.mark.unit


def test_every_item_comes_once_and_in_order() -> None:
    assert list(paced(range(1000))) == list(range(1000))
    assert list(paced([])) == []


def test_there_is_a_pause_after_each_piece_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    pauses: list[int] = []
    done: list[int] = []
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: pauses.append(len(done)))
    for item in paced(range(10)):
        done.append(item)
        clock[0] += pace.WORK_SECONDS * 0.6
    assert pauses == [2, 4, 6, 8, 10]
