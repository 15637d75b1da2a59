"""REMOTE_SSH as words for the system's own ssh: passed on as typed, less what would stop commands from running.

Grammar: ssh(1) of OpenSSH 9.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from pybridge.errors import CommandLineError

_WITH_VALUE = "bBcDeEFIiJLlmOopPQRSWw"
_DROPPED = "fMNnqsTtvyg"
"""About a terminal session, its messages, or whose the connection is: settled here."""
_DROPPED_WITH_VALUE = "eE"
_REFUSED = {
    "G": "it only prints the configuration",
    "O": "it only speaks to another ssh",
    "Q": "it only prints a list",
    "V": "it only prints the version",
    "W": "it leaves no way to run commands; for a jump host use -J",
}


@dataclass(frozen=True)
class OpensshCommand:
    """One ssh command line.

    Args:
        program: ssh, by name or by the path that was typed.
        options: its options as typed, less those that do not matter here.
        destination: the host, as typed.
        control_path: the value of -S.
        config: the value of -F.
    """

    program: str
    options: tuple[str, ...]
    destination: str
    control_path: str | None = None
    config: str | None = None

    def words(self, *ours: str) -> list[str]:
        """The words to execute.

        Args:
            ours: options that come first: of a keyword given twice, ssh takes the first.
        """
        return [self.program, *ours, *self.options, "--", self.destination]


def read_command_line(text: str) -> OpensshCommand:
    """Read a value of REMOTE_SSH.

    Raises:
        CommandLineError: it cannot be read, or would run something else than a login.
    """
    try:
        words = shlex.split(text.replace("\r", " ").replace("\n", " "))
    except ValueError as error:
        raise _bad("a quotation mark is not closed", "Close it, or remove it.") from error
    program = "ssh"
    if len(words) > 1 and PurePath(words[0]).name == "ssh":
        program, *words = words
    if words and PurePath(words[0]).name in ("dbclient", "plink", "plink.exe") and len(words) > 1:
        raise _bad(
            f"REMOTE_TRANSPORT=openssh works with OpenSSH's own client only, not with {words[0]}",
            "Leave the program out of REMOTE_SSH, or leave REMOTE_TRANSPORT out.",
        )
    return _read(program, iter(words))


def _read(program: str, words: Iterator[str]) -> OpensshCommand:
    options: list[str] = []
    values: dict[str, str] = {}
    destination: str | None = None
    literal = False
    for word in words:
        if not literal and word == "--":
            literal = True
        elif not literal and word.startswith("-") and word != "-":
            options += _options(word[1:], words, values)
        elif destination is None:
            destination = word
        else:
            raise CommandLineError(
                f"REMOTE_SSH holds a remote command, starting at {word!r}; pybridge runs its own commands there.",
                next_step="Leave only the connection in REMOTE_SSH; the folder goes into REMOTE_WORKDIR.",
            )
    if not destination:
        raise _bad("it names no host", "Set it to what you would type, for instance: ssh user@host")
    return OpensshCommand(program, tuple(options), destination, values.get("S"), values.get("F"))


def _options(cluster: str, words: Iterator[str], values: dict[str, str]) -> list[str]:
    """Read a `-4Cp22`-like word: flags, then at most one option whose value is the rest or the next word."""
    kept: list[str] = []
    for index, letter in enumerate(cluster):
        if letter in _REFUSED:
            raise CommandLineError(
                f"REMOTE_SSH: the option -{letter} cannot be used: {_REFUSED[letter]}.",
                next_step=f"Remove -{letter} from REMOTE_SSH.",
            )
        if letter in _WITH_VALUE:
            value = cluster[index + 1 :] or next(words, None)
            if value is None:
                raise _bad(f"the option -{letter} needs a value", f"Put the value after -{letter}, or remove it.")
            values.setdefault(letter, value)
            return kept if letter in _DROPPED_WITH_VALUE + "S" else [*kept, f"-{letter}", value]
        if letter not in _DROPPED:
            kept.append(f"-{letter}")
    return kept


def _bad(what: str, next_step: str) -> CommandLineError:
    return CommandLineError(f"REMOTE_SSH cannot be read: {what}.", next_step=next_step)
