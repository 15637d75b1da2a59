"""The changes that are interrupted: what each finds on the remote, what it leaves there, and how it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kit.effort import by_effort

TEMPORARY = ".pybridge-"
NEXT = "next.txt"
"""A file that no operation touches: the next call is made on it."""

Files = Mapping[str, bytes]
"""Contents by path below the folder worked in."""


@dataclass(frozen=True)
class Operation:
    """One call of a tool that changes files.

    Args:
        name: of the class of points.
        tool: the tool called.
        before: the files it finds.
        after: the files it is to leave.
        arguments: of the call, for a folder.
        linked: files with a second link (in a folder aside): they are refilled in place.
        transfers: it sends its content over a connection of its own.
    """

    name: str
    tool: str
    before: Files
    after: Files
    arguments: Callable[[str], dict[str, Any]]
    linked: frozenset[str] = frozenset()
    transfers: bool = False

    def prepare(self, folder: Path, aside: Path) -> None:
        """Put the files there that it finds."""
        for path, content in {**self.before, NEXT: b"one\n"}.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        for index, path in enumerate(sorted(self.linked)):
            os.link(folder / path, aside / f"{folder.name}-{index}")


def look(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for temporaries and the one of the next call."""
    found = {}
    for file in folder.rglob("*"):
        if not file.name.startswith(TEMPORARY) and file.name != NEXT:
            try:
                if file.is_file():
                    found[str(file.relative_to(folder))] = file.read_bytes()
            except FileNotFoundError:  # a script still at work took it away
                continue
    return found


def stray_folders(folder: Path, files: Files) -> list[str]:
    """The folders below a folder that hold none of these files, nor anything below them."""
    needed = {parent for path in files for parent in (folder / path).parents}
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_dir() and path not in needed)


_PLAIN = "of a file that says nothing in particular"
_REST = f"{_PLAIN} (§ 1)"
"""Not plain text: a program decodes it on the remote, and is one of the steps to be interrupted."""


def _text(seed: str, lines: int, rest: str = _REST) -> str:
    return "".join(f"{seed} line {n} {rest}\n" for n in range(lines))


def _write(name: str, path: str, old: str | None, new: str) -> Operation:
    return Operation(
        name=name,
        tool="write",
        before={} if old is None else {path: old.encode()},
        after={path: new.encode()},
        arguments=lambda folder: {"filePath": f"{folder}/{path}", "content": new},
        transfers=old is not None and len(new) > 600_000,
    )


def _edit(name: str, linked: bool = False) -> Operation:
    text = _text("edited", 600, _PLAIN)  # large enough to be put together from what is there
    return Operation(
        name=name,
        tool="edit",
        before={"edited.txt": text.encode()},
        after={"edited.txt": text.replace("line 200 of", "line two hundred of").encode()},
        arguments=lambda folder: {
            "filePath": f"{folder}/edited.txt",
            "oldString": "edited line 200 of",
            "newString": "edited line two hundred of",
        },
        linked=frozenset({"edited.txt"} if linked else ()),
    )


def _patch() -> Operation:
    """Twenty files: eight changed (one of them refilled in place), five added, three removed, four moved."""
    before, after = {}, {}
    sections: list[tuple[str, str, str, list[str]]] = []

    def hunk(name: str) -> list[str]:
        return ["@@", f" {name} line 1 {_REST}", f"-{name} line 2 {_REST}", "+another line", f" {name} line 3 {_REST}"]

    def changed(name: str) -> tuple[bytes, bytes]:
        text = _text(name, 6)
        return text.encode(), text.replace(f"{name} line 2 {_REST}", "another line").encode()

    for n in range(8):
        before[f"changed{n}.txt"], after[f"changed{n}.txt"] = changed(f"changed{n}")
        sections.append(("Update", f"changed{n}.txt", "", hunk(f"changed{n}")))
    for n in range(5):
        path = f"added/{n % 2}/added{n}.txt"
        after[path] = _text(f"added{n}", 3).encode()
        sections.append(("Add", path, "", ["+" + line for line in _text(f"added{n}", 3).splitlines()]))
    for n in range(3):
        before[f"removed{n}.txt"] = _text(f"removed{n}", 4).encode()
        sections.append(("Delete", f"removed{n}.txt", "", []))
    for n in range(4):
        before[f"moved{n}.txt"], after[f"moved/to{n}.txt"] = changed(f"moved{n}")
        sections.append(("Update", f"moved{n}.txt", f"moved/to{n}.txt", hunk(f"moved{n}")))

    def arguments(folder: str) -> dict[str, Any]:
        lines = ["*** Begin Patch"]
        for kind, path, to, body in sections:
            lines.append(f"*** {kind} File: {folder}/{path}")
            if to:
                lines.append(f"*** Move to: {folder}/{to}")
            lines += body
        return {"patchText": "\n".join([*lines, "*** End Patch"])}

    return Operation("apply_patch", "apply_patch", before, after, arguments, frozenset({"changed5.txt"}))


LARGE_LINES = 11_000  # 620 KB, more than goes inside a request (files.INLINE_BYTES)

OPERATIONS = {
    operation.name: operation
    for operation in (
        _write("write new", "new/folder/file.txt", None, _text("new", 60)),
        _write("write over", "over.txt", _text("old", 500), _text("new", 700)),
        _write("write large", "large.txt", None, _text("large", LARGE_LINES)),
        _write("write large over", "large.txt", _text("old", 900), _text("large", LARGE_LINES)),
        _edit("edit"),
        _edit("edit linked", linked=True),
        _patch(),
    )
}

POINT = os.environ.get("PYBRIDGE_POINT")
"""Points to try alone, with commas between them."""

_ALONE = [(name,) for name in OPERATIONS if POINT is None or f",{name}/" in f",{POINT}"]
GROUPS = _ALONE if POINT else by_effort([tuple(OPERATIONS)], _ALONE, _ALONE)
"""The operations of each test: a sample is drawn from all of them at once, which saves most of its preparation."""
