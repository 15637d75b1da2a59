"""The words of OpenSSH's options and configuration files: quoting, patterns, ports and times. Pure.

Grammar: ssh_config(5), with PATTERNS; sshd_config(5), TIME FORMATS. Compared with `ssh -G` of OpenSSH 9.2.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable

_QUOTES = "\"'"
_BLANKS = " \t"
_KEYWORD = re.compile(r'[ \t\r\n]*(?:"([^"]*)"|([^ \t\r\n"=]+))[ \t\r\n]*=?[ \t\r\n]*')
_TIME = re.compile(r"(\d+)([smhdw]?)", re.IGNORECASE)
_LONGEST_TIME = 100
_MOST_SECONDS = 2**31 - 1
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def split_keyword(line: str) -> tuple[str, str]:
    """Keyword and the rest of a line: `Keyword value` or `Keyword=value`; two empty strings if there is no keyword."""
    match = _KEYWORD.match(line)
    return ((match[1] or match[2] or ""), line[match.end() :]) if match else ("", "")


def split_arguments(text: str) -> list[str]:
    """The arguments of a line. A word that begins with `#` begins a comment.

    Raises:
        ValueError: a quotation mark is not closed.
    """
    words: list[str] = []
    index = 0
    while index < len(text):
        if text[index] in _BLANKS:
            index += 1
        elif text[index] == "#":
            break
        else:
            word, index = _read_word(text, index)
            words.append(word)
    return words


def _read_word(text: str, index: int) -> tuple[str, int]:
    word: list[str] = []
    quote = ""
    while index < len(text):
        char, following = text[index], text[index + 1 : index + 2]
        if char == "\\" and following and (following in "\"'\\" or (not quote and following == " ")):
            word.append(following)
            index += 1
        elif not quote and char in _BLANKS:
            break
        elif not quote and char in _QUOTES:
            quote = char
        elif char == quote:
            quote = ""
        else:
            word.append(char)
        index += 1
    if quote:
        raise ValueError("a quotation mark is not closed")
    return "".join(word), index


def quote_argument(word: str) -> str:
    """A word as it must be written for `split_arguments` to give it back."""
    if word and not re.search(r"[\s\"'\\#]", word):
        return word
    return '"' + re.sub(r'(["\\])', r"\\\1", word) + '"'


def match_pattern(pattern: str, text: str) -> bool:
    """Whether `text` matches a pattern: only `*` and `?` are special. Upper and lower case differ.

    Not by a regular expression: one of many stars takes for ever to fail. Only the last star passed is ever tried
    again, one character further on.
    """
    at = place = 0
    star, resume = -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, place
            at += 1
        elif at < len(pattern) and pattern[at] in (text[place], "?"):
            at += 1
            place += 1
        elif star >= 0:
            resume += 1
            at, place = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")


def match_patterns(patterns: Iterable[str], text: str) -> bool:
    """Whether at least one pattern matches, and no negated one (`!pattern`)."""
    matched = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if match_pattern(pattern[1:], text):
                return False
        elif match_pattern(pattern, text):
            matched = True
    return matched


def match_pattern_list(patterns: str, text: str) -> bool:
    """As `match_patterns`, for patterns separated by commas."""
    return match_patterns(patterns.split(","), text)


def match_host_list(patterns: str, host: str) -> bool:
    """As `match_pattern_list`, for host names: case does not count."""
    return match_pattern_list(patterns.lower(), host.lower())


def parse_port(text: str) -> int | None:
    """A port number, 1 to 65535, or the number of a service known here by that name; None if it is neither."""
    if text.isascii() and text.isdigit():
        number = int(text) if len(text) < 20 else 0
        return number if 0 < number < 65536 else None
    try:
        return socket.getservbyname(text, "tcp")
    except (OSError, ValueError):
        return None


def parse_seconds(text: str) -> int | None:
    """A time in seconds, written as a number or as a sequence such as 1m30s; None if it is neither, or too long."""
    parts = _TIME.findall(text) if text.isascii() and len(text) <= _LONGEST_TIME else []
    if not parts or "".join(map("".join, parts)) != text:
        return None
    seconds = sum(int(number) * _UNITS[unit.lower()] for number, unit in parts)
    return seconds if seconds <= _MOST_SECONDS else None
