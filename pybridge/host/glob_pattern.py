"""Globs as ripgrep reads them: a pure matcher, used where the remote has no ripgrep.

Syntax and meaning follow the `globset` crate with `literal_separator`. Paths are bytes, relative, without a leading
`./`; a glob is matched byte by byte (`?` is one byte), as ripgrep does. For a whole line see `ignore_line`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

_LONGEST = 10_000
_DEEPEST = 40
"""Braces within braces; each level costs the reader several frames."""


class GlobSyntaxError(ValueError):
    """The glob cannot be read; the message says why."""


class Wildcard(Enum):
    """Tokens that carry nothing but their kind, and the regular expression each stands for."""

    ANY = b"[^/]"  # ?
    STAR = b"[^/]*"  # *
    ANY_DEPTH_PREFIX = b"(?:/?|.*/)"  # **/ at the beginning
    ANY_DEPTH_SUFFIX = b"/.*"  # /** at the end
    ANY_DEPTH = b"(?:/|/.*/)"  # /**/ in between


@dataclass(frozen=True)
class Literal:
    """One byte that stands for itself."""

    byte: int


@dataclass(frozen=True)
class CharClass:
    """`[...]`: one byte within (or outside) the ranges; unlike `?` it may be a slash."""

    negated: bool
    ranges: tuple[tuple[int, int], ...]

    @property
    def may_be_slash(self) -> bool:
        """Whether a `/` in the path can be what this class matches."""
        return any(low <= 0x2F <= high for low, high in self.ranges) != self.negated


@dataclass(frozen=True)
class Alternates:
    """`{a,b}`: one of several globs."""

    choices: tuple[tuple[Token, ...], ...]


Token = Wildcard | Literal | CharClass | Alternates


def parse_glob(glob: str) -> tuple[Token, ...]:
    """Read a glob.

    Raises:
        GlobSyntaxError: unclosed `[` or `{`, a `}` too many, a reversed range, a lone backslash at the end, or far more
            than any path needs.
    """
    if len(glob) > _LONGEST:
        raise GlobSyntaxError(f"it has {len(glob)} characters")
    return _Parser(glob).parse()


def glob_regex(tokens: Sequence[Token]) -> re.Pattern[bytes]:
    """The regular expression that matches exactly the paths a parsed glob matches (use `fullmatch`)."""
    if list(tokens) == [Wildcard.ANY_DEPTH_PREFIX]:
        return re.compile(b".*", re.DOTALL)
    return re.compile(_source(tokens), re.DOTALL)


def expand_braces(tokens: Sequence[Token], limit: int) -> list[tuple[Token, ...]] | None:
    """Every way to choose from the alternates; None when there are more than `limit`."""
    expanded: list[tuple[Token, ...]] = [()]
    for grouped, run in groupby(tokens, lambda token: isinstance(token, Alternates)):
        if not grouped:
            plain = tuple(run)
            expanded = [before + plain for before in expanded]
            continue
        for token in run:
            assert isinstance(token, Alternates)
            choices = []
            for choice in token.choices:
                found = expand_braces(choice, limit)
                if found is None:
                    return None
                choices += found
            # An empty choice is no choice for ripgrep: `{,a}b` is `ab` alone, and `{}` is nothing at all.
            choices = [choice for choice in choices if choice] or [()]
            expanded = [before + choice for before in expanded for choice in choices]
            if len(expanded) > limit:
                return None
    return expanded


def _source(tokens: Sequence[Token]) -> bytes:
    return b"".join(_token_source(token) for token in tokens)


def _token_source(token: Token) -> bytes:
    if isinstance(token, Wildcard):
        return token.value
    if isinstance(token, Literal):
        return re.escape(bytes([token.byte]))
    if isinstance(token, CharClass):
        body = b"".join(b"\\x%02x-\\x%02x" % span for span in token.ranges)
        return b"[" + (b"^" if token.negated else b"") + body + b"]"
    choices = [source for source in map(_source, token.choices) if source]
    return b"(?:" + b"|".join(choices) + b")" if choices else b""


class _Parser:
    """Reads a glob from left to right; `groups` holds the choices of each open `{`, `tokens` the current choice."""

    def __init__(self, glob: str) -> None:
        self.glob = glob
        self.at = 0
        self.tokens: list[Token] = []
        self.groups: list[tuple[list[Token], list[tuple[Token, ...]]]] = []

    def parse(self) -> tuple[Token, ...]:
        while self.at < len(self.glob):
            char = self.glob[self.at]
            self.at += 1
            self._take(char)
        if self.groups:
            raise GlobSyntaxError("unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)")
        return tuple(self.tokens)

    def _take(self, char: str) -> None:
        if char == "?":
            self.tokens.append(Wildcard.ANY)
        elif char == "*":
            self._star()
        elif char == "[":
            self.tokens.append(self._char_class())
        elif char == "{":
            if len(self.groups) == _DEEPEST:
                raise GlobSyntaxError("too many nested alternate groups")
            self.groups.append((self.tokens, []))
            self.tokens = []
        elif char == "}":
            self._close_group()
        elif char == "," and self.groups:
            self.groups[-1][1].append(tuple(self.tokens))
            self.tokens = []
        elif char == "\\":
            if self.at == len(self.glob):
                raise GlobSyntaxError("dangling '\\'")
            self._literal(self.glob[self.at])
            self.at += 1
        else:
            self._literal(char)

    def _literal(self, char: str) -> None:
        self.tokens.extend(Literal(byte) for byte in char.encode("utf-8", "surrogateescape"))

    def _close_group(self) -> None:
        if not self.groups:
            raise GlobSyntaxError("unopened alternate group; missing '{' (maybe escape '}' with '[}]'?)")
        outer, choices = self.groups.pop()
        choices.append(tuple(self.tokens))
        outer.append(Alternates(tuple(choices)))
        self.tokens = outer

    def _peek(self) -> str | None:
        return self.glob[self.at] if self.at < len(self.glob) else None

    def _star(self) -> None:
        """`*`, or `**` where it is a whole component; any other `**` is two plain stars."""
        before = self.glob[self.at - 2] if self.at >= 2 else None
        if self._peek() != "*":
            self.tokens.append(Wildcard.STAR)
            return
        self.at += 1
        after = self._peek()
        if not self.tokens:
            if after is None or after == "/":
                self.tokens.append(Wildcard.ANY_DEPTH_PREFIX)
                self.at += 1
            else:
                self.tokens += [Wildcard.STAR, Wildcard.STAR]
            return
        ends = after is None or (after in ",}" and bool(self.groups))
        if before != "/" or not (ends or after == "/"):
            self.tokens += [Wildcard.STAR, Wildcard.STAR]
            return
        if not ends or after is None:
            self.at += 1
        slash = self.tokens.pop()
        if slash in (Wildcard.ANY_DEPTH_PREFIX, Wildcard.ANY_DEPTH_SUFFIX):
            self.tokens.append(slash)
        else:
            self.tokens.append(Wildcard.ANY_DEPTH_SUFFIX if ends else Wildcard.ANY_DEPTH)

    def _char_class(self) -> CharClass:
        negated = self._peek() in ("!", "^")
        if negated:
            self.at += 1
        closing = self.glob.find("]", self.at + 1)  # a `]` in the first place stands for itself
        if closing < 0:
            raise GlobSyntaxError("unclosed character class; missing ']'")
        body = self.glob[self.at : closing]
        self.at = closing + 1
        return CharClass(negated, tuple(_ranges(body)))


def _ranges(body: str) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(body):
        low = body[at]
        if at + 2 < len(body) and body[at + 1] == "-":
            high = body[at + 2]
            at += 3
        else:
            high = low
            at += 1
        if low > high:
            raise GlobSyntaxError(f"invalid range; '{low}' > '{high}'")
        first, last = (c.encode("utf-8", "surrogateescape") for c in (low, high))
        # Bytes again: a character of several bytes is as good as each of them, the range between its last and first.
        yield from ((byte, byte) for byte in first[:-1])
        if first == last:
            yield (first[-1], first[-1])
        else:
            yield (first[-1], max(last[0], first[-1]))
            yield from ((byte, byte) for byte in last[1:])
