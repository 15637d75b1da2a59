"""Fits the hunks of a unified diff into a text, near the line they name rather than exactly there.

Context lines stay as the file has them. Lines are compared exactly; only if that finds no place, without white space
at their ends. Of several places the one nearest to the named line is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from pybridge.editing.file_patch import verification_failed
from pybridge.editing.js_text import trim_end
from pybridge.editing.text_lines import CRLF, LF, Line, end_for_insertion, join_lines, newline_of, split_lines

_MORE_CONTEXT = "Read the file again and give more unchanged lines around the change."


@dataclass(frozen=True)
class HunkLine:
    """One line of a hunk.

    Args:
        kind: a space (stays), `-` (goes) or `+` (comes).
        text: the line without newline and carriage return.
        carriage_return: the patch has one at the end of the line.
        no_newline: the patch says that no newline ends the line.
    """

    kind: str
    text: str
    carriage_return: bool = False
    no_newline: bool = False


@dataclass(frozen=True)
class Hunk:
    """Consecutive lines of a file and what becomes of them.

    Args:
        start: the number of the first old line, counted from 1; for a hunk without old lines, of the line before it.
            None: the patch does not say.
        lines: in the order of the patch.
    """

    start: int | None
    lines: tuple[HunkLine, ...]

    @property
    def old(self) -> list[str]:
        return [line.text for line in self.lines if line.kind != "+"]

    @property
    def tells_line_ends(self) -> bool:
        return any(line.carriage_return for line in self.lines)


@dataclass(frozen=True)
class Hunks:
    """All hunks of one file, in ascending order.

    Args:
        removes: the patch deletes the file, so the hunks must account for all of it.
    """

    hunks: tuple[Hunk, ...]
    removes: bool = False

    def apply_to(self, text: str, path: str) -> str:
        """The text with every hunk in place.

        Raises:
            PatchError: the lines of a hunk are not in the text, or it is not clear where they are; or the patch deletes
                a file that holds more than the patch says.
        """
        lines = split_lines(text)
        result: list[Line] = []
        done = shift = 0
        for hunk in self.hunks:
            at, shift = _place(hunk, [line.text for line in lines], done, shift, path)
            result += lines[done:at]
            result += _new_lines(hunk, lines, at)
            done = at + len(hunk.old)
        result += lines[done:]
        if self.removes and self.hunks and result:
            raise verification_failed(
                f"{path} holds more than the patch deletes", "Read the file again, or delete it by another command."
            )
        newline = newline_of(text)
        closed = [line if line.end else Line(line.text, newline) for line in result[:-1]]
        return join_lines(closed + result[-1:])


def _place(hunk: Hunk, texts: list[str], done: int, shift: int, path: str) -> tuple[int, int]:
    """Where the hunk goes (an index), and how far that is from where it says."""
    old = hunk.old
    if not old:
        if hunk.start is None and texts:
            raise verification_failed(f"a hunk of {path} adds lines without saying where", _MORE_CONTEXT)
        at = (hunk.start or 0) + shift
        if at < done:
            raise verification_failed(f"two hunks of {path} change the same lines", _MORE_CONTEXT)
        if at > len(texts):
            raise verification_failed(f"{path} has {len(texts)} lines, too few for a hunk at {at}", _MORE_CONTEXT)
        return at, shift
    places = _places(texts, old, done)
    if not places:
        raise verification_failed(f"Error: Failed to find expected lines in {path}:\n" + "\n".join(old))
    if hunk.start is None:
        if len(places) > 1:
            raise _ambiguous(path, old, places)
        return places[0], shift
    named = hunk.start - 1
    places.sort(key=lambda at: abs(at - named - shift))
    if len(places) > 1 and abs(places[0] - named - shift) == abs(places[1] - named - shift):
        raise _ambiguous(path, old, places[:2])
    return places[0], places[0] - named


def _places(texts: list[str], old: list[str], done: int) -> list[int]:
    for read in (str, trim_end):
        have, want = [read(text) for text in texts], [read(text) for text in old]
        size = len(want)
        places = [
            at for at in range(done, len(have) - size + 1) if have[at] == want[0] and have[at : at + size] == want
        ]
        if places:
            return places
    return []


def _ambiguous(path: str, old: list[str], places: list[int]) -> Exception:
    where = ", ".join(str(at + 1) for at in sorted(places)[:5])
    return verification_failed(
        f"the lines of a hunk are in {path} more than once (at line {where}):\n" + "\n".join(old), _MORE_CONTEXT
    )


def _new_lines(hunk: Hunk, lines: list[Line], start: int) -> list[Line]:
    result: list[Line] = []
    at = start
    for line in hunk.lines:
        if line.kind == "+":
            if line.no_newline:
                # A carriage return without a newline ends no line: it is text.
                result.append(Line(line.text + "\r" * line.carriage_return, ""))
                continue
            told = CRLF if line.carriage_return else LF
            end = told if hunk.tells_line_ends else end_for_insertion(lines, at)
            result.append(Line(line.text, end))
            continue
        if line.kind == " ":
            result.append(lines[at])
        at += 1
    return result
