"""What the remote is, once connected: what the probe found there, and what pybridge does with it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from pybridge.cli.examination.finding import Finding, bad, good, noted, skipped
from pybridge.cli.examination.sudo import examine_sudo
from pybridge.cli.opencode.plan import require_workdir
from pybridge.errors import ConfigurationError, RemoteError
from pybridge.host.facts import Facts
from pybridge.host.framing import quote
from pybridge.host.host import Host
from pybridge.host.login_shell import START_COMMAND
from pybridge.host.model import Command
from pybridge.settings import Settings
from pybridge.transport.process import ByteProcess, Carrier

STEPS = ("probe", "environment", "home", "folder", "temporary", "files", "programs", "round trip", "channels", "sudo")
"""The names of what is looked at, in this order."""

SHELL_SECONDS = 20.0
"""How long the shell for commands may take to say one word."""

CHANNELS = 10
"""How many channels are tried at once: what OpenSSH allows unless told otherwise."""

CHANNEL_SECONDS = 0.5
"""How long a channel may take to open, beside five round trips."""

ROUND_TRIPS = 3


async def examine_machine(
    host: Host, carrier: Carrier, settings: Settings, env: Mapping[str, str], slug: str
) -> AsyncIterator[Finding]:
    """Look at a connected host. Nothing is changed there; one command is run, and `sudo true` at most once with a
    password.

    Args:
        host: connected for the folder of the settings.
        carrier: what it was connected over.
        settings: what the user set.
        env: the variables they were read from.
        slug: names the target in local records.
    """

    async def probe() -> Finding:
        await _run_something(host)
        facts = host.facts
        own = f"; the login shell is {facts.shell}" if facts.shell and facts.shell != host.shell else ""
        return good("probe", f"{facts.system}, user {facts.user}\ncommands run in {host.shell}{own}")

    async def folder() -> Finding:
        require_workdir(env)
        return await _folder(host)

    trip = 0.0

    async def round_trip() -> Finding:
        nonlocal trip
        trip = await _round_trip(host)
        return good("round trip", f"{trip * 1000:.0f} ms")

    looks: tuple[Callable[[], Awaitable[Finding]], ...] = (
        probe,
        lambda: _environment(host, settings),
        lambda: _home(host),
        folder,
        lambda: _temporary(host),
        lambda: _files(host),
        lambda: _programs(host),
        round_trip,
        lambda: _channels(carrier, CHANNEL_SECONDS + 5 * trip),
        lambda: examine_sudo(host, settings.sudo_password, slug),
    )
    for name, look in zip(STEPS, looks, strict=True):
        try:
            yield await look()
        except Exception as error:
            yield bad(name, error)


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


async def _environment(host: Host, settings: Settings) -> Finding:
    if not settings.login:
        return good("environment", "that of the bare connection, since REMOTE_LOGIN is 0")
    login = await host.login_captured()
    if login.how == "login":
        count = login.exports.count("\nexport ") + login.exports.startswith("export ")
        return good("environment", f"that of a login ({count} variables)")
    return noted(
        "environment",
        f"that of the bare connection: the login's could not be had, because {login.why}",
        "Programs that only a login finds (nvm, pyenv, ~/.profile) may be missing. Look at your start-up files there, "
        "or set REMOTE_LOGIN=0 to go without at once.",
    )


async def _home(host: Host) -> Finding:
    home = quote(host.home)
    said = await host.run_control(f"if [ ! -d {home} ]; then echo missing; elif [ ! -w {home} ]; then echo locked; fi")
    if said.strip() == b"missing":
        return noted(
            "home", f"{host.home} does not exist there", "It is not needed. Name folders by absolute paths, without ~."
        )
    return good("home", host.home + (", which you may not write" if said.strip() else ""))


async def _folder(host: Host) -> Finding:
    host.place.check()
    place = host.place
    tree = f"\nin the git work tree {place.worktree}" if place.git else ""
    if (await host.run_control(f"[ -w {quote(place.workdir)} ] || echo no")).strip():
        return noted(
            "folder",
            f"{place.workdir}, which you may not write{tree}",
            "Looking and searching work there. To change files, choose another REMOTE_WORKDIR or user.",
        )
    return good("folder", place.workdir + tree)


async def _temporary(host: Host) -> Finding:
    if host.facts.scratch is not None:
        return good("temporary", f"{host.facts.scratch} is there for temporary files")
    return noted(
        "temporary",
        "none of TMPDIR, /tmp, /var/tmp and the home folder can be written: the disk may be read-only or full",
        "Files in folders that you may write can still be changed. sudo can be given no password.",
    )


async def _files(host: Host) -> Finding:
    facts = host.facts
    how = f"checked with {facts.digest}, decoded with {_decoder(facts)}, attributes from {_attributes(facts)}"
    return good("files", how)


def _decoder(facts: Facts) -> str:
    if facts.decoder == "pb_octal":
        return "printf alone (no base64 or openssl that works; slower)"
    return facts.decoder


def _attributes(facts: Facts) -> str:
    if not facts.stat:
        return "ls (there is no stat), to the minute"
    return {"gnu": "stat", "bsd": "stat as BSD has it"}[facts.stat]


_INSTEAD = {
    "bash": "commands run in sh, unless your login shell is zsh or REMOTE_SHELL names another",
    "rg": "searches are made with find and grep, which are slower",
    "git": "searches without rg do not read a core.excludesFile",
}
"""Programs worth having on the remote, and what is done without."""


async def _programs(host: Host) -> Finding:
    facts = host.facts
    there = sorted(name for name in _INSTEAD if name in facts.tools or (name == "rg" and facts.rg))
    lines = [f"found: {', '.join(there) or 'none of ' + ', '.join(_INSTEAD)}"]
    lines += [f"no {name}: {instead}" for name, instead in _INSTEAD.items() if name not in there]
    if not facts.find_printf:
        lines.append("no GNU find: finding files newest first takes longer")
    if not facts.leads and "setsid" not in facts.tools:
        lines.append("no setsid: a command that times out is ended process by process")
    return good("programs", "\n".join(lines))


async def _channels(carrier: Carrier, seconds: float) -> Finding:
    opened: list[ByteProcess] = []
    try:
        with contextlib.suppress(TimeoutError, RemoteError):
            for _ in range(CHANNELS):
                async with asyncio.timeout(seconds):
                    opened.append(await carrier.start(START_COMMAND, reconnect=False))
    finally:
        for process in opened:
            process.close()
    if len(opened) == CHANNELS:
        return good("channels", f"room for {CHANNELS} more, at least, beside those in use")
    return good(
        "channels", f"room for {len(opened)} more on this connection; further commands take another, or wait their turn"
    )


async def _round_trip(host: Host) -> float:
    """The shortest of a few, in seconds."""
    times = []
    for _ in range(ROUND_TRIPS):
        begun = time.perf_counter()
        await host.run_control(":")
        times.append(time.perf_counter() - begun)
    return min(times)


def all_skipped(why: str) -> list[Finding]:
    """Every step, not looked at."""
    return [skipped(name, why) for name in STEPS]
