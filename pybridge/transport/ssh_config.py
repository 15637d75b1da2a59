"""Reads OpenSSH client configuration files into the values in effect for one host.

Format: ssh_config(5). The first value of a keyword counts, except for the keywords that collect.
"""

from __future__ import annotations

import contextlib
import difflib
import glob
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pybridge.errors import ConfigurationError
from pybridge.transport.ssh_keywords import KEYWORDS, Fate, Keyword, find_keyword
from pybridge.transport.ssh_match import Facts, matches, wants_final_pass
from pybridge.transport.ssh_tokens import Tokens, expand_environment, expand_user, local_user
from pybridge.transport.ssh_words import match_host_list as match_pattern_list
from pybridge.transport.ssh_words import match_pattern, match_patterns, parse_port, split_arguments, split_keyword

__all__ = ["DEFAULT_PORT", "TYPED", "Setting", "SshConfig", "match_pattern", "match_pattern_list"]

DEFAULT_PORT = 22
TYPED = "REMOTE_SSH"
"""The place of what was typed."""

_COLLECTING = frozenset({"identityfile", "certificatefile", "sendenv", "rekeylimit"})
_ONCE = frozenset({"identityfile", "certificatefile"})
_TIMES = ("ConnectTimeout", "ServerAliveInterval")
_MAX_INCLUDE_DEPTH = 16


@dataclass(frozen=True)
class Setting:
    """One line in effect.

    Args:
        arguments: its arguments, quotes removed.
        text: all of them as they stand, for keywords whose value extends to the end of the line.
        place: where it was given, for errors.
    """

    arguments: tuple[str, ...]
    text: str
    place: str


class SshConfig:
    """Values in effect, by keyword. Values given first win, so feed the command line before the files.

    Args:
        host: the host as typed.
        options: keyword and rest of the line of each option of the command line.
        home: where `~` and `.ssh` are.
    """

    def __init__(self, host: str, options: Iterable[tuple[str, str]], home: Path) -> None:
        self._original_host = host
        self._host = host
        self._home = home
        self._settings: dict[str, list[Setting]] = {}
        self._wants_final = False
        self._final = False
        for name, rest in options:
            keyword = self._find(name, TYPED)
            if keyword is not None:
                self._set(keyword, self._setting(keyword, rest, TYPED))

    @property
    def wants_final(self) -> bool:
        """Whether a `Match final` block asks for a second pass over the files."""
        return self._wants_final

    def begin_final_pass(self, host: str) -> None:
        """From here on `final` and `canonical` apply, and `host` is what Host lines are compared with."""
        self._final = True
        self._host = host
        self._settings["hostname"] = [Setting((host.replace("%", "%%"),), host, "HostName")]

    def get(self, keyword: str) -> str | None:
        """The value in effect (the first argument), None if not given."""
        setting = self.setting(keyword)
        return setting.arguments[0] if setting else None

    def setting(self, keyword: str) -> Setting | None:
        """The line in effect."""
        settings = self._settings.get(keyword.lower())
        return settings[0] if settings else None

    def settings(self, keyword: str) -> list[Setting]:
        """Every line of a keyword that collects (IdentityFile, CertificateFile, SendEnv, RekeyLimit)."""
        return list(self._settings.get(keyword.lower(), ()))

    def came_first(self, keyword: str, other: str) -> bool:
        """Whether `keyword` was given, and before `other` was."""
        order = list(self._settings)
        first, second = keyword.lower(), other.lower()
        return first in order and (second not in order or order.index(first) < order.index(second))

    def target(self) -> str:
        """The host to connect to, as far as the lines so far say: HostName, or the host."""
        named = self.get("HostName")
        if named is None:
            return self._host
        return Tokens(alias="", host=self._original_host, port=0, user="", home=self._home).expand(named, only="h")

    def tokens(self, host: str) -> Tokens:
        """What the tokens stand for, as far as the lines so far say.

        Args:
            host: to connect to.
        """
        setting = self.setting("User")
        user = setting.arguments[0] if setting else local_user()
        facts = {"alias": self._original_host, "host": host, "port": parse_port(self.get("Port") or "") or DEFAULT_PORT}
        facts |= {"home": self._home, "host_key_alias": self.get("HostKeyAlias"), "jump": self.get("ProxyJump")}
        if setting is not None and setting.place != TYPED:
            user = Tokens(**facts, user="").expand(expand_environment(user), only="CdhijkLlnpu")
        return Tokens(**facts, user=user)

    def refuse_unusable(self) -> None:
        """Refuse what the files ask for and cannot be done. What was typed is refused where it is read.

        Raises:
            ConfigurationError: the option is named, with the reason.
        """
        refusal = self.setting("RefuseConnection")
        if refusal is not None:
            raise ConfigurationError(
                f"{refusal.place}: RefuseConnection: {refusal.arguments[0]}",
                next_step="Use another host, or remove that line.",
            )
        for keyword in KEYWORDS.values():
            setting = self.setting(keyword.name)
            refused = keyword.fate_in_files() is Fate.REFUSED
            if setting is not None and refused and not keyword.asks_for_nothing(setting.arguments[0]):
                raise ConfigurationError(
                    f"{setting.place}: the ssh option {keyword.name} cannot be used: {keyword.why}.",
                    next_step=keyword.next_step,
                )

    def read(self, path: Path, *, required: bool = False, system: bool = False) -> None:
        """Read one file and what it includes.

        Args:
            required: for a file named by the user: it is an error if it cannot be read.
            system: for the system's file: relative names of an Include are in its folder, else in ~/.ssh.

        Raises:
            ConfigurationError: the file cannot be read (only if `required`), or a line cannot be understood.
        """
        folder = path.parent if system else self._home / ".ssh"
        try:
            self._read(path, folder, depth=0, active=True, private=not (required or system))
        except OSError as error:
            if required:
                missing = isinstance(error, FileNotFoundError)
                what = "does not exist" if missing else f"cannot be read: {error.strerror}"
                raise ConfigurationError(
                    f"The ssh configuration file {path} {what}.", next_step="Correct -F in REMOTE_SSH."
                ) from error

    def _read(self, path: Path, folder: Path, *, depth: int, active: bool, private: bool) -> None:
        if depth > _MAX_INCLUDE_DEPTH:
            raise ConfigurationError(
                f"The ssh configuration file {path} is included more than {_MAX_INCLUDE_DEPTH} levels deep.",
                next_step="Remove the Include that leads in a circle.",
            )
        with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            if private:
                _check_owner(path, file.fileno())
            text = file.read()
        block_active = active
        for number, line in enumerate(text.split("\n"), 1):
            place = f"{path} line {number}"
            name, rest = split_keyword(line)
            if not name or name.startswith("#"):
                continue
            keyword = self._find(name, place)
            if keyword is None:
                continue
            setting = self._setting(keyword, rest.rstrip(" \t\r\f"), place)
            if keyword.name == "Host":
                block_active = active and self._matches_host(setting)
            elif keyword.name == "Match":
                block_active = self._matches(setting, active)
            elif keyword.name == "Include":
                for argument in setting.arguments:
                    self._include(argument, folder, place, depth, block_active)
            elif block_active:
                self._set(keyword, setting)

    def _include(self, argument: str, folder: Path, place: str, depth: int, active: bool) -> None:
        pattern = expand_user(expand_environment(self.tokens(self.target()).expand(argument)), self._home)
        for name in sorted(glob.glob(str(folder / pattern))):  # noqa: PTH207 - Path.glob finds hidden files too
            if not Path(name).is_dir():
                try:
                    self._read(Path(name), folder, depth=depth + 1, active=active, private=True)
                except OSError as error:
                    raise ConfigurationError(
                        f"{place}: the included file {name} cannot be read: {error.strerror}.",
                        next_step="Make it readable, or remove the Include.",
                    ) from error

    def _find(self, name: str, place: str) -> Keyword | None:
        """The keyword; None for an unknown one that IgnoreUnknown names."""
        keyword = find_keyword(name)
        if keyword is None and not match_pattern_list(self.get("IgnoreUnknown") or "", name):
            near = difflib.get_close_matches(name.lower(), KEYWORDS, 1)
            step = (
                f"Did you mean {KEYWORDS[near[0]].name}?"
                if near
                else f"Correct it, or put `IgnoreUnknown {name}` first."
            )
            raise ConfigurationError(
                f"{place}: OpenSSH has no option {name[:40]!r}.",
                next_step=step if name.isalnum() else "Check that this is an ssh configuration file.",
            )
        return keyword

    @staticmethod
    def _setting(keyword: Keyword, rest: str, place: str) -> Setting:
        try:
            arguments = split_arguments(rest)
        except ValueError as error:
            raise ConfigurationError(f"{place}: {keyword.name}: {error}.", next_step="Correct that line.") from error
        what = ""
        if not arguments or (keyword.arguments != "rest" and not arguments[0] and keyword.name != "Match"):
            what = f"{keyword.name} has no value"
        elif keyword.arguments == "one" and len(arguments) > 1:
            what = f"{keyword.name} has more than one value"
        if what:
            raise ConfigurationError(f"{place}: {what}.", next_step="Correct that line.")
        return Setting(tuple(arguments), rest, place)

    def _set(self, keyword: Keyword, setting: Setting) -> None:
        if keyword.name in _TIMES and setting.arguments[0] == "none":
            return  # As if it was not there: a later line counts.
        settings = self._settings.setdefault(keyword.name.lower(), [])
        name = keyword.name.lower()
        known = name in _ONCE and any(other.arguments == setting.arguments for other in settings)
        if not settings or (name in _COLLECTING and not known):
            settings.append(setting)

    def _matches_host(self, setting: Setting) -> bool:
        if not all(setting.arguments):
            raise ConfigurationError(f"{setting.place}: Host has an empty pattern.", next_step="Correct that line.")
        return match_patterns(setting.arguments, self._host)

    def _matches(self, setting: Setting, active: bool) -> bool:
        words = list(setting.arguments)
        self._wants_final = self._wants_final or wants_final_pass(words)
        facts = Facts(
            host=self.target(),
            original_host=self._original_host,
            user=self.get("User") or local_user(),
            tag=self.get("Tag") or "",
            final=self._final,
            tokens=lambda: self.tokens(self.target()),
        )
        try:
            return matches(words, facts, active=active)
        except ValueError as error:
            raise ConfigurationError(f"{setting.place}: {error}.", next_step="Correct that line.") from error


def _check_owner(path: Path, descriptor: int) -> None:
    """As OpenSSH: who may write to the file decides where connections go and what runs here."""
    if os.name != "posix":
        return
    status = os.fstat(descriptor)
    own_group = False
    with contextlib.suppress(ImportError, KeyError):
        import grp

        group = grp.getgrgid(status.st_gid)
        own_group = group.gr_name == local_user() and all(name == local_user() for name in group.gr_mem)
    others = stat.S_IWOTH if own_group else stat.S_IWOTH | stat.S_IWGRP
    if status.st_uid not in (0, os.getuid()) or status.st_mode & others:
        raise ConfigurationError(
            f"The ssh configuration file {path} can be written by others; OpenSSH refuses it too.",
            next_step=f"chmod go-w '{path}', and make yourself its owner.",
        )
