"""Where an ssh command line, or a jump host, says to go: `[user@]host` or `ssh://[user@]host[:port]`. Pure."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from pybridge.errors import CommandLineError
from pybridge.transport.ssh_words import parse_port


def bad(what: str, next_step: str | None = None) -> CommandLineError:
    """The error for a REMOTE_SSH that cannot be read."""
    return CommandLineError(f"REMOTE_SSH cannot be read: {what}.", next_step=next_step)


def expand_home(path: str) -> Path:
    """A path as the user's shell would have expanded it: a leading `~` or `~name` becomes the home folder.

    Raises:
        CommandLineError: `~name` names no user of this machine.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise CommandLineError(
            f"REMOTE_SSH: the home folder of {path!r} is unknown.", next_step="Write the path in full."
        ) from error


def split_destination(text: str) -> tuple[str | None, str, int | None]:
    """Read `[user@]host`, `[user@][::1]` or `ssh://[user@]host[:port]` into user, host, port.

    Raises:
        CommandLineError: it is none of these.
    """
    is_url = text.lower().startswith("ssh://")
    rest = text[6:].rstrip("/") if is_url else text
    if is_url and "/" in rest:
        raise bad(f"the address {text!r} has a path", "Put the remote folder into REMOTE_WORKDIR.")
    user, at, host = rest.rpartition("@")
    if is_url and ":" in user:
        raise bad("the address holds a password", "Put the password into REMOTE_PASSWORD.")
    if is_url:
        user = _decode(user.partition(";")[0], text)
    if at and not user:
        raise bad(f"the address {text!r} has an empty user name")
    host, port = _split_port(host, text, with_port=is_url)
    if re.fullmatch(r"[^:]+:\d+", host):
        name, _, number = host.partition(":")
        raise bad(f"{text!r} is not a host", f"Give the port apart: -p {number} {name}")
    return (check_user(user) if user else None), check_host(host, text), port


def split_jump_host(text: str) -> tuple[str | None, str, int | None]:
    """Read one host of -J or ProxyJump, `[user@]host[:port]` or `ssh://...`, into user, host, port.

    Raises:
        CommandLineError: it is neither.
    """
    try:
        if text.lower().startswith("ssh://"):
            return split_destination(text)
        user, at, rest = text.rpartition("@")
        if at and not user:
            raise bad("its user name is empty")
        host, port = _split_port(rest, text, with_port=True)
        if ":" in host and not rest.startswith("["):
            raise bad("it has more than one colon", f"Put brackets around the address: [{host}]")
        return (check_user(user) if user else None), check_host(host, text), port
    except CommandLineError as error:
        raise CommandLineError(
            f"The jump host {text!r} cannot be read: {error.message}", next_step=error.next_step
        ) from error


def check_host(host: str, text: str) -> str:
    """The host, if it may be one: OpenSSH refuses what a shell could take for something else.

    Raises:
        CommandLineError: it may not.
    """
    if not host or host.startswith("-") or re.search(r"[\s'\"`$\\;&<>|(){}\x00-\x1f\x7f]", host):
        raise bad(f"{text!r} is not a host")
    return host


def check_user(user: str) -> str:
    """The user name, if it may be one; see `check_host`.

    Raises:
        CommandLineError: it may not.
    """
    if not user or user.startswith("-") or re.search(r"['\"`;&<>|(){}\x00-\x1f\x7f]|\\$|\s-", user):
        raise bad(f"{user!r} is not a user name")
    return user


def require_port(text: str) -> int:
    """A port number, or the number of a service known here by that name.

    Raises:
        CommandLineError: it is neither.
    """
    port = parse_port(text)
    if port is None:
        raise bad(f"{text!r} is not a port", "A port is a number from 1 to 65535.")
    return port


def _split_port(host: str, text: str, *, with_port: bool) -> tuple[str, int | None]:
    if host.startswith("["):
        host, bracket, tail = host[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise bad(f"the address {text!r} has an unclosed bracket")
        return host, require_port(tail[1:]) if tail else None
    if with_port and ":" in host:
        host, _, tail = host.rpartition(":")
        return host, require_port(tail)
    return host, None


def _decode(user: str, text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", user):
        raise bad(f"the address {text!r} has a % that is not followed by two hexadecimal digits")
    return unquote(user)
