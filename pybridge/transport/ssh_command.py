"""REMOTE_SSH: the ssh command line a user would type, read into its parts. Pure: no file, no network.

Grammar: ssh(1) of OpenSSH 9; quoting as a POSIX shell does it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from pybridge.errors import CommandLineError

_FORWARDING = "forwarding is not what REMOTE_SSH is for"
_NO_TERMINAL = "commands run without a terminal"
_REFUSED = {
    "L": f"local {_FORWARDING}",
    "R": f"remote {_FORWARDING}",
    "D": f"dynamic {_FORWARDING}",
    "W": f"stdio {_FORWARDING}; for a jump host use -J",
    "w": "tunnel devices are not supported",
    "X": "X11 forwarding is not supported",
    "Y": "X11 forwarding is not supported",
    "N": "commands must be able to run",
    "f": "the connection is kept by pybridge itself, not in the background",
    "t": _NO_TERMINAL,
    "s": "the channels are opened by pybridge itself",
    "O": "connections of another ssh process cannot be controlled",
    "S": "connections of another ssh process cannot be shared",
    "M": "connections cannot be shared with another ssh process",
    "Q": "it only prints a list",
    "G": "it only prints the configuration",
    "V": "it only prints the version",
    "I": "PKCS#11 tokens are not supported; load the key into ssh-agent",
}
_HARMLESS = "Tanqvxygk"
"""Flags that change nothing here: -T -n are always so, -x -a -k only switch off what is off anyway."""
_HARMLESS_WITH_VALUE = "eE"
"""-e (escape character) and -E (log file) belong to the terminal program."""
_WITH_VALUE = "bBcDeEFIiJLlmOopQRSWwP"
_KEYWORD_FLAGS = {
    "4": ("AddressFamily", "inet"),
    "6": ("AddressFamily", "inet6"),
    "A": ("ForwardAgent", "yes"),
    "C": ("Compression", "yes"),
    "K": ("GSSAPIAuthentication", "yes"),
}
_KEYWORD_OPTIONS = {"b": "BindAddress", "B": "BindInterface", "c": "Ciphers", "m": "MACs", "P": "Tag"}
_OPTION = re.compile(r"\s*([A-Za-z0-9]+)\s*(?:=\s*|\s+|$)(.*)", re.DOTALL)


@dataclass(frozen=True)
class SshCommand:
    """The parts of one ssh command line; None or empty for what it does not say.

    `options` holds the keyword options in the order typed (the first of a keyword counts, as in OpenSSH).
    """

    host: str
    user: str | None = None
    port: int | None = None
    identity_files: tuple[Path, ...] = ()
    jump: str | None = None
    config_file: Path | None = None
    options: tuple[tuple[str, str], ...] = ()
    flags: frozenset[str] = frozenset()


def parse_ssh_command(text: str) -> SshCommand:
    """Read an ssh command line.

    Args:
        text: what the user would type, `ssh` itself or a path to it optional.

    Raises:
        CommandLineError: the option at fault is named, with the reason.
    """
    words = _split(text)
    if words and _is_ssh_program(words[0]) and len(words) > 1:
        words = words[1:]
    return _Reader(words).read()


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
        raise _bad(f"the address {text!r} has a path", "Put the remote folder into REMOTE_WORKDIR.")
    user, at, host = rest.rpartition("@")
    if at and not user:
        raise _bad(f"the address {text!r} has an empty user name")
    if is_url and ":" in user:
        raise _bad("the address holds a password", "Put the password into REMOTE_PASSWORD.")
    port: int | None = None
    if host.startswith("["):
        host, bracket, tail = host[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise _bad(f"the address {text!r} has an unclosed bracket")
        if tail:
            port = parse_port(tail[1:])
    elif is_url and ":" in host:
        host, _, tail = host.rpartition(":")
        port = parse_port(tail)
    if re.fullmatch(r"[^:]+:\d+", host):
        name, _, number = host.partition(":")
        raise _bad(f"{text!r} is not a host", f"Give the port apart: -p {number} {name}")
    if not host or host.startswith("-") or re.search(r"[\s'\"`$\\;&<>|()]", host):
        raise _bad(f"{text!r} is not a host")
    return (user or None), host, port


def parse_port(text: str) -> int:
    """A port number, 1 to 65535.

    Raises:
        CommandLineError: it is not one.
    """
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise _bad(f"{text!r} is not a port", "A port is a number from 1 to 65535.")
    return int(text)


def _bad(what: str, next_step: str | None = None) -> CommandLineError:
    return CommandLineError(f"REMOTE_SSH cannot be read: {what}.", next_step=next_step)


def _split(text: str) -> list[str]:
    if not text.strip():
        raise _bad("it is empty", "Set it to what you would type, for instance: ssh user@host")
    lexer = shlex.shlex(text.replace("\r", " ").replace("\n", " "), posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if PureWindowsPath(text.split()[0]).drive or re.search(r"[A-Za-z]:\\", text):
        lexer.escape = ""  # A Windows path keeps its backslashes.
    try:
        return list(lexer)
    except ValueError as error:
        raise _bad("a quotation mark is not closed", "Close it, or remove it.") from error


def _is_ssh_program(word: str) -> bool:
    name = PureWindowsPath(word).name if "\\" in word else PurePosixPath(word).name
    return name.lower() in ("ssh", "ssh.exe")


class _Reader:
    """Reads the words of one command line, as getopt does, with options allowed after the host."""

    def __init__(self, words: list[str]) -> None:
        self._words = iter(words)
        self._host: str | None = None
        self._user: str | None = None
        self._port: int | None = None
        self._identities: list[Path] = []
        self._jump: str | None = None
        self._config: Path | None = None
        self._options: list[tuple[str, str]] = []
        self._flags: set[str] = set()

    def read(self) -> SshCommand:
        literal = False
        for word in self._words:
            if not literal and word == "--":
                literal = True
            elif not literal and word.startswith("-") and word != "-":
                self._read_options(word[1:])
            elif self._host is None:
                user, self._host, port = split_destination(word)
                self._user = self._user or user  # As in OpenSSH: what comes first counts.
                self._port = self._port or port
            else:
                raise CommandLineError(
                    f"REMOTE_SSH holds a remote command, starting at {word!r}; pybridge runs its own commands there.",
                    next_step="Leave only the connection in REMOTE_SSH; the folder goes into REMOTE_WORKDIR.",
                )
        if self._host is None:
            raise _bad("it names no host", "Set it to what you would type, for instance: ssh user@host")
        return SshCommand(
            host=self._host,
            user=self._user,
            port=self._port,
            identity_files=tuple(self._identities),
            jump=self._jump,
            config_file=self._config,
            options=tuple(self._options),
            flags=frozenset(self._flags),
        )

    def _read_options(self, cluster: str) -> None:
        """Read `-vCp22`-like clusters: flags, then at most one option whose value is the rest or the next word."""
        for index, letter in enumerate(cluster):
            if letter in _REFUSED:
                raise CommandLineError(
                    f"REMOTE_SSH: the option -{letter} cannot be used: {_REFUSED[letter]}.",
                    next_step=f"Remove -{letter} from REMOTE_SSH.",
                )
            if letter in _WITH_VALUE:
                self._set_value(letter, cluster[index + 1 :] or self._next_value(letter, self._words))
                return
            if letter in _KEYWORD_FLAGS:
                self._options.append(_KEYWORD_FLAGS[letter])
            elif letter == "a":
                self._options.append(("ForwardAgent", "no"))
            elif letter not in _HARMLESS:
                raise _bad(f"ssh has no option -{letter}", "See `man ssh` for the options it takes.")
            self._flags.add(letter)

    @staticmethod
    def _next_value(letter: str, words: Iterator[str]) -> str:
        value = next(words, None)
        if not value:
            raise _bad(f"the option -{letter} needs a value", f"Put the value after -{letter}, or remove the option.")
        return value

    def _set_value(self, letter: str, value: str) -> None:
        if letter == "i":
            self._identities.append(expand_home(value))
        elif letter == "p":
            self._port = self._port or parse_port(value)
        elif letter == "l":
            self._user = self._user or value
        elif letter == "J":
            self._jump = self._jump or value
        elif letter == "F":
            self._config = expand_home(value)
        elif letter == "o":
            self._set_option(*parse_option(value))
        elif letter in _KEYWORD_OPTIONS:
            self._options.append((_KEYWORD_OPTIONS[letter], value))
        else:
            assert letter in _HARMLESS_WITH_VALUE

    def _set_option(self, keyword: str, value: str) -> None:
        """Keep a keyword option; those with a letter of their own share its place, so that the first counts."""
        if keyword.lower() == "port":
            self._port = self._port or parse_port(value)
        elif keyword.lower() == "user":
            self._user = self._user or value
        elif keyword.lower() == "proxyjump":
            self._jump = self._jump or value
        elif keyword.lower() == "identityfile" and value.lower() != "none":
            self._identities.append(expand_home(value))
        else:
            self._options.append((keyword, value))


def parse_option(text: str) -> tuple[str, str]:
    """Read the value of -o: `Keyword=value` or `Keyword value`, spaces around `=` allowed.

    Raises:
        CommandLineError: there is no keyword or no value.
    """
    match = _OPTION.fullmatch(text)
    value = match[2].strip() if match else ""
    if match is None or not value:
        raise _bad(f"-o {text!r} is not of the form Keyword=value")
    if len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1]:
        value = value[1:-1]
    return match[1], value
