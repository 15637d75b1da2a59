"""The values of ssh options as Python values: numbers, times, paths, lists. Values: ssh_config(5)."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pybridge.errors import ConfigurationError
from pybridge.transport.ssh_config import Setting, SshConfig
from pybridge.transport.ssh_tokens import Tokens, expand_environment, expand_user
from pybridge.transport.ssh_words import match_pattern, parse_port, parse_seconds

StrictHostKeyChecking = Literal["yes", "ask", "accept-new", "no"]
METHODS = ("publickey", "keyboard-interactive", "password")
"""The authentication methods there are here, in OpenSSH's order."""

_FLAGS = {"yes": True, "true": True, "no": False, "false": False}
_STRICTNESS: dict[str, StrictHostKeyChecking] = {
    "yes": "yes", "true": "yes", "no": "no", "off": "no", "false": "no", "ask": "ask", "accept-new": "accept-new",
}  # fmt: skip
_FAMILIES = {"any": socket.AF_UNSPEC, "inet": socket.AF_INET, "inet6": socket.AF_INET6}
_AGENT_OF_WINDOWS = r"\\.\pipe\openssh-ssh-agent"
_SERVICE_CLASSES = {
    **{f"cs{number}": number << 5 for number in range(8)},
    **{f"af{x}{y}": (x << 5) + (y << 3) for x in range(1, 5) for y in range(1, 4)},
    "ef": 0xB8, "le": 0x04, "va": 0xB0, "lowdelay": 0x10, "throughput": 0x08, "reliability": 0x04,
}  # fmt: skip
"""RFC 2474, 2597, 3246, 8622; the last three are the type of service of RFC 1349."""

_T = TypeVar("_T")


class Values:
    """Typed access to the values in effect.

    Args:
        config: the values.
        tokens: what their tokens stand for.
        home: where `~` is.
    """

    def __init__(self, config: SshConfig, tokens: Tokens, home: Path) -> None:
        self.config = config
        self.tokens = tokens
        self._home = home

    def text(self, keyword: str) -> str | None:
        """The first argument as it stands."""
        return self.config.get(keyword)

    def flag(self, keyword: str, *, default: bool = False) -> bool:
        """Yes or no."""
        return self._convert(keyword, lambda text: _FLAGS.get(text.lower()), "yes or no", default)

    def one_of(self, keyword: str, choices: dict[str, _T], default: _T) -> _T:
        """What a word stands for."""
        return self._convert(keyword, lambda text: choices.get(text.lower()), f"one of {', '.join(choices)}", default)

    def number(self, keyword: str, default: int, *, least: int = 0) -> int:
        """A whole number of at least `least`."""

        def read(text: str) -> int | None:
            return int(text) if re.fullmatch(r"[0-9]{1,9}", text) and int(text) >= least else None

        return self._convert(keyword, read, "a number" if not least else f"a number, {least} or more", default)

    def port(self, default: int) -> int:
        """The port to connect to."""
        return self._convert("Port", parse_port, "a port from 1 to 65535", default)

    def seconds(self, keyword: str, default: int) -> int:
        """A time in seconds; `none` and 0 mean the default."""

        def read(text: str) -> int | None:
            return default if text == "none" else parse_seconds(text)

        return self._convert(keyword, read, "a time such as 30 or 1m30s", default) or default

    def strictness(self) -> StrictHostKeyChecking:
        """StrictHostKeyChecking."""
        return self.one_of("StrictHostKeyChecking", _STRICTNESS, "ask")

    def address_family(self) -> int:
        """AddressFamily, as a constant of the socket module."""
        return self.one_of("AddressFamily", _FAMILIES, socket.AF_UNSPEC)

    def path(self, keyword: str) -> Path | None:
        """A path; None if not given or `none`."""
        value = self.config.get(keyword)
        return None if value is None or value.lower() == "none" else self.tokens.path(value)

    def paths(self, keyword: str, default: Sequence[str]) -> tuple[Path, ...]:
        """Paths given on one line."""
        setting = self.config.setting(keyword)
        words = setting.arguments if setting else default
        if "none" not in map(str.lower, words):
            return tuple(map(self.tokens.path, words))
        if len(words) > 1:
            raise self._bad(keyword, " ".join(words), "paths, or `none` alone")
        return ()

    def collected_paths(self, keyword: str) -> list[Path]:
        """Paths given on several lines; `none` stands for no path."""
        values = [setting.arguments[0] for setting in self.config.settings(keyword)]
        return [self.tokens.path(value) for value in values if value.lower() != "none"]

    def command(self, keyword: str, *, only: str = "", later: str = "") -> str | None:
        """A command with its tokens replaced, as by `Tokens.expand`; None if not given or `none`."""
        setting = self.config.setting(keyword)
        if setting is None or setting.text.lower() == "none":
            return None
        return self.tokens.expand(setting.text, only=only, later=later)

    def way(self) -> tuple[str | None, bool]:
        """ProxyJump, if it counts, and whether ProxyCommand counts: the one that was given first."""
        jump, proxy = self.config.get("ProxyJump"), self.config.get("ProxyCommand")
        has_proxy = proxy is not None and proxy.lower() != "none"
        if jump is None or jump.lower() == "none" or self.config.came_first("ProxyCommand", "ProxyJump"):
            return None, has_proxy
        return jump, False

    def agent(self) -> str | None:
        """The socket (on Windows: the pipe) of the agent to ask; None for no agent."""
        value = self.config.get("IdentityAgent")
        if value is None or value == "SSH_AUTH_SOCK":
            return os.environ.get("SSH_AUTH_SOCK") or (_AGENT_OF_WINDOWS if os.name == "nt" else None)
        if value.lower() == "none":
            return None
        return os.environ.get(value[1:]) if re.fullmatch(r"\$\w+", value) else str(self.tokens.path(value))

    def forwarded_agent(self, agent: str | None) -> str | None:
        """The socket of the agent to forward, None to forward none: yes, no, a path, or a variable that holds one."""
        value = self.config.get("ForwardAgent") or "no"
        if value.lower() in _FLAGS:
            return agent if _FLAGS[value.lower()] else None
        if value.startswith("$") and not value.startswith("${"):
            return os.environ.get(value[1:])
        return str(expand_user(expand_environment(value), self._home))

    def methods(self) -> tuple[str, ...]:
        """The authentication methods to try, in order."""
        preferred = self.config.get("PreferredAuthentications")
        kinds = {**_FLAGS, "unbound": True, "host-bound": True}
        prompts = self.number("NumberOfPasswordPrompts", 3) > 0 and not self.flag("BatchMode")
        possible = {
            "publickey": self.one_of("PubkeyAuthentication", kinds, True),
            "keyboard-interactive": self.flag("KbdInteractiveAuthentication", default=True) and prompts,
            "password": self.flag("PasswordAuthentication", default=True) and prompts,
        }
        wanted = preferred.split(",") if preferred else METHODS
        return tuple(name for name in map(str.strip, wanted) if possible.get(name))

    def set_environment(self) -> tuple[tuple[str, str], ...]:
        """SetEnv: names and values. The first of a name counts."""
        setting = self.config.setting("SetEnv")
        pairs: dict[str, str] = {}
        for word in setting.arguments if setting else ():
            name, equals, content = word.partition("=")
            if not name or not equals:
                raise self._bad("SetEnv", word, "of the form NAME=VALUE")
            pairs.setdefault(name, content)
        return tuple(pairs.items())

    def send_environment(self) -> tuple[str, ...]:
        """SendEnv: the names of the local variables to send; patterns applied, and those with `-` taken away again."""
        patterns: list[str] = []
        for setting in self.config.settings("SendEnv"):
            for word in setting.arguments:
                if word.startswith("-"):
                    patterns = [pattern for pattern in patterns if not match_pattern(word[1:], pattern)]
                else:
                    patterns.append(word)
        return tuple(name for name in os.environ if any(match_pattern(pattern, name) for pattern in patterns))

    def rekey_limit(self) -> tuple[int | None, int | None]:
        """RekeyLimit: bytes and seconds after which new keys are made; None for the default."""
        limits = [self._rekey_limit(setting.arguments) for setting in self.config.settings("RekeyLimit")]
        return limits[0][0] if limits else None, next((seconds for _, seconds in limits if seconds), None)

    def _rekey_limit(self, words: tuple[str, ...]) -> tuple[int | None, int | None]:
        size = re.fullmatch(r"([0-9]{1,15})([kmg]?)", words[0].lower())
        number = int(size[1]) * 1024 ** " kmg".index(size[2] or " ") if size else 0
        seconds = parse_seconds(words[1]) if words[1:] and words[1] != "none" else 0
        if (words[0] != "default" and (not size or 0 < number < 16)) or seconds is None or len(words) > 2:
            raise self._bad("RekeyLimit", " ".join(words), "a size such as 1G, then a time such as 1h")
        return number or None, seconds or None

    def service_class(self) -> int | None:
        """IPQoS: the byte for the IP header, for what is not interactive (the second value if there are two)."""
        words = self._arguments("IPQoS")
        if not words:
            return None
        text = words[-1].lower()
        if text == "none":
            return None
        number = _SERVICE_CLASSES.get(text)
        if written := re.fullmatch(r"0x([0-9a-f]{1,2})|0([0-7]{1,3})|(0|[1-9][0-9]{0,2})", text):
            number = next(
                int(digits, base) for digits, base in zip(written.groups(), (16, 8, 10), strict=True) if digits
            )
        if number is None or not 0 <= number <= 255 or len(words) > 2:
            raise self._bad("IPQoS", " ".join(words), "one or two classes such as af21")
        return number

    def _arguments(self, keyword: str) -> tuple[str, ...]:
        setting: Setting | None = self.config.setting(keyword)
        return setting.arguments if setting else ()

    def _convert(self, keyword: str, read: Callable[[str], _T | None], kind: str, default: _T) -> _T:
        value = self.config.get(keyword)
        if value is None:
            return default
        converted = read(value)
        if converted is None:
            raise self._bad(keyword, value, kind)
        return converted

    def _bad(self, keyword: str, value: str, kind: str) -> ConfigurationError:
        setting = self.config.setting(keyword)
        place = setting.place if setting else "REMOTE_SSH"
        return ConfigurationError(
            f"{place}: the ssh option {keyword}={value} cannot be used.", next_step=f"The value must be {kind}."
        )
