"""What the user set: the REMOTE_* and PYBRIDGE_* variables, checked once, as one value."""

from __future__ import annotations

import codecs
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from pybridge.errors import ConfigurationError


class Secret:
    """A string that does not show itself: not in repr, str, format, pickles or dataclass dumps."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The string itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (s.encode("utf-8", "surrogatepass") for s in (self._value, other._value))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not serialised")


@dataclass(frozen=True)
class Variable:
    """One environment variable a person may set.

    Args:
        name: the variable.
        default: what holds when it is absent or empty, as a person would write it; "" for nothing.
        meaning: one sentence for README and `pybridge doctor`.
        secret: its value is never shown, stored or logged.
    """

    name: str
    default: str
    meaning: str
    secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable("REMOTE_SSH", "", "Where to work, as you would type it after `ssh`. Without it the plugin does nothing."),
    Variable(
        "REMOTE_WORKDIR",
        "~",
        "The folder on the remote to work in; relative means relative to the remote home. "
        "`pybridge launch` wants it set.",
    ),
    Variable("REMOTE_PASSWORD", "", "Password for the SSH login.", secret=True),
    Variable("REMOTE_SUDO_PASSWORD", "", "Password given to `sudo` on the remote.", secret=True),
    Variable("REMOTE_KEY_PASSPHRASE", "", "Passphrase of an encrypted private key.", secret=True),
    Variable("REMOTE_PASSWORD_COMMAND", "", "Local command whose first line of output is the SSH password."),
    Variable(
        "REMOTE_TRANSPORT",
        "asyncssh",
        "`openssh` connects with this machine's `ssh`, once for everything: for security keys with touch, one-time "
        "codes, GSSAPI, PKCS#11, a ControlMaster of yours.",
    ),
    Variable(
        "REMOTE_POOL_COMMAND_SIZE",
        "3",
        "At most this many SSH connections for commands (1 to 64). After eight or more commands at once, as many idle "
        "shells wait on them for four seconds, should the next step bring as many.",
    ),
    Variable(
        "REMOTE_POOL_FILE_SIZE",
        "2",
        "At most this many SSH connections for large transfers, and for a crowd of commands (1 to 64).",
    ),
    Variable("REMOTE_POOL_STAGGER_MS", "0", "Milliseconds between the start of two connections (0 to 60000)."),
    Variable("REMOTE_SHELL", "", "Shell for your commands on the remote, instead of your login shell there."),
    Variable("REMOTE_LOGIN", "1", "0 skips reading the login environment (profile files) on the remote."),
    Variable("REMOTE_ENCODING", "", "Encoding of remote text files that are not UTF-8, e.g. `latin-1`, `gb18030`."),
    Variable("REMOTE_ANCHOR", "", "The local folder that stands for the remote one. The launcher sets it."),
    Variable("REMOTE_ALL_DIRS", "0", "1 lets OpenCode instances for folders other than the anchor use the remote too."),
    Variable(
        "PYBRIDGE_JOURNAL_MB",
        "256",
        "Megabytes that the undo journal may take on this machine; the oldest changes go first. 0 keeps none: then "
        "nothing can be undone.",
    ),
    Variable("PYBRIDGE_LOG", "info", "How much is logged: `debug`, `info` or `warning`."),
    Variable("PYBRIDGE_PYTHON", "", "Python interpreter (3.11 or newer, with pybridge) the plugin starts."),
)
"""Every variable, in the order people read them. README and `pybridge doctor` print this table."""

SECRET_NAMES = frozenset(v.name for v in VARIABLES if v.secret)
"""Variables whose values are handed over apart from the others and never shown."""

LOG_LEVELS = ("debug", "info", "warning")
TRANSPORTS = ("asyncssh", "openssh")

_NO_SECRETS: Mapping[str, str] = MappingProxyType({})
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
# Text codecs of Python's that are not encodings of files.
_NOT_FOR_FILES = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})


@dataclass(frozen=True)
class Settings:
    """All settings of one target.

    Args:
        ssh: REMOTE_SSH as written.
        workdir: REMOTE_WORKDIR as written, "~" when absent: resolved on the remote.
        password, sudo_password, key_passphrase: secrets, None when absent or empty.
        password_command: local shell line that prints the password, None when absent.
        transport: one of TRANSPORTS.
        command_connections, file_connections: upper bounds of the pool.
        stagger_ms: milliseconds between two handshakes.
        shell: shell for the user's commands; None for the remote's own choice.
        login: read the login environment once per connection.
        encoding: Python's name of the codec for files that are not UTF-8; None to detect.
        anchor: local folder that stands for the remote workdir.
        all_dirs: serve OpenCode instances of other folders than the anchor.
        journal_mb: space of the undo journal; 0 for none.
        log_level: one of LOG_LEVELS.
    """

    ssh: str
    workdir: str = "~"
    password: Secret | None = None
    sudo_password: Secret | None = None
    key_passphrase: Secret | None = None
    password_command: str | None = None
    transport: str = "asyncssh"
    command_connections: int = 3
    file_connections: int = 2
    stagger_ms: int = 0
    shell: str | None = None
    login: bool = True
    encoding: str | None = None
    anchor: Path | None = None
    all_dirs: bool = False
    journal_mb: int = 256
    log_level: str = "info"

    @classmethod
    def from_environment(cls, env: Mapping[str, str], secrets: Mapping[str, str] = _NO_SECRETS) -> Settings:
        """Read and check every variable. An empty value is an absent one.

        Args:
            env: variables; other names are ignored.
            secrets: values of SECRET_NAMES handed over apart; they win over `env`.

        Raises:
            ConfigurationError: names the variable, its value (never a secret's) and what is allowed.
        """
        ssh = env.get("REMOTE_SSH", "").strip()
        if not ssh:
            raise ConfigurationError(
                "REMOTE_SSH is not set, so there is no remote to work on.",
                next_step="Set it to what you would type after `ssh`, e.g. REMOTE_SSH='user@example.org -p 2222'.",
            )

        def secret(name: str) -> Secret | None:
            value = secrets.get(name) or env.get(name)
            return Secret(value) if value else None

        return cls(
            ssh=ssh,
            workdir=env.get("REMOTE_WORKDIR") or "~",
            password=secret("REMOTE_PASSWORD"),
            sudo_password=secret("REMOTE_SUDO_PASSWORD"),
            key_passphrase=secret("REMOTE_KEY_PASSPHRASE"),
            password_command=env.get("REMOTE_PASSWORD_COMMAND", "").strip() or None,
            transport=_transport(env),
            command_connections=_integer(env, "REMOTE_POOL_COMMAND_SIZE", 3, 1, 64),
            file_connections=_integer(env, "REMOTE_POOL_FILE_SIZE", 2, 1, 64),
            stagger_ms=_integer(env, "REMOTE_POOL_STAGGER_MS", 0, 0, 60_000),
            shell=_shell(env),
            login=_flag(env, "REMOTE_LOGIN", True),
            encoding=_encoding(env),
            anchor=_anchor(env),
            all_dirs=_flag(env, "REMOTE_ALL_DIRS", False),
            journal_mb=_integer(env, "PYBRIDGE_JOURNAL_MB", 256, 0, 1024 * 1024),
            log_level=_log_level(env),
        )

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret that is set: what logs and diagnostics must not show."""
        return tuple(s for s in (self.password, self.sudo_password, self.key_passphrase) if s is not None)


def markdown_table() -> str:
    """VARIABLES as the table README holds."""
    rows = [f"| `{v.name}` | {f'`{v.default}`' if v.default else ''} | {v.meaning} |" for v in VARIABLES]
    return "\n".join(["| Variable | Default | Meaning |", "|---|---|---|", *rows])


def _bad(name: str, value: str, allowed: str) -> ConfigurationError:
    return ConfigurationError(f"{name} is {value!r}, which cannot be used.", next_step=f"Set it to {allowed}.")


def _integer(env: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and lowest <= int(text) <= highest):
        raise _bad(name, text, f"a whole number from {lowest} to {highest}, or leave it out for {default}")
    return int(text)


def _transport(env: Mapping[str, str]) -> str:
    text = env.get("REMOTE_TRANSPORT", "").strip().lower() or TRANSPORTS[0]
    if text not in TRANSPORTS:
        raise _bad("REMOTE_TRANSPORT", env["REMOTE_TRANSPORT"], " or ".join(TRANSPORTS))
    return text


def _flag(env: Mapping[str, str], name: str, default: bool) -> bool:
    text = env.get(name, "").strip().lower()
    if not text:
        return default
    if text not in _TRUE | _FALSE:
        raise _bad(name, env[name], "1 or 0")
    return text in _TRUE


def _shell(env: Mapping[str, str]) -> str | None:
    text = env.get("REMOTE_SHELL", "").strip()
    if any(c in text for c in "\n\r\0"):
        raise _bad("REMOTE_SHELL", text, "the name or path of a shell on the remote, e.g. /bin/bash")
    return text or None


def _encoding(env: Mapping[str, str]) -> str | None:
    text = env.get("REMOTE_ENCODING", "").strip()
    if not text:
        return None
    allowed = "an encoding Python knows, e.g. utf-8, latin-1, cp1252, gb18030, shift_jis"
    try:
        name = codecs.lookup(text).name
        "".encode(name)  # refuses codecs that are not of text, such as base64
    except (LookupError, ValueError):
        raise _bad("REMOTE_ENCODING", text, allowed) from None
    if name.replace("_", "-") in _NOT_FOR_FILES:
        raise _bad("REMOTE_ENCODING", text, allowed)
    return name


def _anchor(env: Mapping[str, str]) -> Path | None:
    text = env.get("REMOTE_ANCHOR", "")
    if not text:
        return None
    allowed = "the absolute path of a local folder, or leave it out"
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # no home folder known for `~name`
        raise _bad("REMOTE_ANCHOR", text, allowed) from None
    if "\0" in text or not path.is_absolute():
        raise _bad("REMOTE_ANCHOR", text, allowed)
    return path


def _log_level(env: Mapping[str, str]) -> str:
    text = env.get("PYBRIDGE_LOG", "").strip().lower() or "info"
    if text not in LOG_LEVELS:
        raise _bad("PYBRIDGE_LOG", env["PYBRIDGE_LOG"], "debug, info or warning")
    return text
