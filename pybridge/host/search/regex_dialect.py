"""Regular expressions in ripgrep's dialect (the Rust `regex` crate) for a grep that reads another one.

Pure. Two targets: `grep -P` (PCRE), which is nearly the same dialect, and `grep -E` (POSIX extended, with the `\\b`
that GNU, busybox, musl and BSD add). Matching is by line and only asks whether a line matches: greediness is no matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pybridge.errors import SearchError
from pybridge.host.search.regex_class import ALONE, CODE, CONTROLS, PROPERTY, ClassReader, Dialect


@dataclass(frozen=True)
class GrepPattern:
    """A pattern for grep, and whether it is to ignore case (`-i`)."""

    text: str
    ignore_case: bool


def translate(pattern: str, dialect: Dialect) -> GrepPattern:
    """Translate a pattern.

    Raises:
        SearchError: the pattern is no regular expression, or says something the dialect cannot.
    """
    return _Translator(pattern, dialect).translate()


_COUNT = re.compile(r"\{(\d+)?(,(\d+)?)?\}")
_FLAGS = re.compile(r"\(\?([a-zA-Z]*)(-[a-zA-Z]+)?([:)])")
_NAMED = re.compile(r"\(\?P?<([A-Za-z_][A-Za-z0-9_.\[\]]*)>")


class _Translator(ClassReader):
    """Reads the pattern from left to right. `open` is how many groups are open."""

    def __init__(self, pattern: str, dialect: Dialect) -> None:
        super().__init__(pattern, dialect)
        self.out: list[str] = []
        self.open = 0
        self.ignore_case = False
        self.repeatable = False  # whether a quantifier may come next

    def translate(self) -> GrepPattern:
        while self.at < len(self.pattern):
            self._next(self.pattern[self.at])
        if self.open:
            raise self.wrong("unclosed group")
        # Without (*UCP), PCRE's \w, \d, \s and \b are about ASCII alone.
        return GrepPattern(("(*UCP)" if self.pcre else "") + "".join(self.out), self.ignore_case)

    def _emit(self, text: str, taken: int, *, repeatable: bool = True) -> None:
        self.out.append(text)
        self.at += taken
        self.repeatable = repeatable

    def _next(self, char: str) -> None:
        if char == "\n":
            raise self.wrong("the literal '\"\\n\"' is not allowed in a regex; the search is by line")
        if char == "\\":
            self._escape()
        elif char == "[":
            self._emit(*self.char_class())
        elif char == "(":
            self._group()
        elif char == ")":
            if not self.open:
                raise self.wrong("unopened group")
            self.open -= 1
            self._emit(")", 1)
        elif char in "*+?":
            self._quantifier(char, 1)
        elif char == "{":
            self._count()
        elif char == "|":
            self._branch()
        elif char in "^$":
            self._emit(char, 1)
        elif char == "}" and not self.pcre:
            self._emit("[}]", 1)
        else:
            self._emit(char, 1)

    def _branch(self) -> None:
        # POSIX leaves an empty branch undefined; `()` is what every grep reads as one.
        before = "()" if not self.pcre and (not self.out or self.out[-1] in ("(", "|")) else ""
        after = self.pattern[self.at + 1 : self.at + 2] in ("", ")", "|") and not self.pcre
        self._emit(before + "|" + ("()" if after else ""), 1, repeatable=False)

    def _quantifier(self, text: str, taken: int) -> None:
        if not self.repeatable:
            raise self.wrong("repetition operator missing expression")
        rest = self.pattern[self.at + taken :]
        if rest.startswith("?"):  # lazy: the same lines match
            taken += 1
        self._emit(text, taken)
        if self.pcre and self.pattern[self.at : self.at + 1] == "+":
            self.out.append("(?:)")  # `a++` repeats a repetition here, but is possessive in PCRE
        if not self.pcre and self.pattern[self.at : self.at + 1] in ("*", "+", "?", "{"):
            raise self.unsupported("a repetition of a repetition without a group")

    def _count(self) -> None:
        count = _COUNT.match(self.pattern, self.at)
        if count is None or (count.group(1) is None and count.group(3) is None):
            raise self.wrong("repetition quantifier expects a valid decimal (write \\{ for a brace)")
        low, comma, high = count.groups()
        if high is not None and int(low or 0) > int(high):
            raise self.wrong("invalid repetition count range, the start must be <= the end")
        self._quantifier("{" + (low or "0") + ("" if comma is None else "," + (high or "")) + "}", len(count.group(0)))

    def _group(self) -> None:
        rest = self.pattern[self.at :]
        if rest.startswith(("(?=", "(?!", "(?<=", "(?<!")):
            raise SearchError(
                f"regex parse error:\n    {self.pattern}\n"
                "error: look-around, including look-ahead and look-behind, is not supported",
                next_step="Search for the surrounding text instead.",
            )
        taken = 1
        if rest.startswith("(?"):
            if named := _NAMED.match(rest):
                taken = len(named.group(0))
            elif flags := _FLAGS.match(rest):
                self._flags(flags.group(1), flags.group(2) or "", rest)
                taken = len(flags.group(0))
                if flags.group(3) == ")":
                    self.at += taken
                    return
            else:
                raise self.wrong("unrecognized group")
        self.open += 1
        self._emit("(", taken, repeatable=False)

    def _flags(self, on: str, off: str, rest: str) -> None:
        for flag in on + off[1:]:
            if flag not in "imsuUxR":
                raise self.wrong("unrecognized flag")
        if "x" in on:
            raise self.unsupported("a pattern in verbose mode (?x)")
        if "i" in on:
            scoped = _FLAGS.match(rest)
            if self.out or (scoped is not None and scoped.group(3) == ":" and not _closes_at_end(rest)):
                raise self.unsupported("a pattern that ignores case in one part only")
            self.ignore_case = True
        elif "i" in off and self.ignore_case:
            raise self.unsupported("a pattern that ignores case in one part only")

    def _escape(self) -> None:
        if self.at + 1 == len(self.pattern):
            raise self.wrong("incomplete escape sequence, reached end of pattern prematurely")
        rest = self.pattern[self.at + 1 :]
        char = rest[0]
        if char in "123456789":
            raise self.wrong("backreferences are not supported")
        if char == "n":
            raise self.wrong("the literal '\"\\n\"' is not allowed in a regex; the search is by line")
        if code := CODE.match(rest):
            self._emit(self._quoted(self.char(code)), 1 + len(code.group(0)))
        elif found := PROPERTY.match(rest):
            self._emit(self.unicode_class(found), 1 + len(found.group(0)))
        elif char in ALONE:
            self._emit(f"\\{char}" if self.pcre else ALONE[char], 2)
        elif char in CONTROLS:
            self._emit(CONTROLS[char], 2)
        elif char in "bB":
            edge = re.match(r"b\{(?:start|end|start-half|end-half)\}", rest)
            self._emit(f"\\{char}", 1 + len(edge.group(0)) if edge else 2)
        elif char in "<>":
            self._emit("\\b", 2)
        elif char in "Az":
            self._emit("^" if char == "A" else "$", 2)
        elif char.isalnum():
            raise self.wrong(f"unrecognized escape sequence \\{char}")
        else:
            self._emit(self._quoted(char), 2)

    def _quoted(self, char: str) -> str:
        if char in "\\^":
            return f"\\{char}"
        return f"[{char}]" if char in ".[]{}()*+?|$" else char


def _closes_at_end(group: str) -> bool:
    """Whether the group a text begins with is closed by its last character only."""
    depth = 0
    at = 0
    in_class = False
    while at < len(group):
        char = group[at]
        if char == "\\":
            at += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            at += group[at + 1 : at + 2] == "^"
            at += group[at + 1 : at + 2] == "]"
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return at == len(group) - 1
        at += 1
    return False
