"""From settings to a host that answers. Nothing of the tools is imported here: they are loaded meanwhile."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass

from pybridge import logs
from pybridge.host.host import Host, HostOptions
from pybridge.settings import Settings
from pybridge.transport.carriers import RemoteCarrier, Route, find_route, make_carrier
from pybridge.transport.credentials import Credentials


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


async def reach(env: Mapping[str, str], secrets: Mapping[str, str]) -> Reached:
    """Connect to what REMOTE_* name.

    Args:
        env: REMOTE_* and PYBRIDGE_* variables.
        secrets: those handed over apart.

    Raises:
        RemoteError: with what to do about it.
    """
    settings = Settings.from_environment(env, secrets)
    logs.configure(settings.log_level, settings.secrets())
    for handler in logging.getLogger().handlers:  # what OpenCode's user sees of standard error
        handler.setFormatter(logs.RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
    route = await asyncio.to_thread(find_route, settings)
    pool = make_carrier(route, Credentials.of(settings), settings, env={**os.environ, **env})
    try:
        options = HostOptions(workdir=settings.workdir, shell=settings.shell, login=settings.login)
        host = await Host.connect(pool, options)
    except BaseException:
        await pool.close()
        raise
    return Reached(settings, route, pool, host)
