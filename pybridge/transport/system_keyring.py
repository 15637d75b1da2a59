"""Passwords in the system's keyring (Keychain, Secret Service, Credential Manager), by the optional library keyring."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pybridge.errors import ConfigurationError
from pybridge.transport.ssh_target import SshTarget

SERVICE = "pybridge"
"""The name the keyring shows the entries under."""

INSTALL = "Install it with: pip install 'pybridge[keyring]' (pipx: pipx inject pybridge keyring)."

_NONE = ("keyring.backends.fail", "keyring.backends.null")

Result = TypeVar("Result")


class KeyringError(ConfigurationError):
    """The keyring is missing, locked, or failed."""

    code = "keyring"


def account_of(target: SshTarget) -> str:
    """The entry's name for a login: `user@host:port`, as the ssh configuration resolves them."""
    host = target.host.lower()
    return f"{target.user}@{f'[{host}]' if ':' in host else host}:{target.port}"


def account_of_key(path: Path) -> str:
    """The entry's name for a key file's passphrase."""
    return f"key {path.expanduser().absolute()}"


def is_installed() -> bool:
    """Whether the optional library is there."""
    try:
        _library()
    except KeyringError:
        return False
    return True


def check() -> None:
    """Say so if nothing can be kept here, before anything is asked for.

    Raises:
        KeyringError: the library or a keyring is missing.
    """
    library = _library()
    if type(library.get_keyring()).__module__ in _NONE:
        raise _none_here()


def backend_name() -> str:
    """What keeps the passwords, in the library's words.

    Raises:
        KeyringError: the library is missing.
    """
    return str(getattr(_library().get_keyring(), "name", "unknown"))


def find(account: str) -> str | None:
    """The secret of an entry, None if there is none, or no keyring on this system.

    Raises:
        KeyringError: the library is missing, or the keyring is locked or failed.
    """
    library = _library()
    try:
        return library.get_password(SERVICE, account) or None
    except library.errors.NoKeyringError:
        return None
    except Exception as error:
        raise _failed(error) from error


def store(account: str, secret: str) -> None:
    """Put a secret into the keyring, in the place of one that is there.

    Raises:
        KeyringError: the library or a keyring is missing, locked, or failed.
    """
    library = _library()
    try:
        library.set_password(SERVICE, account, secret)
    except library.errors.NoKeyringError:
        raise _none_here() from None
    except Exception as error:
        raise _failed(error) from error


def delete(account: str) -> bool:
    """Remove an entry; whether there was one.

    Raises:
        KeyringError: the library or a keyring is missing, locked, or failed.
    """
    library = _library()
    try:
        if library.get_password(SERVICE, account) is None:
            return False
        library.delete_password(SERVICE, account)
    except library.errors.NoKeyringError:
        raise _none_here() from None
    except Exception as error:
        raise _failed(error) from error
    return True


async def find_patiently(account: str, *, seconds: float) -> str | None:
    """As `find`, for at most so many seconds: the keyring may ask a person to unlock it.

    Raises:
        KeyringError: as `find`, and when it takes too long.
    """
    try:
        return await asyncio.wait_for(_in_thread(lambda: find(account)), seconds)
    except TimeoutError:
        raise KeyringError(
            f"The system keyring did not answer within {seconds:g} s.", next_step="Unlock it, and start again."
        ) from None


async def _in_thread(work: Callable[[], Result]) -> Result:
    """Run it in a thread of its own, one that does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: Result | None = None
        failure: BaseException | None = None
        try:
            result = work()
        except BaseException as error:
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="keyring", daemon=True).start()
    return await done


def _library() -> Any:
    """The library, imported when it is needed: it is optional, and takes its time.

    Raises:
        KeyringError: it is not installed.
    """
    try:
        library = importlib.import_module("keyring")
        importlib.import_module("keyring.errors")
    except ImportError:
        raise KeyringError("The system keyring needs the library keyring.", next_step=INSTALL) from None
    return library


def _none_here() -> KeyringError:
    return KeyringError(
        "This system has no keyring that can be used.",
        next_step="Use REMOTE_PASSWORD_COMMAND with a password manager instead.",
    )


def _failed(error: Exception) -> KeyringError:
    # Its message names the backend's trouble; an entry's secret is in none of them.
    return KeyringError(
        f"The system keyring failed: {type(error).__name__}: {error}.".replace("..", "."),
        next_step="Unlock it, or check it with `keyring --list-backends`.",
    )
