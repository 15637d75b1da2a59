"""Is the remote reachable, and what is there: settings, ssh command line, connection, probe, folder, programs."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping

from pybridge.cli.examination.finding import Finding, bad, good, skipped
from pybridge.cli.examination.machine import all_skipped, examine_machine
from pybridge.errors import (
    AuthenticationError,
    ConnectionDroppedError,
    HostKeyError,
)
from pybridge.host.host import Host, HostOptions
from pybridge.settings import Settings
from pybridge.transport.carriers import RemoteCarrier, Route, find_route, make_carrier
from pybridge.transport.credentials import Credentials
from pybridge.transport.openssh.carrier import OpensshCarrier
from pybridge.transport.openssh.terminal import at_a_terminal
from pybridge.transport.ssh_target import SshTarget

CONNECTING = ("connect", "host key", "log in")
LOCKED_KEY = "it is encrypted; set REMOTE_KEY_PASSPHRASE"
"""What the transport remarks on an encrypted key it has no passphrase for."""


async def examine_remote(env: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Look at everything between REMOTE_SSH and the remote folder. One login at most: accounts lock.

    Args:
        env: REMOTE_* and PYBRIDGE_* variables, secrets among them.
    """
    try:
        settings = Settings.from_environment(env)
        route = find_route(settings)
        target = route.target
    except Exception as error:
        yield bad("settings", error)
        for finding in (*(skipped(name, "not tried") for name in CONNECTING), *all_skipped("not tried")):
            yield finding
        return
    yield good("settings", _describe_target(route, settings))
    pool = make_carrier(route, _credentials(settings), settings, env=env, terminal=at_a_terminal(), one_connection=True)
    async with contextlib.AsyncExitStack() as closing:
        closing.push_async_callback(pool.close)
        try:
            await pool.connect()
        except Exception as error:
            for finding in connecting_failed(error):
                yield finding
            for finding in all_skipped("not tried"):
                yield finding
            return
        for finding in _connected(target, pool):
            yield finding
        try:
            host = await Host.connect(pool, HostOptions(settings.workdir, settings.shell, settings.login))
        except Exception as error:
            yield bad("probe", error)
            for finding in all_skipped("not tried")[1:]:
                yield finding
            return
        closing.push_async_callback(host.close)
        async for finding in examine_machine(host, pool, settings, env, target.slug):
            yield finding


def connecting_failed(error: Exception) -> list[Finding]:
    """Which of the steps of a connection failed, told by the error."""
    if isinstance(error, HostKeyError):
        at = 1
    elif isinstance(error, AuthenticationError) or (isinstance(error, ConnectionDroppedError) and error.authenticating):
        at = 2
    else:
        at = 0
    before = [good(name, "done") for name in CONNECTING[:at]]
    failed = bad(CONNECTING[at], error)
    if isinstance(error, AuthenticationError) and LOCKED_KEY in error.message:
        failed = dataclasses.replace(failed, next_step=_unlock(failed.next_step or ""))
    return [*before, failed, *(skipped(name, "not reached") for name in CONNECTING[at + 1 :])]


def _unlock(next_step: str) -> str:
    """What to do about a key that is there, but encrypted; what was advised stays where a password is as likely."""
    unlock = "Set REMOTE_KEY_PASSPHRASE, or load the key into ssh-agent."
    return f"{unlock}\n{next_step}" if "REMOTE_PASSWORD" in next_step else unlock


def _connected(target: SshTarget, carrier: RemoteCarrier) -> list[Finding]:
    checked = "verified against known_hosts"
    if target.strict_host_key_checking == "no":
        checked = "accepted as it is: StrictHostKeyChecking is no"
    answers = f"{target} answers"
    if isinstance(carrier, OpensshCarrier):
        answers += f", over the ssh of this machine (REMOTE_TRANSPORT is openssh), on {carrier.whose}"
        checked = "left to ssh"
    return [good("connect", answers), good("host key", checked), good("log in", f"as {target.user}")]


def _describe_target(route: Route, settings: Settings) -> str:
    target = route.target
    through = f", by way of {', '.join(map(str, target.jumps))}" if target.jumps else ""
    folder = f"folder {settings.workdir}"
    if route.openssh is not None:
        return f"{target}{through}, {folder}\nlogs in with: whatever {route.openssh.command.program} logs in with"
    keys = [str(path) for path in target.identities if path.exists()]
    proofs = [*(f"key {key}" for key in keys), *(["the agent"] if target.agent_path else [])]
    proofs += ["a password"] if settings.password else []
    return f"{target}{through}, {folder}\nlogs in with: {', '.join(proofs) or 'nothing that is known of'}"


def _credentials(settings: Settings) -> Credentials:
    return Credentials.of(settings)
