"""How a played case shows that it hit a string or a branch of the contract."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance.case import Answer, Case
from tests.conformance.side import Played
from tests.conformance.winners import replacer_of

Seen = Callable[[Case, Played], bool]


@dataclass(frozen=True)
class Row:
    """One string or branch.

    Args:
        name: what the contract says, in short.
        seen: whether a played case shows it.
        cases: ids of the cases that must.
    """

    name: str
    seen: Seen
    cases: tuple[str, ...]


def row(name: str, seen: Seen, cases: str) -> Row:
    return Row(name, seen, tuple(cases.split()))


def last(check: Callable[[Answer], object]) -> Seen:
    return lambda case, played: bool(check(played.answers[-1]))


def says(text: str) -> Seen:
    """The text is in a completed answer."""
    return last(lambda answer: answer.status == "completed" and text in answer.output)


def fits(pattern: str) -> Seen:
    """All of a completed answer fits a regular expression."""
    return last(lambda answer: answer.status == "completed" and re.fullmatch(pattern, answer.output, re.DOTALL))


def fails(pattern: str) -> Seen:
    """The call fails, with a message that fits a regular expression."""
    return last(lambda answer: answer.status == "error" and re.fullmatch(pattern, answer.output, re.DOTALL))


def tells(check: Callable[[Mapping[str, Any]], object]) -> Seen:
    """Something about the metadata of a completed answer."""
    return last(lambda answer: answer.status == "completed" and check(answer.metadata))


def attaches(mime: str, said: str) -> Seen:
    """A file comes with the answer."""

    def seen(answer: Answer) -> bool:
        (file,) = answer.attachments
        return file["type"] == "file" and file["url"].startswith(f"data:{mime};base64,") and answer.output == said

    return last(lambda answer: answer.attachments and seen(answer))


def leaves(name: str, content: bytes | None) -> Seen:
    """What lies at a path afterwards; None for nothing."""
    return lambda case, played: played.files.get(name, ("", 0, None))[2] == content


def replaces(replacer: str) -> Seen:
    """The edit is made by one of the nine replacers."""
    return lambda case, played: replacer_of(case) == replacer and played.answers[-1].output == EDITED


def refuses(tool: str, detail: str) -> Seen:
    """The wording of a refusal of bad arguments."""
    start = f"The {tool} tool was called with invalid arguments: SchemaError"
    end = r"\.\nPlease rewrite the input so it satisfies the expected schema\."
    return fails(rf"{start}\({detail}\){end}")


def patched(*lines: str) -> Seen:
    return fits(re.escape("Success. Updated the following files:\n") + "\n".join(lines))


EDITED = "Edit applied successfully."
PATCH = "apply_patch verification failed: "
FOLDER = r"<path>[^\n]*</path>\n<type>directory</type>\n<entries>\n"
