"""String operations as ECMAScript defines them, where Python's differ.

OpenCode's tools measure and trim text as JavaScript does: lengths count UTF-16 code units, and white space is
the set of ECMA-262 `WhiteSpace` and `LineTerminator` (with U+FEFF, without U+0085 and U+001C to U+001F).
"""

from __future__ import annotations

import re

WHITESPACE = (
    "\t\n\v\f\r \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What `String.prototype.trim` removes and `\\s` matches."""

WHITESPACE_RUN = "[" + re.escape(WHITESPACE) + "]+"
"""A Python regular expression for JavaScript's `\\s+`."""

BOM = "\ufeff"

_SPLIT = re.compile(WHITESPACE_RUN)
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def trim(text: str) -> str:
    """`String.prototype.trim`."""
    return text.strip(WHITESPACE)


def trim_start(text: str) -> str:
    """`String.prototype.trimStart`."""
    return text.lstrip(WHITESPACE)


def trim_end(text: str) -> str:
    """`String.prototype.trimEnd`."""
    return text.rstrip(WHITESPACE)


def words(text: str) -> list[str]:
    """The pieces between runs of white space; none for blank text."""
    return [word for word in _SPLIT.split(text) if word]


def leading_whitespace(line: str) -> int:
    """How many characters of white space `line` begins with."""
    return len(line) - len(trim_start(line))


def length(text: str) -> int:
    """`String.prototype.length`: UTF-16 code units."""
    if text.isascii():
        return len(text)
    return len(text) + sum(1 for _ in _ASTRAL.finditer(text))


def code_units(text: str) -> list[int]:
    """The UTF-16 code units of `text`; lone surrogates stand for themselves."""
    if not _ASTRAL.search(text):
        return [ord(character) for character in text]
    raw = text.encode("utf-16-le", "surrogatepass")
    return [raw[i] | raw[i + 1] << 8 for i in range(0, len(raw), 2)]


def first_units(text: str, count: int) -> str:
    """`text.substring(0, count)`; half of a cut surrogate pair becomes U+FFFD, as it does when written as UTF-8."""
    if length(text) <= count:
        return text
    raw = text[:count].encode("utf-16-le", "surrogatepass")[: 2 * count]
    return _readable(raw)


def first_whole_units(text: str, count: int) -> str:
    """`first_units`, but half of a cut surrogate pair is left out."""
    shown = first_units(text, count)
    cut = length(text) > count and shown.endswith("\ufffd") and shown[-1] != text[len(shown) - 1]
    return shown[:-1] if cut else shown


def last_units(text: str, count: int) -> str:
    """`text.slice(-count)` for `count` > 0; half of a cut surrogate pair becomes U+FFFD."""
    if length(text) <= count:
        return text
    raw = text[-count:].encode("utf-16-le", "surrogatepass")[-2 * count :]
    return _readable(raw)


def utf8_length(text: str) -> int:
    """`Buffer.byteLength(text, "utf-8")`: a lone surrogate counts as the three bytes of U+FFFD."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def without_surrogates(text: str) -> str:
    """`text` with U+FFFD for each lone surrogate, so that any UTF-8 writer takes it."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def _readable(raw: bytes) -> str:
    return without_surrogates(raw.decode("utf-16-le", "surrogatepass"))
