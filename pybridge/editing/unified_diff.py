"""The diff text OpenCode shows in permission requests and results, byte for byte.

It is what `createTwoFilesPatch` of the npm package `diff` (version 8) gives with four lines of context, from which
OpenCode then takes the indentation that all lines share.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pybridge.editing.js_text import WHITESPACE, leading_whitespace, trim
from pybridge.editing.line_diff import Kind, Run, count_changes, count_lines, diff_lines
from pybridge.editing.text_lines import to_lf

CONTEXT = 4
"""Unchanged lines shown before and after a change."""

NO_NEWLINE = "\\ No newline at end of file"

_NOT_INDENTED = re.compile(rf"^(?:\+(?!\+\+)|-(?!--)| )[^{re.escape(WHITESPACE)}]", re.MULTILINE)
"""A line of a hunk's body (see `_is_body`) that does not begin with white space."""


@dataclass(frozen=True)
class FileDiff:
    """A change of one file as a person sees it.

    Args:
        patch: unified diff, shared indentation removed.
        additions: lines added.
        deletions: lines removed.
    """

    patch: str
    additions: int
    deletions: int


def edit_diff(path: str, old: str, new: str) -> FileDiff:
    """The diff of OpenCode's edit: the text compares newlines of both kinds as equal, the counts do not."""
    if "\r\n" not in old and "\r\n" not in new:
        return _diff(path, old, new)
    additions, deletions = count_changes(old, new)
    return FileDiff(display_diff(path, to_lf(old), to_lf(new)), additions, deletions)


def patch_diff(path: str, old: str, new: str) -> FileDiff:
    """The diff of OpenCode's apply_patch (an add or an update) and write: the texts as they are."""
    if not old and new:
        return _new_file_diff(path, new)
    return _diff(path, old, new)


def _diff(path: str, old: str, new: str) -> FileDiff:
    runs = diff_lines(old, new)
    return FileDiff(trim_indentation(_unified(path, runs)), *count_lines(runs))


def _new_file_diff(path: str, new: str) -> FileDiff:
    """The same without cutting a text, which may be large, into its lines."""
    ended = new.endswith("\n")
    lines = new.count("\n") + (not ended)
    body = (new[:-1] if ended else new).replace("\n", "\n+")
    last = "" if ended else f"{NO_NEWLINE}\n"
    head = "\n".join(_head(path))
    return FileDiff(trim_indentation(f"{head}\n@@ -0,0 +1,{lines} @@\n+{body}\n{last}"), lines, 0)


def removal_diff(path: str, old: str) -> FileDiff:
    """The diff of a file that apply_patch deletes; OpenCode counts what lies after the last newline as a line too."""
    return FileDiff(display_diff(path, old, ""), 0, old.count("\n") + 1)


def display_diff(path: str, old: str, new: str) -> str:
    """The unified diff without the indentation that all its lines share."""
    return trim_indentation(unified_diff(path, old, new))


@dataclass
class _Hunk:
    old_start: int
    new_start: int
    lines: list[str] = field(default_factory=list)
    old_lines: int = 0
    new_lines: int = 0

    def add(self, kind: Kind, lines: tuple[str, ...]) -> None:
        self.old_lines += 0 if kind is Kind.ADDED else len(lines)
        self.new_lines += 0 if kind is Kind.REMOVED else len(lines)
        sign = kind.value
        self.lines += [sign + line[:-1] for line in lines]
        if lines and not lines[-1].endswith("\n"):  # only a text's very last line
            self.lines[-1] = sign + lines[-1]
            self.lines.append(NO_NEWLINE)

    def header(self) -> str:
        # An empty range is named by the line before it.
        old_start = self.old_start - (self.old_lines == 0)
        new_start = self.new_start - (self.new_lines == 0)
        return f"@@ -{old_start},{self.old_lines} +{new_start},{self.new_lines} @@"


def unified_diff(path: str, old: str, new: str) -> str:
    """The unified diff that leads from `old` to `new`; `path` is shown on both sides."""
    return _unified(path, diff_lines(old, new))


def _unified(path: str, runs: list[Run]) -> str:
    lines = _head(path)
    for hunk in _hunks(runs):
        lines.append(hunk.header())
        lines += hunk.lines
    lines.append("")
    return "\n".join(lines)


def _head(path: str) -> list[str]:
    return [f"Index: {path}", "=" * 67, f"--- {path}", f"+++ {path}"]


def _hunks(runs: list[Run]) -> list[_Hunk]:
    hunks: list[_Hunk] = []
    hunk: _Hunk | None = None
    old_line = new_line = 1
    for index, run in enumerate(runs):
        if run.kind is not Kind.SAME:
            if hunk is None:
                before = runs[index - 1].lines[-CONTEXT:] if index else ()
                hunk = _Hunk(old_line - len(before), new_line - len(before))
                hunk.add(Kind.SAME, before)
                hunks.append(hunk)
            hunk.add(run.kind, run.lines)
        elif hunk is not None:
            if len(run.lines) <= 2 * CONTEXT and index < len(runs) - 1:
                hunk.add(Kind.SAME, run.lines)
            else:
                hunk.add(Kind.SAME, run.lines[:CONTEXT])
                hunk = None
        old_line += 0 if run.kind is Kind.ADDED else len(run.lines)
        new_line += 0 if run.kind is Kind.REMOVED else len(run.lines)
    return hunks


def trim_indentation(diff: str) -> str:
    """`diff` without the white space all its lines begin with, as OpenCode shows it: no patch to apply any more."""
    if _NOT_INDENTED.search(diff):  # as in nearly every diff
        return diff
    lines = diff.split("\n")
    depths = [leading_whitespace(line[1:]) for line in lines if _is_body(line) and trim(line[1:])]
    shared = min(depths, default=0)
    if shared == 0:
        return diff
    return "\n".join(line[0] + line[1 + shared :] if _is_body(line) else line for line in lines)


def _is_body(line: str) -> bool:
    return line.startswith(("+", "-", " ")) and not line.startswith(("---", "+++"))
