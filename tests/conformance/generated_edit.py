"""Generated cases of edit: an oldString cut out of a file and spoiled as models spoil it."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

from tests.conformance.case import Case
from tests.conformance.cases_edit import edit

Mutation = Callable[[Random, list[str]], str]

_NAMES = ("value", "result", "count", "name", "items", "total", "index", "self.data")
_LINES = (
    "if {a} == {b}:",
    "{a} = {b}  +   {c}",
    "print(\"{a}\", '{b}')",
    "return {a}({b}, {c})",
    "for {a} in {b}:",
    "\t{a}.append({b})",
    "# {a} and {b}",
    "",
    "}}",
    "{a}[{b}] = `{c}`;",
    "path = 'C:\\\\{a}\\n'",
    "h\u00e9llo = \u201c{a}\u201d",
)


def edit_case(seed: int) -> Case:
    """The case of one seed."""
    random = Random(f"edit {seed}")
    lines = _text(random)
    size = min(random.choice([1, 1, 2, 3, 4, 5, 6, 8]), len(lines))
    start = random.randrange(len(lines) - size + 1)
    mutation = MUTATIONS[seed % len(MUTATIONS)]
    old = mutation(random, lines[start : start + size])
    if not old.strip():  # what may stand for the empty text is a named difference
        old = lines[start] + "old"
    new = random.choice(["changed", "", "a\nb", old.upper(), old + "\nmore", "    deep\n        er"])
    if new == old:
        new += "!"
    more: dict[str, Any] = {"replaceAll": True} if random.random() < 0.2 else {}
    content = "\n".join(lines) + random.choice(["", "\n"])
    # In CRLF files only what is found as it is: for the rest there is a named difference.
    if mutation is _as_it_is and content.count(old) == 1 and random.random() < 0.5:
        content = content.replace("\n", "\r\n")
    return Case(f"generated-edit-{seed}", (edit(old, new, **more),), {"f": content.encode()})


def _text(random: Random) -> list[str]:
    lines: list[str] = []
    for _ in range(random.randrange(3, 40)):
        if lines and random.random() < 0.15:
            at = random.randrange(len(lines))
            lines += lines[at : at + random.randrange(1, 5)]  # the same again elsewhere
            continue
        names = random.choices(_NAMES, k=3)
        line = random.choice(_LINES).format(a=names[0], b=names[1], c=names[2])
        lines.append(" " * random.choice([0, 0, 2, 4, 8]) + line if line else "")
    return lines


def _as_it_is(random: Random, lines: list[str]) -> str:
    return "\n".join(lines)


def _part_of_a_line(random: Random, lines: list[str]) -> str:
    line = lines[0]
    start = random.randrange(len(line) + 1)
    return line[start : start + random.randrange(1, 12)]


def _other_indentation(random: Random, lines: list[str]) -> str:
    shift = random.choice(["  ", "\t", "    "])
    return "\n".join(line.lstrip() if random.random() < 0.5 else shift + line for line in lines)


def _indentation_taken_off(random: Random, lines: list[str]) -> str:
    shared = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[shared:] for line in lines)


def _blanks_at_the_ends(random: Random, lines: list[str]) -> str:
    return "\n".join(line + random.choice(["", " ", "\t", "   "]) for line in lines)


def _other_blanks_inside(random: Random, lines: list[str]) -> str:
    return "\n".join(re.sub(r" +", lambda _: random.choice([" ", "  ", "\t"]), line) for line in lines)


def _escaped(random: Random, lines: list[str]) -> str:
    text = "\n".join(lines)
    for character, escape in (("\n", "\\n"), ("\t", "\\t"), ('"', '\\"'), ("'", "\\'"), ("`", "\\`")):
        if random.random() < 0.7:
            text = text.replace(character, escape)
    return text


def _something_around(random: Random, lines: list[str]) -> str:
    text = "\n".join(lines)
    text = text[random.randrange(3) :] if random.random() < 0.7 else text
    return random.choice(["\n", "  ", "\n\n"]) + text + random.choice(["\n", " ", "\n  \n"])


def _other_middle(random: Random, lines: list[str]) -> str:
    middle = [line.replace("a", "o", random.randrange(3)) + random.choice(["", "x"]) for line in lines[1:-1]]
    return "\n".join([lines[0], *middle, lines[-1]] if len(lines) > 1 else lines)


def _half_of_the_middle(random: Random, lines: list[str]) -> str:
    middle = [line if random.random() < 0.6 else "0123456789 qwerty zzzz" for line in lines[1:-1]]
    return "\n".join([lines[0], *middle, lines[-1]] if len(lines) > 1 else lines)


def _lines_left_out(random: Random, lines: list[str]) -> str:
    kept = [line for line in lines[1:-1] if random.random() < 0.6]
    return "\n".join([lines[0], *kept, lines[-1]] if len(lines) > 1 else lines)


def _newline_after(random: Random, lines: list[str]) -> str:
    return "\n".join(line.strip() if random.random() < 0.3 else line for line in lines) + "\n"


def _something_else(random: Random, lines: list[str]) -> str:
    return "\n".join([*lines, f"not there {random.random()}"])


MUTATIONS: tuple[Mutation, ...] = (
    _as_it_is,
    _part_of_a_line,
    _other_indentation,
    _indentation_taken_off,
    _blanks_at_the_ends,
    _other_blanks_inside,
    _escaped,
    _something_around,
    _other_middle,
    _half_of_the_middle,
    _lines_left_out,
    _newline_after,
    _something_else,
)
