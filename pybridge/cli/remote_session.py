"""A connection to the host of recorded changes, with or without REMOTE_SSH being set."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from pybridge.cli.console import narrate
from pybridge.errors import ConfigurationError
from pybridge.host.host import Host, HostOptions
from pybridge.mirror.journal_entry import Target
from pybridge.settings import Settings
from pybridge.tools.session import Session, open_session
from pybridge.transport.carriers import Route, find_route, make_carrier
from pybridge.transport.credentials import Credentials
from pybridge.transport.openssh.terminal import at_a_terminal

_LOGIN = ("REMOTE_PASSWORD", "REMOTE_KEY_PASSPHRASE", "REMOTE_PASSWORD_COMMAND")


@contextlib.asynccontextmanager
async def open_remote(target: Target, env: Mapping[str, str]) -> AsyncIterator[Session]:
    """A session on the host and folder of a recorded change; it ends with the body.

    Args:
        env: the caller's environment. Where its REMOTE_SSH leads to the same host, that is what is used; where it leads
            elsewhere, nothing of it is: a password is never shown to another host.

    Raises:
        RemoteError: there is no connection, or what REMOTE_SSH was then leads elsewhere now.
    """
    settings, route = await asyncio.to_thread(_settle, target, env)
    narrate(f"Connecting to {route.target} ...")
    carrier = make_carrier(
        route, Credentials.of(settings), settings, env=env, terminal=at_a_terminal(), one_connection=True
    )
    async with contextlib.AsyncExitStack() as closing:
        closing.push_async_callback(carrier.close)
        host = await Host.connect(carrier, HostOptions(settings.workdir, settings.shell, login=False))
        closing.push_async_callback(host.close)
        session = await open_session(settings, host, target_slug=route.target.slug, host_name=str(route.target))
        closing.push_async_callback(session.sweeper.close)
        closing.callback(session.spool.close)
        for swept in session.interrupted:
            narrate(str(swept))
        yield session


def _settle(target: Target, env: Mapping[str, str]) -> tuple[Settings, Route]:
    here = {name: value for name, value in env.items() if not name.startswith("REMOTE_")}
    if not env.get("REMOTE_SSH", "").strip():
        here |= {name: env[name] for name in _LOGIN if env.get(name)}
    elif (route := find_route(found := Settings.from_environment(env))).target.slug == target.slug:
        return _for_undo(found, target), route
    here |= {"REMOTE_SSH": target.ssh, "REMOTE_TRANSPORT": target.transport}
    settings = Settings.from_environment(here)
    route = find_route(settings)
    if route.target.slug != target.slug:
        raise ConfigurationError(
            f"The changes were made on {target.host}, by REMOTE_SSH={target.ssh!r}, which leads to {route.target} now.",
            next_step="Set REMOTE_SSH to what leads to that host, and try again.",
        )
    return _for_undo(settings, target), route


def _for_undo(settings: Settings, target: Target) -> Settings:
    # No command is run there; and what is recorded can be undone even if nothing more is to be recorded.
    return replace(
        settings, workdir=target.workdir, sudo_password=None, anchor=None, journal_mb=max(settings.journal_mb, 1)
    )
