"""This project's sidecar without an adapter between: for what is measured of nobody else."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.place import Link
from pybridge.demo.sidecar_client import SidecarClient


def environment(home: Path) -> dict[str, str]:
    """Of a process whose files lie below `home`."""
    kinds = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("STATE", "DATA", "CACHE", "CONFIG")}
    return {**{k: v for k, v in os.environ.items() if not k.startswith("REMOTE_")}, "HOME": str(home), **kinds}


@dataclass
class Sidecar:
    """A running one."""

    client: SidecarClient
    link: Link
    started: float
    ready: float
    """Seconds from its start until it could take a call."""

    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def pid(self) -> int:
        assert self.client._process is not None
        return self.client._process.pid

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """One call."""
        return await self.client.call(tool, arguments, next(self._numbers))

    async def time(self, tool: str, **arguments: Any) -> float:
        """Seconds that one call takes."""
        started = time.perf_counter()
        await self(tool, **arguments)
        return time.perf_counter() - started


@contextlib.asynccontextmanager
async def own_sidecar(link: Link, workdir: str, home: Path) -> AsyncIterator[Sidecar]:
    """One that works in `workdir`, over a link, and keeps its files below `home`."""
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 (nothing else runs yet)
    client = SidecarClient({"REMOTE_SSH": link.ssh, "REMOTE_WORKDIR": workdir}, environment(home))
    started = time.perf_counter()
    async with client:
        yield Sidecar(client, link, started, time.perf_counter() - started)


async def median(action: Callable[[int], Awaitable[float]], runs: int) -> float:
    """The middle one of so many runs of an action, which is given the run's number."""
    times = sorted([await action(run) for run in range(runs)])
    return times[len(times) // 2]
