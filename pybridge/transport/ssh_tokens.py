"""Tokens (%h), environment variables (${NAME}) and home folders (~) in the values of ssh options.

Rules: ssh_config(5), TOKENS and ENVIRONMENT VARIABLES.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket
from pathlib import Path

from pybridge.errors import ConfigurationError


def local_user() -> str:
    """The name of the user at this machine, as OpenSSH finds it: by the user id where there is one."""
    if os.name == "posix":
        import pwd

        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            pass
    return getpass.getuser()


class Tokens:
    """What the tokens of one connection stand for.

    Args:
        alias: the host as typed.
        host: the name or address to connect to.
        port: of the server.
        user: on the server.
        home: the home folder of the user at this machine.
        host_key_alias: HostKeyAlias, if given.
        jump: ProxyJump, if given.
    """

    def __init__(
        self,
        *,
        alias: str,
        host: str,
        port: int,
        user: str,
        home: Path,
        host_key_alias: str | None = None,
        jump: str | None = None,
    ) -> None:
        local = socket.gethostname()
        joined = hashlib.sha1(
            f"{local}{host}{port}{user}{jump or ''}".encode(errors="backslashreplace"), usedforsecurity=False
        )
        self._home = home
        self._values = {
            "%": "%",
            "C": joined.hexdigest(),
            "d": str(home),
            "h": host,
            "i": str(os.getuid()) if hasattr(os, "getuid") else "0",
            "j": jump or "",
            "k": host_key_alias or alias,
            "L": local.partition(".")[0],
            "l": local,
            "n": alias,
            "p": str(port),
            "r": user,
            "u": local_user(),
        }

    def expand(self, value: str, *, only: str = "", later: str = "") -> str:
        """The value with its tokens replaced.

        Args:
            only: the tokens that are allowed, besides `%%`; all if empty.
            later: tokens that stay as they are, and with them `%%`.

        Raises:
            ConfigurationError: a token is unknown or not allowed.
        """

        def replace(match: re.Match[str]) -> str:
            token = match[1]
            if later and token in f"%{later}":
                return match[0]
            if token not in self._values or (only and token not in f"%{only}"):
                raise ConfigurationError(
                    f"The ssh option with the value {value!r}: the token %{token} cannot be used there.",
                    next_step="Write %% for a percent sign.",
                )
            return self._values[token]

        return re.sub(r"%(.?)", replace, value, flags=re.DOTALL)

    def path(self, value: str) -> Path:
        """The value as a path: `~`, tokens and environment variables replaced.

        Raises:
            ConfigurationError: one of them is unknown.
        """
        return expand_user(expand_environment(self.expand(value)), self._home)


def expand_environment(value: str) -> str:
    """The value with each ${NAME} replaced by that environment variable.

    Raises:
        ConfigurationError: there is no such variable; OpenSSH ends there too.
    """

    def replace(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise ConfigurationError(
                f"The ssh option with the value {value!r}: the environment variable {match[1]} is not set.",
                next_step=f"Set {match[1]}, or correct that option.",
            )
        return found

    return re.sub(r"\$\{(\w+)\}", replace, value)


def expand_user(value: str, home: Path) -> Path:
    """A path with a leading `~` or `~name` replaced by the home folder.

    Raises:
        ConfigurationError: there is no user of that name.
    """
    if value == "~" or value.startswith(("~/", "~\\")):
        return home / value[2:]
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(
            f"The ssh option with the value {value!r}: there is no such user.", next_step="Write the path in full."
        ) from error
