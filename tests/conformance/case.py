"""One scripted case: a folder, what lies in it, and the calls a model makes there, one after another."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = "<here>"
"""In an argument: the absolute path of the case's folder."""

REL = "<rel>"
"""In an argument: the path of the case's folder from the workdir."""


@dataclass(frozen=True)
class Link:
    """A symbolic link in a case's folder.

    Args:
        target: what it leads to; HERE in it stands for the case's folder.
    """

    target: str


@dataclass(frozen=True)
class File:
    """A file in a case's folder that is not just its content.

    Args:
        content: its bytes.
        mode: permission bits.
        age: seconds before a fixed moment that it was last changed.
    """

    content: bytes = b""
    mode: int = 0o644
    age: int = 0


FOLDER = None
"""In `Case.files`: an empty folder."""

Content = bytes | File | Link | None
Arguments = Mapping[str, Any] | str


@dataclass(frozen=True)
class Answer:
    """What came of one call.

    Args:
        status: `completed` or `error`.
        output: the result's text, or the error's.
        title: the result's title.
        metadata: the result's metadata, every key.
        attachments: files that came with the result, without OpenCode's ids.
        told: the text that reached the model.
    """

    status: str
    output: str
    title: str
    metadata: Mapping[str, Any]
    attachments: Sequence[Mapping[str, Any]]
    told: str


@dataclass(frozen=True)
class Step:
    """One call.

    Args:
        tool: its name.
        arguments: what the model passes, with HERE and REL in any string; a `str` is sent as it is; a function makes
            them of the case's answers so far.
    """

    tool: str
    arguments: Arguments | Callable[[Sequence[Answer]], Arguments]


@dataclass(frozen=True)
class Case:
    """One scripted case. Cases do not see each other: each has its own folder.

    Args:
        id: names it, and its folder.
        steps: the calls, played in order.
        files: path in the folder to what lies there before.
        unordered: its output's lines may come in any order: ripgrep's threads answer in that in which they end.
    """

    id: str
    steps: tuple[Step, ...]
    files: Mapping[str, Content] = field(default_factory=dict)
    unordered: bool = False

    @property
    def patches(self) -> bool:
        """Whether it needs a model that is offered apply_patch, in place of edit and write."""
        return any(step.tool == "apply_patch" for step in self.steps)

    def fill(self, folder: Path) -> None:
        """Make the case's folder with what lies in it."""
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            match content:
                case None:
                    path.mkdir()
                case Link(target):
                    path.symlink_to(target)
                case File(data, mode, age):
                    path.write_bytes(data)
                    path.chmod(mode)
                    os.utime(path, (_MOMENT, _MOMENT - age))
                case bytes(data):
                    path.write_bytes(data)


_MOMENT = 1_700_000_000


def placed(value: Any, here: str, rel: str) -> Any:
    """`value` with HERE and REL filled in, in every string of it."""
    match value:
        case str():
            return value.replace(HERE, here).replace(REL, rel)
        case Mapping():
            return {key: placed(item, here, rel) for key, item in value.items()}
        case list() | tuple():
            return [placed(item, here, rel) for item in value]
        case _:
            return value


def case(id: str, *steps: Step, files: Mapping[str, Content] | None = None) -> Case:
    """A case of several calls."""
    return Case(id, steps, files or {})


def patch(*lines: str) -> Step:
    """An apply_patch call in OpenCode's format, the markers around the lines."""
    return Step("apply_patch", {"patchText": "\n".join(["*** Begin Patch", *lines, "*** End Patch"])})
