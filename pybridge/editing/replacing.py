"""What OpenCode's edit does to a text: find oldString by the nine replacers, put newString in its place.

Named differences from the built-in of OpenCode 1.18.33, each a fault there:

- *literal replacement*: with replaceAll the built-in hands newString to `String.prototype.replaceAll`, which reads
  `$&`, `$$`, `` $` `` and `$'` in it as commands. Here newString is always text.
- *no empty span*: where oldString is only white space, a replacer there may find the empty string, and replaceAll then
  puts newString between all characters of the file. Here an empty span is ambiguous, never replaced.
- *line ends stay*: a span of whole lines of a CRLF file ends in a carriage return there, which the replacement drops.
  Here the carriage return of a line end stays.
"""

from __future__ import annotations

import re

from pybridge.editing.replacers import REPLACERS, is_much_larger
from pybridge.editing.text_lines import newline_of, to_newline
from pybridge.errors import (
    AmbiguousTextError,
    EmptyTextError,
    NothingToChangeError,
    SpanTooLargeError,
    TextNotFoundError,
)


def edit_text(text: str, old: str, new: str, *, replace_all: bool = False) -> str:
    """The text after an edit, as the tool does it: the newlines of `old` and `new` become the text's own first.

    Args:
        text: the file's text without byte order mark.
        old: oldString as the model gave it.
        new: newString as the model gave it.
        replace_all: change every occurrence of what is found.

    Raises:
        EditError: as `replace`.
    """
    if old == new:
        raise _nothing_to_change()
    newline = newline_of(text)
    return replace(text, to_newline(old, newline), to_newline(new, newline), replace_all=replace_all)


def replace(text: str, old: str, new: str, *, replace_all: bool = False) -> str:
    """`text` with `new` for the one place `old` means, or for every place with `replace_all`.

    Raises:
        NothingToChangeError: `old` and `new` are the same.
        EmptyTextError: `old` is empty.
        SpanTooLargeError: what was found is much larger than `old`.
        AmbiguousTextError: every span found is in the text more than once.
        TextNotFoundError: nothing was found.
    """
    if old == new:
        raise _nothing_to_change()
    if old == "":
        raise EmptyTextError(
            "oldString cannot be empty when editing an existing file. "
            "Provide the exact text to replace, or use write for an intentional full-file replacement."
        )
    ambiguous: set[str] = set()
    for replacer in REPLACERS:
        for span in replacer(text, old):
            if span in ambiguous:
                continue
            if span == "":
                ambiguous.add(span)
                continue
            start = text.find(span)
            if start == -1:
                continue
            if is_much_larger(span, old):
                raise SpanTooLargeError(
                    "Refusing replacement because the matched span is much larger than oldString. "
                    "Re-read the file and provide the full exact oldString for the intended replacement."
                )
            if replace_all:
                return re.sub(re.escape(span), lambda found: _fitted(found, old, new), text)
            if text.rfind(span) == start:
                found = re.compile(re.escape(span)).match(text, start)
                assert found is not None
                return text[:start] + _fitted(found, old, new) + text[start + len(span) :]
            ambiguous.add(span)
    if ambiguous:
        raise AmbiguousTextError(
            "Found multiple matches for oldString. Provide more surrounding context to make the match unique."
        )
    raise TextNotFoundError(
        "Could not find oldString in the file. "
        "It must match exactly, including whitespace, indentation, and line endings."
    )


def _fitted(found: re.Match[str], old: str, new: str) -> str:
    """`new`, with the carriage return that belongs to the line end after the span, not to what is replaced."""
    span, end = found[0], found.end()
    cuts_line_end = span.endswith("\r") and found.string.startswith("\n", end)
    return new + "\r" if cuts_line_end and not old.endswith("\r") and not new.endswith("\r") else new


def _nothing_to_change() -> NothingToChangeError:
    return NothingToChangeError("No changes to apply: oldString and newString are identical.")
