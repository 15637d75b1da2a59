"""One line of an ignore file, or one `--glob`, under the gitignore rules that ripgrep applies to both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from pybridge.host.glob_automaton import GlobAutomaton, freedom
from pybridge.host.glob_pattern import Token, glob_regex, parse_glob

MOST_TRIES = 100_000
"""A regular expression that might try more ways than this to match a path is not asked."""


@dataclass(frozen=True)
class IgnoreLine:
    """One line of an ignore file, or one `--glob` value: a glob and what surrounds it.

    Args:
        negated: the line began with `!`.
        only_dir: the line ended in `/`: it is about folders alone.
        tokens: the glob, with the `**/` that gitignore's rules put before one without a slash.
    """

    text: str
    negated: bool
    only_dir: bool
    tokens: tuple[Token, ...]
    regex: re.Pattern[bytes]

    @classmethod
    def parse(cls, line: str) -> IgnoreLine | None:
        """Read one line; None for an empty line or a comment.

        Raises:
            GlobSyntaxError: see `parse_glob`.
        """
        text = line
        if line.startswith("#"):
            return None
        if not line.endswith("\\ "):
            line = line.rstrip()
        if not line:
            return None
        negated = anchored = False
        if line.startswith(("\\!", "\\#")):
            line = line[1:]
        else:
            if line.startswith("!"):
                negated, line = True, line[1:]
            if line.startswith("/"):
                anchored, line = True, line[1:]
        only_dir = line.endswith("/")
        if only_dir:
            line = line[:-1].removesuffix("\\")
        if not anchored and "/" not in line and line != "**":
            line = f"**/{line}"
        if line.endswith("/**"):
            line += "/*"  # everything inside the folder, not the folder itself
        tokens = parse_glob(line)
        return cls(text, negated, only_dir, tokens, glob_regex(tokens))

    def matches(self, path: bytes, *, is_dir: bool) -> bool:
        """Whether the line is about this path."""
        if self.only_dir and not is_dir:
            return False
        if len(path) ** self._freedom > MOST_TRIES:
            return self._automaton.fullmatch(path)
        return self.regex.fullmatch(path) is not None

    @cached_property
    def _freedom(self) -> int:
        return freedom(self.tokens)

    @cached_property
    def _automaton(self) -> GlobAutomaton:
        return GlobAutomaton(self.tokens)
