"""What a patch of either format asks for, file by file."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from pybridge.errors import PatchError


class PatchKind(enum.Enum):
    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


class Changes(Protocol):
    """What is to be done to one file's text."""

    def apply_to(self, text: str, path: str) -> str:
        """The changed text. `path` is for messages. Raises PatchError when the changes do not fit the text."""
        ...


@dataclass(frozen=True)
class NewText:
    """The whole new text of a file, whatever stood there."""

    text: str

    def apply_to(self, text: str, path: str) -> str:
        return self.text


@dataclass(frozen=True)
class FilePatch:
    """One file of a patch.

    Args:
        kind: add a file, delete it, or update it.
        path: as the patch names it; relative to the working folder, or absolute.
        changes: of an add, a `NewText`; of a delete, what the patch says the file holds, if it says so.
        move_to: the new path of an updated file.
    """

    kind: PatchKind
    path: str
    changes: Changes
    move_to: str | None = None

    def apply(self, old_text: str, *, path: str | None = None) -> str:
        """The file's new text: for an add, whatever `old_text`; for a delete, the empty text.

        Args:
            old_text: the file's text without byte order mark; newlines as they are in the file.
            path: how messages name the file, where the patch's own path would not do.

        Raises:
            PatchError: the patch does not fit `old_text`.
        """
        return self.changes.apply_to(old_text, path or self.path)


def verification_failed(reason: str, next_step: str | None = None) -> PatchError:
    """The error OpenCode's apply_patch gives before it has changed anything."""
    return PatchError(f"apply_patch verification failed: {reason}", next_step=next_step)
