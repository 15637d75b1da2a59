"""From settings to a way to the host, with the first steps on it taken. What speaks SSH is loaded meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from pybridge import logs
from pybridge.settings import Settings
from pybridge.transport.carriers import Route, find_route
from pybridge.transport.head_start import HeadStart


@dataclass(frozen=True)
class Way:
    """A host that is to be reached.

    Args:
        head_start: towards it, where there is one.
        on_its_way: set once the connection that was begun is used: from then on answers are waited for.
    """

    settings: Settings
    route: Route
    head_start: HeadStart | None
    on_its_way: asyncio.Event

    def close(self) -> None:
        """Give up a head start that nobody has used."""
        if self.head_start is not None:
            self.head_start.close()


async def find_way(env: Mapping[str, str], secrets: Mapping[str, str]) -> Way:
    """Read what REMOTE_* name, and begin to connect to it.

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
    on_its_way = asyncio.Event()
    head_start = None if route.openssh is not None else HeadStart.towards(route.target, on_its_way.set)
    if head_start is None:
        on_its_way.set()
    return Way(settings, route, head_start, on_its_way)
