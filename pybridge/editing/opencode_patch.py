"""OpenCode's own patch format, `*** Begin Patch` to `*** End Patch`, read as OpenCode 1.18.33 reads it.

Named differences from the built-in, each a fault there:

- *a first chunk needs no `@@`*: lines between `*** Update File:` and the first `@@` are skipped there, and a patch made
  of them is reported as a success that changed nothing.
- *an update that changes nothing is refused*, unless it moves the file.
- *`*** End of File`* is never seen as such there: it ends the file's section, and what follows is dropped. Here it does
  what it says: the chunk before it is looked for at the end of the file first.
- *carriage returns of the patch text* are no part of the lines it adds to a file that exists.

How chunks are fitted into a file is in `chunks`.
"""

from __future__ import annotations

import re

from pybridge.editing.chunks import Chunk, ChunkLine, Chunks
from pybridge.editing.file_patch import FilePatch, NewText, PatchKind, verification_failed
from pybridge.editing.js_text import WHITESPACE, WHITESPACE_RUN, trim
from pybridge.editing.text_lines import to_lf
from pybridge.errors import PatchError

BEGIN = "*** Begin Patch"
END = "*** End Patch"
ADD = "*** Add File:"
DELETE = "*** Delete File:"
UPDATE = "*** Update File:"
MOVE = "*** Move to:"
END_OF_FILE = "*** End of File"

_S = f"[{re.escape(WHITESPACE)}]*"
_HEREDOC = re.compile(rf"(?a:^(?:cat{WHITESPACE_RUN})?<<['\"]?(\w+)['\"]?{_S}\n([\s\S]*?)\n\1{_S}\Z)")


def parse_opencode_patch(patch_text: str) -> list[FilePatch]:
    """The files of a patch, in its order.

    Raises:
        PatchError: the markers are missing, or no file is named.
    """
    lines = _unwrapped(trim(patch_text)).split("\n")
    marks = [trim(line) for line in lines]
    if BEGIN not in marks or END not in marks or marks.index(BEGIN) >= marks.index(END):
        raise verification_failed("Error: Invalid patch format: missing Begin/End markers")
    reader = _Reader(lines, marks.index(BEGIN) + 1, marks.index(END))
    patches = list(reader.files())
    if patches:
        return patches
    if trim(to_lf(patch_text).replace("\r", "\n")) == f"{BEGIN}\n{END}":
        raise PatchError("patch rejected: empty patch")
    raise verification_failed("no hunks found")


def _unwrapped(text: str) -> str:
    """The text inside a shell heredoc, where a model has wrapped the patch in one."""
    found = _HEREDOC.match(text)
    return found[2] if found else text


class _Reader:
    """Reads the files named before line `end`. Only a line that begins with `***` ends the last one's section."""

    def __init__(self, lines: list[str], start: int, end: int) -> None:
        self.lines = lines
        self.at = start
        self.end = end

    def files(self) -> list[FilePatch]:
        patches: list[FilePatch] = []
        while self.at < self.end:
            line = self.lines[self.at]
            self.at += 1
            if path := _named(line, ADD):
                patches.append(FilePatch(PatchKind.ADD, path, NewText(self._added_text())))
            elif path := _named(line, DELETE):
                patches.append(FilePatch(PatchKind.DELETE, path, NewText("")))
            elif path := _named(line, UPDATE):
                patches.append(self._update(path))
        return patches

    def _section(self) -> list[str]:
        """The lines up to the next one that begins with `***`; the end-of-file marker does not count as such."""
        start = self.at
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.startswith("***") and trim(line) != END_OF_FILE:
                break
            self.at += 1
        return self.lines[start : self.at]

    def _added_text(self) -> str:
        """The text of a new file. Its last line gets a newline; an empty last line is that newline already."""
        text = "\n".join(line[1:] for line in self._section() if line.startswith("+"))
        return text if not text or text.endswith("\n") else text + "\n"

    def _update(self, path: str) -> FilePatch:
        move_to = None
        if self.at < len(self.lines) and self.lines[self.at].startswith(MOVE):
            move_to = _named(self.lines[self.at], MOVE) or None
            self.at += 1
        chunks = _chunks([line.removesuffix("\r") for line in self._section()])
        if not chunks and move_to is None:
            raise verification_failed(
                f"the update of {path} contains no change", "Give the lines to change after a line that begins with @@."
            )
        return FilePatch(PatchKind.UPDATE, path, Chunks(tuple(chunks)), move_to)


def _named(line: str, header: str) -> str:
    return trim(line[len(header) :]) if line.startswith(header) else ""


def _chunks(section: list[str]) -> list[Chunk]:
    chunks: list[Chunk] = []
    context: str | None = None
    lines: list[ChunkLine] = []
    opened = False
    for line in [*section, "@@"]:
        ends_file = trim(line) == END_OF_FILE
        if ends_file or line.startswith("@@"):
            if opened or lines:
                chunks.append(Chunk(tuple(lines), context, ends_file))
            context, lines = trim(line[2:]) or None, []
            opened = not ends_file
            if ends_file:
                context = None
        elif line[:1] in (" ", "-", "+") and line:
            lines.append(ChunkLine(line[0], line[1:]))
    return chunks
