"""What is asked of the remote and of the answer, wherever the change was interrupted."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path

from pybridge.errors import ChangeLeftError, OutcomeUnknownError
from tests.faults.operations import Operation, look, stray_folders


class Told(enum.Enum):
    """What the model was told."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"
    NOTHING = "nothing"  # its sidecar was killed


def told_by(error: BaseException | None) -> Told:
    """What an answer amounts to: whoever reads of a failure takes it that nothing was changed."""
    if error is None:
        return Told.DONE
    return Told.UNKNOWN if isinstance(error, (OutcomeUnknownError, ChangeLeftError)) else Told.NOT_DONE


def said_later(output: str, folder: Path) -> bool | None:
    """Whether the answer of another call says that an interrupted change in `folder` was made; None if nothing."""
    for line in output.splitlines():
        if line.startswith("An interrupted change of ") and f"{folder}/" in line:
            return "the new content stands" in line
    return None


@dataclass
class Verdict:
    """One point that was tried.

    Args:
        point: what is needed to try it alone.
        kind: the class it is counted in.
        told: what the model was told.
        struck: whether the fault came about.
        wrong: what broke the promise.
    """

    point: str
    kind: str
    told: Told = Told.NOTHING
    struck: bool = False
    wrong: list[str] = field(default_factory=list)
    answer: str = ""

    def judge_each(self, operation: Operation, folder: Path, when: str, *, torn: frozenset[str] = frozenset()) -> None:
        """Each file is entirely old or entirely new.

        Args:
            torn: files that may be neither for now: those refilled in place.
        """
        found = look(folder)
        for path in {*operation.before, *operation.after, *found} - torn:
            if found.get(path) not in (operation.before.get(path), operation.after.get(path)):
                self.wrong.append(f"{when}: {path} is neither old nor new ({_short(found.get(path))})")

    def judge_whole(self, operation: Operation, folder: Path, when: str, told: Told | None = None) -> bool | None:
        """All files are old, or all are new, as the model was told.

        Args:
            told: by a later call, if there was one.

        Returns:
            Whether they are new; None when they are neither.
        """
        found = look(folder)
        new = found == operation.after
        if not new and found != operation.before:
            parts = {path: _which(operation, path, found) for path in {*operation.before, *operation.after, *found}}
            made = sorted(path for path, which in parts.items() if which == "new")
            torn = sorted(path for path, which in parts.items() if which == "neither")
            self.wrong.append(f"{when}: neither all old nor all new: new are {made}, neither are {torn}")
            return None
        if strays := stray_folders(folder, operation.after if new else operation.before):
            self.wrong.append(f"{when}: all files are {'new' if new else 'old'}, but there are the folders {strays}")
        told = told or self.told
        if told is (Told.NOT_DONE if new else Told.DONE):
            self.wrong.append(f"{when}: all files are {'new' if new else 'old'}, but the model was told {told.value}")
        return new

    def judge_later(self, later: bool | None, new: bool | None) -> None:
        """What a later answer said of the change is true, if it said anything."""
        if later is not None and later is not new:
            self.wrong.append(f"a later answer said that all files are {'new' if later else 'old'}, and they are not")

    def __str__(self) -> str:
        lines = [f"PYBRIDGE_POINT='{self.point}' (told: {self.told.value}: {self.answer})"]
        return "\n".join([*lines, *(f"    {text}" for text in self.wrong)])


def _which(operation: Operation, path: str, found: dict[str, bytes]) -> str:
    old, new, now = operation.before.get(path), operation.after.get(path), found.get(path)
    return "same" if old == new == now else "old" if now == old else "new" if now == new else "neither"


def _short(content: bytes | None) -> str:
    return "missing" if content is None else f"{len(content)} bytes, {content[:20]!r}..."
