"""From a way to a host that answers. Only what a connection needs is imported here; the rest is loaded meanwhile."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pybridge.settings import Settings
from pybridge.sidecar.finding import Way
from pybridge.transport import ssh_pool  # noqa: F401 (loaded here, in a thread, rather than when it is first used)
from pybridge.transport.carriers import RemoteCarrier, Route, make_carrier
from pybridge.transport.credentials import Credentials

if TYPE_CHECKING:
    from pybridge.host.host import Host


@dataclass(frozen=True)
class Reached:
    """A host that answers, and the way to it."""

    settings: Settings
    route: Route
    pool: RemoteCarrier
    host: Host

    async def close(self) -> None:
        """End every remote process and connection."""
        await self.host.close()
        await self.pool.close()


async def reach(way: Way, env: Mapping[str, str]) -> Reached:
    """Connect to the host that a way leads to.

    Args:
        env: REMOTE_* and PYBRIDGE_* variables.

    Raises:
        RemoteError: with what to do about it.
    """
    settings, route = way.settings, way.route
    pool = make_carrier(route, Credentials.of(settings), settings, env={**os.environ, **env}, head_start=way.head_start)
    loading = asyncio.ensure_future(_load_host(way.on_its_way))
    try:
        await pool.connect()
        way.on_its_way.set()
        await loading
        from pybridge.host.host import Host, HostOptions

        options = HostOptions(workdir=settings.workdir, shell=settings.shell, login=settings.login)
        host = await Host.connect(pool, options)
    except BaseException:
        loading.cancel()
        await pool.close()
        raise
    return Reached(settings, route, pool, host)


async def _load_host(on_its_way: asyncio.Event) -> None:
    await on_its_way.wait()
    await asyncio.to_thread(importlib.import_module, "pybridge.host.host")
