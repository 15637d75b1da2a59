"""Reads a unified diff given to apply_patch: of `diff -u`, of git, or written by a model.

`unidiff` parses the hunks. Before that, what models get wrong is set right: line counts in `@@` headers, empty context
lines without their space, prose and `Index:` lines in between.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from pybridge.editing.diff_paths import DEV_NULL, FileNames, header_path, resolve_names
from pybridge.editing.file_patch import FilePatch, NewText, PatchKind, verification_failed
from pybridge.editing.hunks import Hunk, HunkLine, Hunks
from pybridge.editing.unified_diff import NO_NEWLINE

_NUMBER = "([0-9]{1,12})"  # a longer one says nothing about any file
_HUNK = re.compile(rf"@@ -{_NUMBER}(?:,{_NUMBER})? \+{_NUMBER}(?:,{_NUMBER})? @@")
_BINARY = re.compile(r"GIT binary patch|Binary files? .* (?:differ|has changed)")
_BODY = (" ", "+", "-", "\\")


def is_unified_diff(patch_text: str) -> bool:
    """Whether the text has what only a unified diff has: a `---` line before a `+++` line, or a git header."""
    return bool(re.search(r"^--- .*\n\+\+\+ |^diff --git ", patch_text, re.MULTILINE))


def parse_unified_patch(patch_text: str) -> list[FilePatch]:
    """The files of a unified diff, in its order.

    Raises:
        PatchError: the text is no unified diff, or asks for what cannot be done (binary files, copies).
    """
    try:
        files = [_file_patch(section) for section in _Reader(patch_text).sections()]
    except UnidiffParseError as error:
        raise verification_failed(f"the unified diff cannot be read: {str(error).strip()}") from error
    if not files:
        raise verification_failed("no hunks found")
    return files


@dataclass
class _Section:
    """One file of the diff: its names, and its hunks as text with right counts."""

    names: FileNames
    hunks: list[str] = field(default_factory=list)
    placed: list[bool] = field(default_factory=list)  # whether each hunk says where it goes


def _file_patch(section: _Section) -> FilePatch:
    source, target = resolve_names(section.names)
    hunks = _hunks(section)
    if target == DEV_NULL:
        return FilePatch(PatchKind.DELETE, source, Hunks(hunks, removes=True))
    if source == DEV_NULL:
        lines = [line for hunk in hunks for line in hunk.lines if line.kind == "+"]
        return FilePatch(PatchKind.ADD, target, NewText("".join(map(_added, lines))))
    if not hunks and source == target:
        raise verification_failed(
            f"the diff of {target} has no hunks", "Give the changed lines after a line like @@ -1,3 +1,4 @@."
        )
    if all(hunk.start is not None for hunk in hunks):
        hunks = tuple(sorted(hunks, key=lambda hunk: hunk.start or 0))
    return FilePatch(PatchKind.UPDATE, source, Hunks(hunks), None if source == target else target)


def _added(line: HunkLine) -> str:
    return line.text + ("\r" if line.carriage_return else "") + ("" if line.no_newline else "\n")


def _hunks(section: _Section) -> tuple[Hunk, ...]:
    if not section.hunks:
        return ()
    # The names are ours, not the patch's: unidiff only has to read what is below them.
    parsed = PatchSet("--- a/file\n+++ b/file\n" + "".join(section.hunks))
    hunks = []
    for hunk, placed in zip((hunk for file in parsed for hunk in file), section.placed, strict=True):
        lines: list[HunkLine] = []
        for line in hunk:
            if line.line_type == "\\":
                if lines:
                    last = lines[-1]
                    lines[-1] = HunkLine(last.kind, last.text, last.carriage_return, no_newline=True)
            elif line.line_type in _BODY:
                text = line.value.removesuffix("\n")
                lines.append(HunkLine(line.line_type, text.removesuffix("\r"), text.endswith("\r")))
        hunks.append(Hunk(hunk.source_start if placed else None, tuple(lines)))
    return tuple(hunks)


class _Reader:
    """Cuts a diff into sections."""

    def __init__(self, text: str) -> None:
        lines = text.split("\n")
        if lines[-1] == "":
            lines.pop()
        headers = [line for line in lines if line.startswith(("--- ", "+++ ", "@@"))]
        if headers and all(line.endswith("\r") for line in headers):
            # The patch itself came with CRLF: its carriage returns say nothing about the files.
            lines = [line.removesuffix("\r") for line in lines]
        self.lines = lines
        self.at = 0
        self.found: list[_Section] = []
        self.git: FileNames | None = None  # names of a git header whose file has no hunks yet

    def sections(self) -> list[_Section]:
        while self.at < len(self.lines):
            line = self.lines[self.at].removesuffix("\r")
            if self._at_file():
                names = self.git or FileNames()
                names.source, names.target = header_path(line), header_path(self.lines[self.at + 1])
                self.git = None
                self.found.append(_Section(names))
                self.at += 2
            elif line.startswith("@@"):
                self._hunk(line)
            else:
                if _BINARY.match(line):
                    raise verification_failed("the diff changes a binary file", "Copy binary files by bash instead.")
                if line.startswith("diff --git "):
                    self._end_git()
                    self.git = FileNames.from_git(line)
                elif self.git is not None:
                    self.git.read_extended(line)
                self.at += 1
        self._end_git()
        return self.found

    def _at_file(self) -> bool:
        following = self.lines[self.at : self.at + 2]
        return len(following) == 2 and following[0].startswith("--- ") and following[1].startswith("+++ ")

    def _end_git(self) -> None:
        """A git header that no `---` line follows still creates, deletes or renames a file."""
        if self.git is not None and self.git.is_complete():
            self.found.append(_Section(self.git))
        self.git = None

    def _hunk(self, header: str) -> None:
        if not self.found:
            raise verification_failed(
                "a hunk stands before any file name",
                "Begin each file with a line '--- a/PATH' and a line '+++ b/PATH'.",
            )
        numbers = _HUNK.match(header)
        self.at += 1
        body: list[str] | None = None
        if numbers:
            body = self._counted(int(numbers[2] or 1), int(numbers[4] or 1))
        if body is None:
            body = self._until_boundary()
        old = sum(line[0] in " -" for line in body)
        new = sum(line[0] in " +" for line in body)
        if old == new == 0:
            return
        old_start, new_start = (int(numbers[1]), int(numbers[3])) if numbers else (0, 0)
        text = "".join(line + "\n" for line in body)
        self.found[-1].hunks.append(f"@@ -{old_start},{old} +{new_start},{new} @@\n{text}")
        self.found[-1].placed.append(numbers is not None)

    def _counted(self, old: int, new: int) -> list[str] | None:
        """The lines of a hunk whose counts are right; None, and nothing consumed, if they are not."""
        body: list[str] = []
        at = self.at
        while old > 0 or new > 0 or (at < len(self.lines) and self.lines[at].startswith("\\")):
            if at == len(self.lines):
                return None
            line = _body_line(self.lines[at])
            if line is None:
                return None
            old -= line[0] in " -"
            new -= line[0] in " +"
            if old < 0 or new < 0:
                return None
            body.append(line)
            at += 1
        if at < len(self.lines) and self.lines[at].startswith(("+", "-", " ")) and not self._boundary(at):
            return None
        self.at = at
        return body

    def _until_boundary(self) -> list[str]:
        body: list[str] = []
        while self.at < len(self.lines) and not self._boundary(self.at):
            line = _body_line(self.lines[self.at])
            if line is None:
                break
            body.append(line)
            self.at += 1
        # Empty lines between two files are no context.
        while body and body[-1].strip("\r") == " " and self.lines[self.at - 1].strip("\r") == "":
            body.pop()
            self.at -= 1
        return body

    def _boundary(self, at: int) -> bool:
        line = self.lines[at]
        if line.startswith("--- "):
            return at + 1 < len(self.lines) and self.lines[at + 1].startswith("+++ ")
        return line.startswith(("@@", "diff --git ", "Index: ")) or line.rstrip("\r") == "-- "


def _body_line(line: str) -> str | None:
    """The line with its marker, an empty one as empty context; None if it cannot be of a hunk."""
    if line.rstrip("\r") == "":
        return " " + line
    if line.startswith("\\"):
        return NO_NEWLINE  # whatever the language it is written in
    return line if line.startswith(_BODY) else None
