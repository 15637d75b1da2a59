"""A sidecar process behind a link whose round trips are counted: exact where time is not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.demo.sidecar_client import SidecarClient

ROUND_TRIP = 0.1
"""Seconds: well above what either side needs to answer, so that what waits for an answer is told from what does not."""

ATTEMPTS = 3
"""A stalled machine can only raise a count. A lost budget fails every attempt."""


@dataclass
class SlowLink:
    """A sidecar and the link to its remote; `folder` is the remote's workdir, looked at directly."""

    client: SidecarClient
    proxy: DelayProxy
    folder: Path
    kind: str
    """Of its server."""
    shell: Path
    """The folder where commands of the user's own are taken."""
    _number: int = 0

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """One tool call."""
        self._number += 1
        return await self.client.call(tool, arguments, self._number)

    @contextlib.contextmanager
    def quickly(self) -> Iterator[None]:
        """Without the delay: for what only prepares."""
        self.proxy._delay = 0.0
        try:
            yield
        finally:
            self.proxy._delay = ROUND_TRIP / 2

    async def quiet(self) -> None:
        """Wait until nothing is under way: what is made ready in the background counts for no call."""
        passed = (-1, -1)
        while passed != (passed := (self.proxy.to_server.bytes, self.proxy.to_client.bytes)):
            await asyncio.sleep(3 * ROUND_TRIP)

    async def trips(self, goal: int, act: Callable[[int], Awaitable[object]], *, attempts: int = ATTEMPTS) -> int:
        """The fewest round trips of an operation in up to so many attempts, which end as soon as it is `goal`.

        Args:
            goal: what is expected.
            act: does it; given the number of the attempt.
            attempts: more for what takes much of the machine itself.
        """
        fewest = 1 << 30
        for attempt in range(attempts):
            await self.quiet()
            before = self.proxy.round_trips
            await act(attempt)
            fewest = min(fewest, self.proxy.round_trips - before)
            if fewest <= goal:
                break
        return fewest
