"""Logging in before OpenCode takes the terminal: where ssh asks for a code, a touch, a passphrase."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pybridge.cli.console import narrate
from pybridge.settings import Settings
from pybridge.transport.carriers import CONTROL_PATH, Route
from pybridge.transport.credentials import Credentials
from pybridge.transport.openssh.configuration import Openssh
from pybridge.transport.openssh.control_socket import is_alive
from pybridge.transport.openssh.master import Master
from pybridge.transport.openssh.terminal import at_a_terminal


def log_in(route: Route, env: Mapping[str, str]) -> dict[str, str]:
    """Have the system's ssh log in at the terminal, if it is to be used and there is one.

    The connection ends with the program this process becomes, however that ends.

    Args:
        env: the caller's environment, secrets included.

    Returns:
        variables that let the sidecar find the connection.

    Raises:
        ConnectError: and below: there is no login.
    """
    if route.openssh is None or not at_a_terminal():
        return {}
    settings = Settings.from_environment(env)
    credentials = Credentials.of(settings)
    master = asyncio.run(_log_in(route.openssh, credentials))
    if master is None:
        return {}
    master.hand_over()
    return {CONTROL_PATH: master.path}


async def _log_in(ssh: Openssh, credentials: Credentials) -> Master | None:
    if ssh.control_path and await is_alive(ssh.control_path):
        return None  # the user's own is there
    narrate(f"pybridge: logging in to {ssh.target}")
    return await Master.open(ssh, credentials, terminal=True)
