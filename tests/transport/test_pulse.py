"""Whether a connection still answers is found out without harm to whoever asks."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from pybridge.transport.pulse import Pulse

pytestmark = pytest.mark.unit


class SilentConnection:
    """A connection that never says anything."""

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        raise AssertionError("nothing comes")

    async def _make_global_request(self, name: bytes) -> None:
        await asyncio.Event().wait()


async def test_law7_a_link_that_ends_while_it_is_asked_is_not_to_be_used_and_cancels_nobody() -> None:
    pulse = Pulse(cast(Any, SilentConnection()), 15.0, lambda: None)
    pulse._heard = (-1000.0, -1000.0)
    asking = asyncio.create_task(pulse.answers())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not asking.done()
    pulse.close()
    assert await asyncio.wait_for(asking, 30) is False
