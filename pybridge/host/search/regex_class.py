"""The parts of ripgrep's regular expressions that name characters: escapes, Unicode properties, bracketed classes."""

from __future__ import annotations

import re
from enum import Enum

from pybridge.errors import SearchError


class Dialect(Enum):
    """What the remote's grep reads."""

    PCRE = "P"
    EXTENDED = "E"


_INSIDE = {"d": "0-9", "w": "A-Za-z0-9_", "s": "[:space:]"}
ALONE = {name: f"[{body}]" for name, body in _INSIDE.items()} | {
    name.upper(): f"[^{body}]" for name, body in _INSIDE.items()
}
CONTROLS = {"t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_PROPERTIES = {
    **dict.fromkeys(("L", "Letter", "Alphabetic", "Alpha"), "[:alpha:]"),
    **dict.fromkeys(("Lu", "Uppercase", "Upper"), "[:upper:]"),
    **dict.fromkeys(("Ll", "Lowercase", "Lower"), "[:lower:]"),
    **dict.fromkeys(("N", "Nd", "Digit"), "[:digit:]"),
    **dict.fromkeys(("P", "Punct", "Punctuation"), "[:punct:]"),
    **dict.fromkeys(("White_Space", "space", "Z", "Zs"), "[:space:]"),
}
_POSIX_CLASS = re.compile(
    r"\[:(\^?)(alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]"
)
CODE = re.compile(r"x([0-9A-Fa-f]{2})|[xuU]\{([0-9A-Fa-f]{1,8})\}|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})")
PROPERTY = re.compile(r"([pP])(?:\{(\^?)(?:[A-Za-z_]+=)?([A-Za-z_]+)\}|([A-Za-z]))")


class ClassReader:
    """Reads a pattern of ripgrep's dialect for grep; `at` is where it has come to."""

    def __init__(self, pattern: str, dialect: Dialect) -> None:
        self.pattern = pattern
        self.pcre = dialect is Dialect.PCRE
        self.at = 0

    def wrong(self, why: str) -> SearchError:
        """The error for a pattern that is no regular expression."""
        return SearchError(
            f"regex parse error:\n    {self.pattern}\nerror: {why}", next_step="Correct the pattern and search again."
        )

    def unsupported(self, what: str) -> SearchError:
        """The error for a pattern that the remote's grep has no words for."""
        return SearchError(
            f"The remote has no ripgrep, and its grep cannot search for {what}: {self.pattern}",
            next_step="Use a simpler pattern.",
        )

    def char(self, code: re.Match[str]) -> str:
        """The character of an escape like `\\x41` (a match of CODE)."""
        value = int(next(group for group in code.groups() if group), 16)
        if value in (0, 10) or value > 0x10FFFF or 0xD800 <= value < 0xE000:
            raise self.unsupported(f"the character number {value}")
        return chr(value)

    def unicode_class(self, found: re.Match[str]) -> str:
        """What stands for an escape like `\\p{Lu}` (a match of PROPERTY)."""
        if self.pcre:
            return "\\" + found.group(0)
        known = _PROPERTIES.get(found.group(3) or found.group(4))
        if known is None:
            raise self.unsupported(f"the Unicode class \\{found.group(0)}")
        return f"[{'^' if (found.group(1) == 'P') != bool(found.group(2)) else ''}{known}]"

    def char_class(self) -> tuple[str, int]:
        """A bracket expression, and how long it was."""
        at = self.at + 1
        negated = self.pattern[at : at + 1] == "^"
        at += negated
        members: list[str] = []  # each a character, a range `a-z`, or a named class
        lead = True
        while True:
            char = self.pattern[at : at + 1]
            if not char:
                raise self.wrong("unclosed character class")
            if char == "]" and not lead:
                return self._bracket(members, negated), at + 1 - self.at
            lead = False
            if self.pattern.startswith(("&&", "~~", "--"), at):
                raise self.unsupported("a set operation between character classes")
            named = _POSIX_CLASS.match(self.pattern, at)
            if named is not None:
                members.append(self._named_class(named))
                at += len(named.group(0))
                continue
            if char == "[":
                raise self.unsupported("a character class within another")
            low, at = self._member(at)
            if len(low) == 1 and self.pattern[at : at + 1] == "-" and self.pattern[at + 1 : at + 2] not in ("]", ""):
                high, at = self._member(at + 1)
                if len(high) != 1 or low > high:
                    raise self.wrong("invalid character class range")
                members.append(f"{low}-{high}")
            else:
                members.append(low)

    def _named_class(self, named: re.Match[str]) -> str:
        if self.pcre:
            return named.group(0)
        if named.group(1) or named.group(2) == "ascii":
            raise self.unsupported(f"the class {named.group(0)}")
        return "[:alnum:]_" if named.group(2) == "word" else named.group(0)

    def _member(self, at: int) -> tuple[str, int]:
        """One member of a class, as a single character or as a class body, and where the next one begins."""
        char = self.pattern[at]
        if char != "\\":
            return char, at + 1
        rest = self.pattern[at + 1 :]
        if not rest:
            raise self.wrong("unclosed character class")
        if code := CODE.match(rest):
            return self.char(code), at + 1 + len(code.group(0))
        if found := PROPERTY.match(rest):
            body = self.unicode_class(found)
            if body.startswith("[^"):
                raise self.unsupported(f"\\{found.group(0)} inside a character class")
            return body if self.pcre else body[1:-1], at + 1 + len(found.group(0))
        name = rest[0]
        if name in ALONE:
            if self.pcre:
                return f"\\{name}", at + 2
            if name not in _INSIDE:
                raise self.unsupported(f"\\{name} inside a character class")
            return _INSIDE[name], at + 2
        if name == "n":
            return "", at + 2  # a line has no line end in it
        if name in CONTROLS:
            return CONTROLS[name], at + 2
        if name.isalnum():
            raise self.wrong(f"unrecognized escape sequence \\{name}")
        return name, at + 2

    def _bracket(self, members: list[str], negated: bool) -> str:
        """Members in an order in which none is taken for something else."""
        members = [member for member in members if member]
        if self.pcre:
            body = "".join(self._pcre_member(member) for member in members)
            return f"[{'^' if negated else ''}{body}]" if body else ("." if negated else "(?!)")
        if not members:
            return "." if negated else "[^\x01-\x7f]"
        wide = [member for member in members if not member.isascii()]
        if wide:
            # grep -E runs in the C locale, where a bracket holds bytes, not characters.
            if negated or any(len(member) > 1 for member in wide):
                raise self.unsupported("a range or a negated class of characters beyond ASCII")
            rest = [member for member in members if member.isascii()]
            return f"({'|'.join([*wide, *([self._bracket(rest, False)] if rest else [])])})"
        if members == ["^"] and not negated:
            return "\\^"
        singles = [member for member in members if len(member) == 1]
        first = "]" if "]" in singles else ""
        last = ("^" if "^" in singles else "") + ("-" if "-" in singles else "")
        others = [member for member in members if member not in ("]", "^", "-")]
        if not first and not others and last == "^-" and not negated:
            last = "-^"
        return f"[{'^' if negated else ''}{first}{''.join(others)}{last}]"

    def _pcre_member(self, member: str) -> str:
        if len(member) == 1:
            return f"\\{member}" if member in "\\]^-[" else member
        if len(member) == 3 and member[1] == "-":
            return f"{self._pcre_member(member[0])}-{self._pcre_member(member[2])}"
        return member
