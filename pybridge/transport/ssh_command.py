"""REMOTE_SSH: the ssh command line a user would type, read into its parts. Pure: no file, no network.

Grammar: ssh(1) of OpenSSH 9; quoting as a POSIX shell does it. An option with a letter of its own is the keyword it
stands for; the table of keywords (ssh_keywords.py) says which of them cannot be used.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from pybridge.errors import CommandLineError
from pybridge.transport.ssh_destination import bad, check_user, expand_home, require_port, split_destination
from pybridge.transport.ssh_keywords import Fate, find_keyword
from pybridge.transport.ssh_words import quote_argument, split_arguments, split_keyword

__all__ = ["REFUSED_LETTERS", "SshCommand", "parse_option", "parse_ssh_command", "split_destination"]

REFUSED_LETTERS = {
    "W": "stdio forwarding is not what REMOTE_SSH is for; for a jump host use -J",
    "O": "connections of another ssh process cannot be controlled",
    "Q": "it only prints a list",
    "G": "it only prints the configuration",
    "V": "it only prints the version",
}
"""Letters that are no keyword and make ssh do something else than log in."""
_WITH_VALUE = "bBcDeEFIiJLlmOopPQRSWw"
_WITHOUT_KEYWORD = "EM"
"""A log file, and a master: ControlMaster and what it does is harmless, whatever the value."""
_FLAGS = {
    "4": (("AddressFamily", "inet"),),
    "6": (("AddressFamily", "inet6"),),
    "A": (("ForwardAgent", "yes"),),
    "a": (("ForwardAgent", "no"),),
    "C": (("Compression", "yes"),),
    "K": (("GSSAPIAuthentication", "yes"), ("GSSAPIDelegateCredentials", "yes")),
    "k": (("GSSAPIDelegateCredentials", "no"),),
    "X": (("ForwardX11", "yes"),),
    "Y": (("ForwardX11", "yes"), ("ForwardX11Trusted", "yes")),
    "x": (("ForwardX11", "no"),),
    "f": (("ForkAfterAuthentication", "yes"), ("StdinNull", "yes")),
    "n": (("StdinNull", "yes"),),
    "N": (("SessionType", "none"), ("RequestTTY", "no")),
    "s": (("SessionType", "subsystem"),),
    "t": (("RequestTTY", "yes"),),
    "T": (("RequestTTY", "no"),),
    "g": (("GatewayPorts", "yes"),),
    "q": (("LogLevel", "QUIET"),),
    "v": (("LogLevel", "DEBUG"),),
    "y": (("SyslogFacility", "USER"),),
    "M": (("ControlMaster", "yes"),),
}
_FIRST_COUNTS = "lpP"
"""As with -o, what is typed first counts; any other letter overrides what was typed before it, and every -o."""
_VALUES = {
    "b": "BindAddress",
    "B": "BindInterface",
    "c": "Ciphers",
    "D": "DynamicForward",
    "e": "EscapeChar",
    "I": "PKCS11Provider",
    "i": "IdentityFile",
    "J": "ProxyJump",
    "L": "LocalForward",
    "l": "User",
    "m": "MACs",
    "p": "Port",
    "P": "Tag",
    "R": "RemoteForward",
    "S": "ControlPath",
    "w": "Tunnel",
}


@dataclass(frozen=True)
class SshCommand:
    """The parts of one ssh command line; None or empty for what it does not say.

    `options` holds every option as keyword and value, ordered so that the first of a keyword counts;
    `user` and `port` are those that count. `identity_files` are those of -i.
    """

    host: str
    user: str | None = None
    port: int | None = None
    identity_files: tuple[Path, ...] = ()
    config_file: Path | None = None
    options: tuple[tuple[str, str], ...] = ()


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


def parse_option(text: str) -> tuple[str, str]:
    """Read the value of -o, `Keyword=value` or `Keyword value`, into the keyword and the rest of the line.

    Raises:
        CommandLineError: there is no keyword or no value.
    """
    keyword, rest = split_keyword(text.strip())
    try:
        has_value = bool(rest) and (rest[0] != "#" and bool(split_arguments(rest)))
    except ValueError as error:
        raise bad(f"-o {text!r}: {error}", "Close it, or remove it.") from error
    if not keyword or not has_value:
        raise bad(f"-o {text!r} is not of the form Keyword=value")
    return keyword, rest


def _split(text: str) -> list[str]:
    if not text.strip():
        raise bad("it is empty", "Set it to what you would type, for instance: ssh user@host")
    lexer = shlex.shlex(text.replace("\r", " ").replace("\n", " "), posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if PureWindowsPath(text.split()[0]).drive or re.search(r"[A-Za-z]:\\", text):
        lexer.escape = ""  # A Windows path keeps its backslashes.
    try:
        return list(lexer)
    except ValueError as error:
        raise bad("a quotation mark is not closed", "Close it, or remove it.") from error


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
        self._config: Path | None = None
        self._options: list[tuple[str, str]] = []

    def read(self) -> SshCommand:
        literal = False
        for word in self._words:
            if not literal and word == "--":
                literal = True
            elif not literal and word.startswith("-") and word != "-":
                self._read_options(word[1:])
            elif self._host is None:
                self._set_destination(word)
            else:
                raise CommandLineError(
                    f"REMOTE_SSH holds a remote command, starting at {word!r}; pybridge runs its own commands there.",
                    next_step="Leave only the connection in REMOTE_SSH; the folder goes into REMOTE_WORKDIR.",
                )
        if self._host is None:
            raise bad("it names no host", "Set it to what you would type, for instance: ssh user@host")
        return SshCommand(
            host=self._host,
            user=self._user,
            port=self._port,
            identity_files=tuple(self._identities),
            config_file=self._config,
            options=tuple(self._options),
        )

    def _set_destination(self, word: str) -> None:
        user, self._host, port = split_destination(word)
        if user is not None:
            self._add("", "User", quote_argument(user))
        if port is not None:
            self._add("", "Port", str(port))

    def _read_options(self, cluster: str) -> None:
        """Read `-vCp22`-like clusters: flags, then at most one option whose value is the rest or the next word."""
        for index, letter in enumerate(cluster):
            if letter in REFUSED_LETTERS:
                raise _refusal(f"-{letter}", REFUSED_LETTERS[letter], f"Remove -{letter} from REMOTE_SSH.")
            if letter in _WITH_VALUE:
                self._set_value(letter, cluster[index + 1 :] or self._next_value(letter, self._words))
                return
            if letter not in _FLAGS:
                raise bad(f"ssh has no option -{letter}", "See `man ssh` for the options it takes.")
            for keyword, value in _FLAGS[letter]:
                self._add(f"-{letter}", keyword, value, overrides=True)

    @staticmethod
    def _next_value(letter: str, words: Iterator[str]) -> str:
        value = next(words, None)
        if not value:
            raise bad(f"the option -{letter} needs a value", f"Put the value after -{letter}, or remove the option.")
        return value

    def _set_value(self, letter: str, value: str) -> None:
        if letter == "F":
            self._config = expand_home(value)
        elif letter == "o":
            keyword, rest = parse_option(value)
            self._add(f"-o {keyword}", keyword, rest)
        elif letter == "i":
            self._identities.append(expand_home(value))
            self._add("-i", "IdentityFile", quote_argument(str(self._identities[-1])))
        elif letter == "J":
            self._set_jump(value)
        elif letter in _VALUES:
            self._add(f"-{letter}", _VALUES[letter], quote_argument(value), overrides=letter not in _FIRST_COUNTS)
        else:
            assert letter in _WITHOUT_KEYWORD

    def _set_jump(self, value: str) -> None:
        """As OpenSSH: -J competes with what was typed before it, and settles what comes after it."""
        before = {keyword.lower() for keyword, _ in self._options}
        for other in ("proxyjump", "proxycommand"):
            if other in before:
                raise bad(
                    f"-J comes after another way to go ({find_keyword(other).name})",  # type: ignore[union-attr]
                    "Keep one of them. Several jump hosts are separated by commas: -J first,second",
                )
        self._add("-J", "ProxyJump", quote_argument(value))

    def _add(self, typed: str, name: str, rest: str, *, overrides: bool = False) -> None:
        """Keep an option, if it can be used. `typed` is how it was given, for errors."""
        keyword = find_keyword(name)
        words = split_arguments(rest)
        value = words[0] if words else ""
        if keyword is not None:
            if keyword.fate is Fate.REFUSED and not keyword.asks_for_nothing(value):
                shown = typed if typed.endswith(name) or not typed else f"{typed} ({keyword.name})"
                raise _refusal(shown, keyword.why, keyword.next_step or f"Remove {typed} from REMOTE_SSH.")
            if keyword.name == "Port" and self._port is None:
                self._port = require_port(value)
            elif keyword.name == "User" and self._user is None:
                self._user = check_user(value)
            elif keyword.name in ("Host", "Match", "Include"):
                raise _refusal(f"-o {keyword.name}", "it belongs into a configuration file", "Name a file with -F.")
        self._options.insert(0 if overrides else len(self._options), (name, rest))


def _refusal(option: str, why: str, next_step: str) -> CommandLineError:
    return CommandLineError(f"REMOTE_SSH: the option {option} cannot be used: {why}.", next_step=next_step)
