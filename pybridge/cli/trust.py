"""`pybridge trust`: shows a host's key, and adds it to known_hosts after a yes."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from pybridge.cli.console import confirm, narrate, show
from pybridge.cli.environment import take_environment
from pybridge.errors import CommandLineError, HostKeyChangedError, HostKeyUnknownError, LocalStorageError

if TYPE_CHECKING:
    from pybridge.transport.host_keys import HostKeyVerifier
    from pybridge.transport.ssh_target import SshTarget


class OwnOptionsAmongSshWords(TyperCommand):
    """Takes its own long options from anywhere, and leaves every other word to be read as ssh would."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Split the words; ssh's own are found in the context's `args`."""
        own: list[str] = []
        words: list[str] = []
        rest = iter(args)
        for word in rest:
            if word in ("--help", "-h") or word.startswith("--fingerprint="):
                own.append(word)
            elif word == "--fingerprint":
                own += [word, *([value] if (value := next(rest, None)) is not None else [])]
            else:
                words.append(word)
        super().parse_args(ctx, own)
        ctx.args = words
        return words


def trust(
    ctx: typer.Context,
    fingerprint: Annotated[
        str | None,
        typer.Option("--fingerprint", help="Add the key without asking if this is its fingerprint: SHA256:..."),
    ] = None,
) -> None:
    """Show the host key of HOST (what REMOTE_SSH would hold, or holds), and add it to known_hosts after a yes.

    Nothing is logged in to but jump hosts. A key that has changed or is revoked is never replaced.
    """
    from pybridge.transport.host_key_errors import describe_key

    if fingerprint is not None and not fingerprint.startswith("SHA256:"):
        raise typer.BadParameter("a fingerprint begins with SHA256:, as `ssh-keygen -lf` prints it")
    target, seen = asyncio.run(_look(_remote_ssh(ctx.args, env := take_environment()), env))
    assert seen.key is not None
    if fingerprint is not None and fingerprint.rstrip("=") != seen.key.get_fingerprint("sha256"):
        raise HostKeyChangedError(
            f"The host key of {target} is not the one you named: it shows {describe_key(seen.key)}.",
            next_step="Nothing was added. Ask the administrator of the host for the fingerprint of its host key.",
        )
    if seen.error is None:
        narrate(f"The host key of {target} is trusted already:")
        show(f"  {describe_key(seen.key)}")
        return
    if not isinstance(seen.error, HostKeyUnknownError) or not target.user_known_hosts:
        raise seen.error
    narrate(f"{target} shows this host key, which is not known yet:")
    show(f"  {describe_key(seen.key)}")
    if seen.remark:
        narrate(f"Its certificate does not count: {seen.remark}.")
    if fingerprint is None:
        _ask(target)
    _add(target, seen)


def _remote_ssh(words: list[str], env: Mapping[str, str]) -> str:
    """The words typed; a single one may be a whole value of REMOTE_SSH, and without any that is what is meant."""
    if words[:1] == ["--"]:
        words = words[1:]
    text = words[0] if len(words) == 1 else shlex.join(words) if words else env.get("REMOTE_SSH", "")
    if not text.strip():
        raise CommandLineError(
            "No host is named, and REMOTE_SSH is not set.", next_step="For instance: pybridge trust me@server.example"
        )
    return text


async def _look(text: str, env: Mapping[str, str]) -> tuple[SshTarget, HostKeyVerifier]:
    from pybridge.settings import Settings
    from pybridge.transport.connect import Connector
    from pybridge.transport.credentials import Credentials
    from pybridge.transport.ssh_command import parse_ssh_command
    from pybridge.transport.ssh_target import resolve_target

    settings = Settings.from_environment({**env, "REMOTE_SSH": text})
    target = resolve_target(parse_ssh_command(settings.ssh))
    connector = Connector(target, Credentials.of(settings))  # Only a jump host may come to see any of them.
    try:
        return target, await connector.look_at_host_key()
    finally:
        await connector.close()


def _ask(target: SshTarget) -> None:
    narrate("Compare it with the host's own, which `ssh-keygen -lf /etc/ssh/ssh_host_..._key.pub` shows there.")
    if not sys.stdin.isatty():
        narrate(
            "There is no terminal to answer at, so nothing was added. Where you know the host's fingerprint, give it "
            "with --fingerprint SHA256:..."
        )
        raise typer.Exit(1)
    if not confirm(f"Add it to {target.user_known_hosts[0]}?"):
        narrate("Nothing was added.")
        raise typer.Exit(1)


def _add(target: SshTarget, seen: HostKeyVerifier) -> None:
    from pybridge.transport.known_hosts import add_known_host

    file = target.user_known_hosts[0]
    assert seen.key is not None
    try:
        add_known_host(file, seen.name, seen.key, hashed=target.hash_known_hosts)
    except OSError as error:
        raise LocalStorageError(
            f"The key cannot be added to {file}: {error.strerror}.",
            next_step="Make the file writable, or name another with -o UserKnownHostsFile=...",
        ) from error
    narrate(f"Added to {file} as {seen.name}.")
