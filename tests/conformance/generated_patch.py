"""Generated cases of apply_patch: random hunks with blurred context, several files of all kinds, and broken patches.

What is a named difference is left out: CRLF, files that end in an empty line before or after (so the last line always
stays), additions before later chunks.
"""

from __future__ import annotations

from random import Random

from tests.conformance.case import REL, Case, patch

_WORDS = (
    "alpha",
    "beta();",
    "  gamma = 1",
    "\tdelta",
    "",
    "}",
    "epsilon # x",
    'say "hi"',
    "it's",
    "a - b",
    "h\u00e9llo",
)
_TYPOGRAPHIC = {'"': "\u201d", "'": "\u2019", "-": "\u2013", " ": "\u00a0"}


def patch_case(seed: int) -> Case:
    """The case of one seed."""
    random = Random(f"patch {seed}")
    files: dict[str, bytes] = {}
    body: list[str] = []
    for number in range(random.choice([1, 1, 1, 2, 3])):
        name = random.choice(["f", "sub/f", "sub/deep/f"]) + f"{number}.txt"
        kind = random.choice(["update", "update", "update", "update", "add", "delete", "move"])
        lines = _text(random)
        if kind != "add":
            files[name] = ("\n".join(lines) + random.choice(["", "\n", "\n"])).encode()
        match kind:
            case "add":
                body += [f"*** Add File: {REL}/{name}", *(f"+{line}" for line in lines)]
            case "delete":
                body.append(f"*** Delete File: {REL}/{name}")
            case _:
                body.append(f"*** Update File: {REL}/{name}")
                if kind == "move":
                    body.append(f"*** Move to: {REL}/moved/{number}.txt")
                body += _hunks(random, lines[:-1])
    if random.random() < 0.15:
        body = _broken(random, body)
    return Case(f"generated-patch-{seed}", (patch(*body),), files)


def _text(random: Random) -> list[str]:
    lines = [random.choice(_WORDS) + random.choice(["", "", f" {n}"]) for n in range(random.randrange(1, 30))]
    if random.random() < 0.3:
        lines = [_typographic(random, line) for line in lines]
    return [*lines, "the last line"]


def _typographic(random: Random, line: str) -> str:
    return "".join(_TYPOGRAPHIC.get(c, c) if random.random() < 0.5 else c for c in line)


def _hunks(random: Random, lines: list[str]) -> list[str]:
    found: list[str] = []
    at = 0
    for _ in range(random.choice([1, 1, 2, 3])):
        if at >= len(lines):
            break
        at = random.randrange(at, len(lines))
        before = at - random.randrange(min(4, at + 1)) if not found else at
        removed = random.randrange(3)
        after = random.randrange(4)
        if before == at and not removed and not after:
            removed = 1
        context = f" {lines[max(before - 1, 0)].strip()}" if before and not found and random.random() < 0.3 else ""
        found.append("@@" + context)
        found += [" " + _blurred(random, line) for line in lines[before:at]]
        found += ["-" + _blurred(random, line) for line in lines[at : at + removed]]
        found += [f"+{random.choice(_WORDS)} new" for _ in range(random.randrange(3))]
        found += [" " + _blurred(random, line) for line in lines[at + removed : at + removed + after]]
        at += removed + after
    return found


def _blurred(random: Random, line: str) -> str:
    match random.randrange(12):
        case 0:
            return line + "  "
        case 1:
            return "  " + line
        case 2:
            return line.strip()
        case 3:
            return "".join(_plain(c) for c in line)
        case 4:
            return _typographic(random, line)
        case _:
            return line


def _plain(character: str) -> str:
    return next((plain for plain, fine in _TYPOGRAPHIC.items() if fine == character), character)


def _broken(random: Random, body: list[str]) -> list[str]:
    match random.randrange(5):
        case 0:
            return [line.replace("Update File: ", "Update File: no/") for line in body]
        case 1:
            return [line + "?" if line.startswith("-") else line for line in body]
        case 2:
            return ["@@ no such context" if line == "@@" else line for line in body]
        case 3:
            return ["*** End Patch", *body]
        case _:
            return [*body, f"*** Update File: {REL}/gone", "@@", "-x", "+y"]
