"""`pybridge password`: passwords and passphrases in the system's keyring, instead of the environment."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pybridge.cli.console import narrate, show
from pybridge.cli.environment import take_environment
from pybridge.errors import ConfigurationError

app = typer.Typer(
    name="password",
    help="Keep SSH passwords, and passphrases of keys, in the system's keyring (the extra `keyring`).",
    no_args_is_help=True,
)

Host = Annotated[
    str | None,
    typer.Argument(metavar="[HOST]", help="As you would type it after `ssh`, in one word; REMOTE_SSH if left out."),
]
Key = Annotated[Path | None, typer.Option("--key", help="The passphrase of this key file, in place of a password.")]


@app.command("set")
def set_(host: Host = None, key: Key = None) -> None:
    """Ask for the password, or read it from standard input, and keep it."""
    from pybridge.transport import system_keyring

    account = _account(host, key)
    system_keyring.check()
    system_keyring.store(account, _read_secret(f"{'Passphrase' if key else 'Password'} for {account}: "))
    narrate(f"Kept for {account}, in {system_keyring.backend_name()}.")


@app.command()
def delete(host: Host = None, key: Key = None) -> None:
    """Remove it from the keyring."""
    from pybridge.transport import system_keyring

    account = _account(host, key)
    if not system_keyring.delete(account):
        narrate(f"There is none for {account}.")
        raise typer.Exit(1)
    narrate(f"Removed the one for {account}.")


@app.command()
def status(host: Host = None, key: Key = None) -> None:
    """Say whether there is one, and which keyring is used. It is not shown."""
    from pybridge.transport import system_keyring

    account = _account(host, key)
    system_keyring.check()
    there = system_keyring.find(account) is not None
    show(f"{account}: {'kept' if there else 'none'}, in {system_keyring.backend_name()}")
    if not there:
        raise typer.Exit(1)


def _account(host: str | None, key: Path | None) -> str:
    """The entry's name: of the key file, else of the login as the ssh configuration resolves it.

    Raises:
        ConfigurationError: both or neither are given, or the host cannot be understood.
    """
    from pybridge.transport.ssh_command import parse_ssh_command
    from pybridge.transport.ssh_target import resolve_target
    from pybridge.transport.system_keyring import account_of, account_of_key

    if key is not None:
        if host is not None:
            raise ConfigurationError("Either a host or --key, not both.", next_step="Leave one of them out.")
        if not key.expanduser().exists():
            raise ConfigurationError(f"{key} does not exist.", next_step="Correct the path after --key.")
        return account_of_key(key)
    text = host or take_environment().get("REMOTE_SSH", "").strip()
    if not text:
        raise ConfigurationError(
            "No host is given, and REMOTE_SSH is not set.", next_step="Try: pybridge password set user@host"
        )
    return account_of(resolve_target(parse_ssh_command(text)))


def _shown(account: str) -> str:
    return account


def _read_secret(prompt: str) -> str:
    """Without a terminal the first line of standard input, else what is typed, unseen.

    Raises:
        ConfigurationError: nothing was given.
    """
    if sys.stdin.isatty():
        try:
            secret = getpass.getpass(prompt, stream=None if os.name == "nt" else sys.stderr)
        except EOFError:
            secret = ""
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise ConfigurationError("Nothing was given, so nothing is kept.", next_step="Run it again and type it.")
    return secret
