"""How what one case came to on the two sides differs, and what of that the table of differences allows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pybridge.tools.differences import DIFFERENCES, Difference
from tests.conformance.case import Answer, Case
from tests.conformance.side import Entry, Played

PARTS = ("status", "output", "title", "metadata", "attachments")

_KEPT = re.compile(r'(?:^|(?<=[\s<>:"]))[^\s<>:"]*?(?:tool-output/tool_\w+|/output/output-[\w-]+\.txt)')
"""The path of the local file that long output was saved to, OpenCode's and ours: the one thing that is mapped."""


def unlike(case: Case, theirs: Played, ours: Played) -> dict[str, str]:
    """What differs: `status`, `output`, `order` (its lines alone are in another order), `told` (what reached the model,
    though the output is the same), `title`, `metadata`, `attachments`, `files`; each with both sides shown."""
    found: dict[str, str] = {}
    for number, (there, here) in enumerate(zip(theirs.answers, ours.answers, strict=True), 1):
        for part, a, b in _unlike_parts(there, here):
            if part == "order" and case.unordered:
                continue
            found[part] = found.get(part, "") + f"{case.id}, call {number}, {part}\n{_both(a, b)}"
    if theirs.files != ours.files:
        found["files"] = f"{case.id}, files\n" + _both(*_unlike_files(theirs.files, ours.files))
    return found


def rows_about(case_id: str) -> list[Difference]:
    """The rows of the table that name a case."""
    return [row for row in DIFFERENCES if case_id in row.calls]


def complaints(case: Case, theirs: Played, ours: Played) -> str:
    """What differs that the table does not allow, or does not differ though it is named; empty if all is well."""
    found = unlike(case, theirs, ours)
    rows = rows_about(case.id)
    allowed = {part for row in rows for part in row.parts}
    said = [text for part, text in found.items() if part not in allowed]
    if rows and not found:
        said.append(f"{case.id} is named by {', '.join(row.name for row in rows)}, and does not differ\n")
    return "\n".join(said)


def _unlike_parts(theirs: Answer, ours: Answer) -> list[tuple[str, Any, Any]]:
    found = []
    for part in PARTS:
        a, b = _mapped(getattr(theirs, part)), _mapped(getattr(ours, part))
        if a != b:
            alike = part == "output" and sorted(a.split("\n")) == sorted(b.split("\n"))
            found.append(("order" if alike else part, a, b))
    told, here = _mapped(theirs.told), _mapped(ours.told)
    if told != here and not any(part in ("output", "order") for part, _, _ in found):
        found.append(("told", told, here))
    return found


def _mapped(value: Any) -> Any:
    match value:
        case str():
            return _KEPT.sub("KEPT", value)
        case Mapping():
            return {key: _mapped(item) for key, item in value.items()}
        case list():
            return [_mapped(item) for item in value]
        case _:
            return value


def _both(theirs: Any, ours: Any) -> str:
    return f"  built-in: {_shown(theirs)}\n  ours:     {_shown(ours)}\n"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr, sort_keys=True)
    shown = repr(text)
    return shown if len(shown) < 3000 else f"{shown[:1500]} ... {shown[-1500:]}"


def _unlike_files(theirs: Mapping[str, Entry], ours: Mapping[str, Entry]) -> tuple[Any, Any]:
    names = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    return {n: theirs.get(n) for n in names}, {n: ours.get(n) for n in names}
