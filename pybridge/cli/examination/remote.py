"""Is the remote reachable, and what is there: settings, ssh command line, connection, probe, folder, programs."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping

from pybridge.cli.examination.finding import Finding, bad, good, skipped
from pybridge.cli.opencode.plan import require_workdir
from pybridge.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionDroppedError,
    HostKeyError,
    RemoteError,
)
from pybridge.host.facts import Facts
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import Command
from pybridge.settings import Settings
from pybridge.transport.carriers import RemoteCarrier, Route, find_route, make_carrier
from pybridge.transport.credentials import Credentials
from pybridge.transport.openssh.carrier import OpensshCarrier
from pybridge.transport.openssh.terminal import at_a_terminal
from pybridge.transport.ssh_target import SshTarget

CONNECTING = ("connect", "host key", "log in")
LOCKED_KEY = "it is encrypted; set REMOTE_KEY_PASSPHRASE"
"""What the transport remarks on an encrypted key it has no passphrase for."""

SHELL_SECONDS = 20.0
"""How long the shell for commands may take to say one word."""

_WANTED = {
    "bash": "commands run in sh",
    "rg": "searches are made with find and grep, which are slower and do not read .gitignore",
    "git": "",
}
"""Programs worth having on the remote, and what it means when they are missing."""


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
        for name in (*CONNECTING, "probe", "folder", "programs"):
            yield skipped(name, "not tried")
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
            for name in ("probe", "folder", "programs"):
                yield skipped(name, "not tried")
            return
        for finding in _connected(target, pool):
            yield finding
        try:
            host = await Host.connect(pool, HostOptions(settings.workdir, settings.shell, settings.login))
        except Exception as error:
            yield bad("probe", error)
            for name in ("folder", "programs"):
                yield skipped(name, "not tried")
            return
        closing.push_async_callback(host.close)
        try:
            await _run_something(host)
            yield good("probe", f"{host.facts.system}, user {host.facts.user}, commands run in {host.shell}")
        except Exception as error:
            yield bad("probe", error)
        try:
            require_workdir(env)
            host.place.check()
            yield good("folder", host.place.workdir)
        except RemoteError as error:
            yield bad("folder", error)
        yield _programs(host.facts)


async def _run_something(host: Host) -> None:
    """Run a command that says one word, as the tools run theirs: the shell may be missing, or be none.

    Raises:
        RemoteError: it cannot be run, or does not say the word.
    """
    said = bytearray()
    command = Command("echo pybridge", "/", SHELL_SECONDS, on_output=lambda _, data: said.extend(data))
    result = await host.run(command)
    if result.code != 0 or b"pybridge" not in said:
        how = f"said nothing within {SHELL_SECONDS:.0f} s" if result.timed_out else f"ended with {result.code}"
        words = said.decode("utf-8", "replace").strip()[-500:]
        raise ConfigurationError(
            f"`echo pybridge` did not work in {host.shell}: it {how}." + (f"\n{words}" if words else ""),
            next_step="Set REMOTE_SHELL to a shell that is there, e.g. /bin/sh, or correct its start-up files.",
        )


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


def _programs(facts: Facts) -> Finding:
    there = sorted(name for name in _WANTED if name in facts.tools or (name == "rg" and facts.rg))
    lines = [f"found: {', '.join(there) or 'none of ' + ', '.join(_WANTED)}"]
    lines += [f"no {name}: {effect}" for name, effect in _WANTED.items() if effect and name not in there]
    return good("programs", "\n".join(lines))


def _credentials(settings: Settings) -> Credentials:
    return Credentials.of(settings)
