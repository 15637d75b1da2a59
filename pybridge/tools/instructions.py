"""Instruction files (AGENTS.md and its kin) in the folders between the workdir and a file being read.

OpenCode's read appends them to its answer: the model learns the rules of a folder when it first looks at a file in it.
Each is appended once, and once more when that answer was compacted away or undone: what the conversation holds decides.
"""

from __future__ import annotations

import posixpath
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pybridge.editing.js_text import BOM
from pybridge.host.model import Fetched
from pybridge.mirror.remote_paths import is_below
from pybridge.tools.context import ToolContext

NAMES = ("AGENTS.md", "CLAUDE.md", "CONTEXT.md")
"""Looked for in this order; the first one a folder has is its own."""

MAX_MESSAGES = 256
MAX_FOLDERS = 4096

TRUSTED_SECONDS = 60.0
"""How long a folder that had no instructions is not looked at again: each look costs the remote some milliseconds."""


@dataclass(frozen=True)
class Instruction:
    """One instruction file found."""

    path: str
    text: str


class LoadedInstructions:
    """Which instruction files the calls of each message have shown, and which folders have none.

    Args:
        clock: seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._shown: OrderedDict[str, set[str]] = OrderedDict()
        self._without: OrderedDict[str, float] = OrderedDict()
        self._clock = clock
        self.in_prompt: frozenset[str] = frozenset()
        """Files that the system prompt holds already."""

    def claim(self, context: ToolContext, path: str) -> bool:
        """Whether the conversation has not been shown this file yet; from now on it has."""
        shown = self._shown.setdefault(context.message_id, set())
        self._shown.move_to_end(context.message_id)
        if len(self._shown) > MAX_MESSAGES:
            self._shown.popitem(last=False)
        if path in shown or path in context.instructions:
            return False
        shown.add(path)
        return True

    def to_look_at(self, context: ToolContext, folders: Sequence[str]) -> list[str]:
        """The folders that may have instructions new to the conversation."""
        shown = self._shown.get(context.message_id, set()) | context.instructions
        latest = self._clock() - TRUSTED_SECONDS
        return [
            folder
            for folder in folders
            if self._without.get(folder, float("-inf")) <= latest
            and not any(posixpath.join(folder, name) in shown for name in NAMES)
        ]

    def note_without(self, folders: Iterable[str]) -> None:
        """These folders were looked at, and have none."""
        for folder in folders:
            self._without[folder] = self._clock()
            self._without.move_to_end(folder)
            if len(self._without) > MAX_FOLDERS:
                self._without.popitem(last=False)


def folders_of(path: str, workdir: str) -> list[str]:
    """The folders from that of `path` up to the workdir, which is left out: its own are in the system prompt."""
    found = []
    folder = posixpath.dirname(path)
    while folder != workdir and is_below(folder, workdir):
        found.append(folder)
        folder = posixpath.dirname(folder)
    return found


def candidates(folders: Sequence[str]) -> list[str]:
    """The paths where instructions of the folders may be."""
    return [posixpath.join(folder, name) for folder in folders for name in NAMES]


def choose(context: ToolContext, path: str, found: Sequence[Fetched], loaded: LoadedInstructions) -> list[Instruction]:
    """The instructions to append to the answer for `path`: the first of each folder, if new to the conversation.

    Args:
        found: what is at the `candidates`, in their order.
    """
    chosen = []
    with_own: set[str] = set()
    for file in found:
        folder = posixpath.dirname(file.path)
        if file.content is None or folder in with_own:
            continue
        with_own.add(folder)
        text = file.content.decode("utf-8", "replace").removeprefix(BOM)
        if file.path in (path, *loaded.in_prompt) or not text:
            continue
        if loaded.claim(context, file.path):
            chosen.append(Instruction(file.path, text))
    loaded.note_without({posixpath.dirname(file.path) for file in found} - with_own)
    return chosen


def render(instructions: Sequence[Instruction]) -> str:
    """The text appended to the answer; empty without instructions."""
    if not instructions:
        return ""
    parts = "\n\n".join(f"Instructions from: {i.path}\n{i.text}" for i in instructions)
    return f"\n\n<system-reminder>\n{parts}\n</system-reminder>"
