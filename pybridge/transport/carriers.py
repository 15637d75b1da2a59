"""Which carrier reaches a remote (REMOTE_TRANSPORT), and what is known of it before anything is connected."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pybridge.settings import Settings
from pybridge.transport.credentials import Credentials
from pybridge.transport.ssh_command import SshCommand, parse_ssh_command
from pybridge.transport.ssh_target import SshTarget, resolve_target

if TYPE_CHECKING:
    from pybridge.transport.head_start import HeadStart
    from pybridge.transport.openssh.carrier import OpensshCarrier
    from pybridge.transport.openssh.configuration import Openssh
    from pybridge.transport.ssh_pool import SshPool

CONTROL_PATH = "PYBRIDGE_CONTROL_PATH"
"""Names the control socket of a connection that `pybridge launch` has opened in the terminal."""

RemoteCarrier: TypeAlias = "SshPool | OpensshCarrier"


@dataclass(frozen=True)
class Route:
    """What REMOTE_SSH means.

    Args:
        command: host, user and port as typed, among others.
        target: where it leads.
        openssh: the system's ssh, if that is to be used.
    """

    command: SshCommand
    target: SshTarget
    openssh: Openssh | None


def find_route(settings: Settings) -> Route:
    """Read REMOTE_SSH and the ssh configuration. Blocks for some milliseconds; nothing is connected to.

    Raises:
        ConfigurationError: and CommandLineError: they cannot be read, or there is no ssh that can be used.
    """
    if settings.transport == "openssh":
        # Loaded only where it is used: a start over asyncssh does without.
        from pybridge.transport.openssh.command_line import read_command_line
        from pybridge.transport.openssh.configuration import ask_ssh, typed_command

        openssh = ask_ssh(read_command_line(settings.ssh))
        return Route(typed_command(openssh.command), openssh.target, openssh)
    command = parse_ssh_command(settings.ssh)
    return Route(command, resolve_target(command), None)


def make_carrier(
    route: Route,
    credentials: Credentials,
    settings: Settings,
    *,
    env: Mapping[str, str] = os.environ,
    terminal: bool = False,
    one_connection: bool = False,
    head_start: HeadStart | None = None,
) -> RemoteCarrier:
    """The carrier for a route; nothing is connected yet.

    Args:
        env: where CONTROL_PATH is looked for.
        terminal: whether the system's ssh may ask at the terminal.
        one_connection: as few connections as can be.
        head_start: towards the target, for the first connection.
    """
    if route.openssh is not None:
        from pybridge.transport.openssh.carrier import OpensshCarrier

        handed_over = env.get(CONTROL_PATH) or None
        return OpensshCarrier(route.openssh, credentials, handed_over=handed_over, terminal=terminal)
    from pybridge.transport.ssh_pool import SshPool  # A route can be found without it, in a fraction of the time.

    return SshPool(
        route.target,
        credentials,
        command_size=1 if one_connection else settings.command_connections,
        file_size=1 if one_connection else settings.file_connections,
        stagger_ms=settings.stagger_ms,
        head_start=head_start,
    )
