"""Reads OpenSSH client configuration files into the values in effect for one host.

Format: ssh_config(5). The first value of a keyword counts, except for the keywords that collect.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

from pybridge.errors import ConfigurationError

_COLLECTING = frozenset({"identityfile", "certificatefile", "sendenv"})
_WHOLE_LINE = frozenset({"proxycommand", "remotecommand", "localcommand", "knownhostscommand"})
_MAX_INCLUDE_DEPTH = 16


class SshConfig:
    """Values in effect, by keyword. Values given first win, so feed the command line before the files.

    Args:
        host: the host as typed.
        options: (keyword, value) pairs of the command line.
    """

    def __init__(self, host: str, options: Iterable[tuple[str, str]] = ()) -> None:
        self.host = host
        self._values: dict[str, list[str]] = {}
        self._wants_final = False
        self._final = False
        for keyword, value in options:
            self._set(keyword.lower(), value)

    def read(self, path: Path, *, required: bool = False, include_folder: Path | None = None) -> None:
        """Read one file and what it includes.

        Args:
            required: whether it is an error if the file is missing.
            include_folder: where relative names of an Include are; ~/.ssh if not given.

        Raises:
            ConfigurationError: the file cannot be read (only if `required`), or a line cannot be understood.
        """
        try:
            self._read(path, include_folder or Path("~/.ssh").expanduser(), depth=0, active=True)
        except FileNotFoundError:
            if required:
                raise ConfigurationError(
                    f"The ssh configuration file {path} does not exist.", next_step="Correct -F in REMOTE_SSH."
                ) from None
        except OSError as error:
            if required:
                raise ConfigurationError(f"The ssh configuration file {path} cannot be read: {error}.") from error

    @property
    def wants_final(self) -> bool:
        """Whether a `Match final` block asks for a second pass over the files."""
        return self._wants_final and not self._final

    def begin_final_pass(self) -> None:
        """From here on `Match final` blocks apply; read the same files again."""
        self._final = True

    def get(self, keyword: str) -> str | None:
        """The value in effect, None if not given."""
        values = self._values.get(keyword.lower())
        return values[0] if values else None

    def get_all(self, keyword: str) -> list[str]:
        """Every value of a keyword that collects (IdentityFile, CertificateFile, SendEnv)."""
        return list(self._values.get(keyword.lower(), ()))

    def _set(self, keyword: str, value: str) -> None:
        values = self._values.setdefault(keyword, [])
        if not values or (keyword in _COLLECTING and value not in values):
            values.append(value)

    def _read(self, path: Path, folder: Path, *, depth: int, active: bool) -> None:
        if depth > _MAX_INCLUDE_DEPTH:
            raise ConfigurationError(f"The ssh configuration includes itself too deeply at {path}.")
        block_active = active
        for number, raw in enumerate(path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(), 1):
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            keyword, words, value = _split_line(line, path, number)
            if keyword == "host":
                block_active = active and _match_host_patterns(words, self.host)
            elif keyword == "match":
                block_active = active and self._match(words, path, number)
            elif keyword == "include":
                for name in words:
                    for included in _find_included(name, folder):
                        self._read(included, folder, depth=depth + 1, active=block_active)
            elif block_active:
                self._set(keyword, value)

    def _match(self, words: list[str], path: Path, number: int) -> bool:
        """Evaluate the criteria of a Match line."""
        result = True
        queue = list(words)
        while queue:
            criterion = queue.pop(0).lower()
            negated = criterion.startswith("!")
            criterion, equals, inline = criterion.lstrip("!").partition("=")
            if criterion == "final":
                self._wants_final = True
            if criterion in ("all", "final", "canonical"):
                matched = criterion == "all" or self._final
            else:
                argument = inline if equals else (queue.pop(0) if queue else None)
                if argument is None:
                    raise ConfigurationError(f"{path} line {number}: Match {criterion} needs an argument.")
                matched = result and self._match_criterion(criterion, argument, path, number)
            result = result and matched != negated
        return result

    def _match_criterion(self, criterion: str, argument: str, path: Path, number: int) -> bool:
        if criterion == "exec":
            command = argument.replace("%h", self.get("HostName") or self.host).replace("%n", self.host)
            command = command.replace("%r", self.get("User") or getpass.getuser()).replace("%%", "%")
            done = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            return done.returncode == 0
        subjects = {
            "host": self.get("HostName") or self.host,
            "originalhost": self.host,
            "user": self.get("User") or getpass.getuser(),
            "localuser": getpass.getuser(),
            "tagged": self.get("Tag") or "",
        }
        if criterion in ("localnetwork", "sessiontype", "command", "version"):
            return criterion == "sessiontype" and match_pattern_list(argument, "exec")
        if criterion not in subjects:
            raise ConfigurationError(f"{path} line {number}: Match {criterion} is not known.")
        return match_pattern_list(argument, subjects[criterion])


def _split_line(line: str, path: Path, number: int) -> tuple[str, list[str], str]:
    """Keyword (lower case), the words of its value, and the value as one string."""
    match = re.match(r"([^\s=\"]+)\s*(?:=\s*|\s+)?(.*)", line, re.DOTALL)
    keyword = match[1].lower() if match else ""
    rest = match[2].strip() if match else ""
    if keyword in _WHOLE_LINE:
        return keyword, [rest], rest
    lexer = shlex.shlex(rest, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = "#" if re.search(r"\s#", rest) else ""
    lexer.escape = "" if os.name == "nt" else "\\"
    try:
        words = list(lexer)
    except ValueError as error:
        raise ConfigurationError(f"{path} line {number}: {error}.", next_step="Correct that line.") from error
    if not keyword or not words:
        raise ConfigurationError(f"{path} line {number}: {line!r} has no value.", next_step="Correct that line.")
    return keyword, words, words[0] if len(words) == 1 else " ".join(map(_quote, words))


def _quote(word: str) -> str:
    return f'"{word}"' if re.search(r"\s", word) else word


def split_words(value: str) -> list[str]:
    """The words of a value that holds several (file names), quotes removed."""
    lexer = shlex.shlex(value, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = ""
    return list(lexer)


def _find_included(name: str, folder: Path) -> list[Path]:
    """Files an Include names: `~` and wildcards expanded, relative names in `folder`."""
    pattern = Path(os.path.expandvars(name)).expanduser()
    base, parts = (Path(pattern.anchor), pattern.parts[1:]) if pattern.anchor else (folder, pattern.parts)
    return sorted(found for found in base.glob(str(Path(*parts))) if found.is_file()) if parts else []


def match_pattern(pattern: str, text: str) -> bool:
    """Whether `text` matches a pattern of ssh_config(5): only `*` and `?` are special; case does not count."""
    expression = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL) is not None


def match_pattern_list(patterns: str, text: str) -> bool:
    """Whether `text` matches a comma-separated list: at least one pattern, and no negated one."""
    return _match_host_patterns(patterns.split(","), text)


def _match_host_patterns(patterns: Iterable[str], text: str) -> bool:
    matched = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if match_pattern(pattern[1:], text):
                return False
        elif match_pattern(pattern, text):
            matched = True
    return matched
