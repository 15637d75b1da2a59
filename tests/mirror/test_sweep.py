"""The first sweep of a connection keeps nobody out for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from pybridge.errors import RemoteTimeoutError
from pybridge.host.control_shell import ShellIdentity
from pybridge.host.host import Host
from pybridge.host.recovery import Leftover, Settled, Settlement, UnfinishedRequest
from pybridge.mirror import sweep as sweeping
from pybridge.mirror.sweep import Sweeper, Swept
from pybridge.mirror.temporaries import TemporaryRecords

pytestmark = pytest.mark.unit


class TroubledHost:
    """A host that gives no answer as long as it is in trouble."""

    def __init__(self, trouble: Exception | None) -> None:
        self._trouble = trouble
        self.in_trouble = True

    async def recover(self, requests: Sequence[UnfinishedRequest]) -> dict[str, Settlement]:
        if self.in_trouble:
            if self._trouble is not None:
                raise self._trouble
            await asyncio.Event().wait()
        return {request.key: Settlement(Settled.UNDONE) for request in requests}


@pytest.mark.parametrize("trouble", [RemoteTimeoutError("the disk hangs"), None], ids=["told", "hanging"])
async def test_law7_a_sweep_that_hangs_goes_on_in_the_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception | None
) -> None:
    monkeypatch.setattr(sweeping, "FIRST_SECONDS", 0.2)
    records = TemporaryRecords(tmp_path, "host")
    leftover = Leftover("/w/f", "/w/f", ("/w/.pybridge-1",), "absent", "sha256:1")
    request = UnfinishedRequest("0" * 16, ShellIdentity(1, "1", "boot"), (leftover,))
    records.begin(request)
    records.abandon(request.key)
    told: list[Swept] = []
    host = TroubledHost(trouble)
    sweeper = Sweeper(cast(Host, host), records, told.extend)
    await sweeper.first()
    assert told == []
    host.in_trouble = False
    async with asyncio.timeout(30):
        while not told:
            await asyncio.sleep(0.01)
    assert told == [Swept(("/w/f",), Settlement(Settled.UNDONE))]
    assert records.pending() == []
    await sweeper.close()
