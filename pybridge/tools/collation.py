"""Names in the order OpenCode lists a folder: that of JavaScript's `localeCompare` in the root locale.

The order is that of the Unicode Collation Algorithm with CLDR's root table (https://unicode.org/reports/tr10): white
space, punctuation, symbols, digits, letters; letters first without regard to accents and case, then by accents, then
lower case before upper. Scripts other than Latin are ordered by code point, which is their order in the table for most.
"""

from __future__ import annotations

import unicodedata

_SYMBOLS = "\t\n\v\f\r \u00a0_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
_RANK = {character: rank for rank, character in enumerate(_SYMBOLS)}
_DIGITS, _LETTERS, _OTHERS = 1000, 2000, 3000

# Letters that do not decompose, but are variants of others.
_VARIANTS = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}

SortKey = tuple[tuple[int, ...], tuple[int, ...], tuple[bool, ...], str]


def sort_key(name: str) -> SortKey:
    """The key that sorts names as `names.sort((a, b) => a.localeCompare(b))` does."""
    primary: list[int] = []
    accents: list[int] = []
    upper: list[bool] = []
    for character in unicodedata.normalize("NFD", name):
        if unicodedata.combining(character):
            if accents:
                accents[-1] = accents[-1] * 1024 + ord(character) % 1024 + 1
            continue
        small = character.lower()
        for base in _VARIANTS.get(small, small):
            primary.append(_primary(base))
            accents.append(1 if small in _VARIANTS else 0)
            upper.append(character != small)
    return tuple(primary), tuple(accents), tuple(upper), name


def _primary(character: str) -> int:
    if character in _RANK:
        return _RANK[character]
    if character.isdecimal():
        return _DIGITS + unicodedata.decimal(character)
    if "a" <= character <= "z":
        return _LETTERS + ord(character)
    if not character.isalnum():
        return len(_SYMBOLS) + ord(character) % 900
    return _OTHERS + ord(character)
