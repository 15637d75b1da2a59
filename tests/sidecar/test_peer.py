"""Every request gets an answer, also when what it waits for is cancelled beneath it."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from pybridge.sidecar.jsonrpc import Request
from pybridge.sidecar.peer import Incoming, Peer

pytestmark = pytest.mark.unit


async def cut_off(params: dict[str, Any], incoming: Incoming) -> None:
    inner = asyncio.ensure_future(asyncio.Event().wait())
    inner.cancel()
    await inner


async def test_law7_a_call_whose_inner_task_is_cancelled_is_answered() -> None:
    peer = Peer(cast(Any, None), cast(Any, None), {"call": cut_off})
    answer = await peer._begin(Request(7, "call", {}))
    assert json.loads(answer)["id"] == 7
    assert "connection ended" in json.loads(answer)["error"]["message"]
