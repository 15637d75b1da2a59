"""Notifications of a running command: not too often, the last state always, none after the end."""

from __future__ import annotations

import asyncio

import pytest

from pybridge.tools.live_output import LiveOutput

pytestmark = pytest.mark.unit


async def test_a_burst_is_shown_at_once_and_again_at_its_end() -> None:
    state, shown = [0], []
    done = asyncio.Event()

    def show() -> None:
        shown.append(state[0])
        if state[0] == 99:
            done.set()

    live = LiveOutput(show, interval=0.01)
    for n in range(100):
        state[0] = n
        live.changed()
    assert shown == [0]
    await done.wait()
    assert shown == [0, 99]


async def test_nothing_is_shown_after_the_end() -> None:
    shown: list[int] = []
    live = LiveOutput(lambda: shown.append(1), interval=0.001)
    live.changed()
    live.changed()
    live.stop()
    await asyncio.sleep(0.02)
    assert shown == [1]
