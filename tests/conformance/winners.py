"""Which branch a call takes that does not show in its answer: the replacer of an edit, the pass of a patch."""

from __future__ import annotations

from pybridge.editing.replacers import REPLACERS, is_much_larger
from pybridge.editing.text_lines import newline_of, to_newline
from tests.conformance.case import Case, File

PASSES = ("exact", "trailing blanks", "blanks at both ends", "unicode")


def replacer_of(case: Case) -> str:
    """The replacer whose find the edit of a case uses; or `refused`, `ambiguous` or `not found`.

    Computed as the contract describes it; the played files prove it: only that replacer's find leaves them so.
    """
    arguments = case.steps[0].arguments
    content = case.files["f"]
    assert isinstance(arguments, dict) and isinstance(content, bytes | File)
    text = (content if isinstance(content, bytes) else content.content).decode().removeprefix("\ufeff")
    old = to_newline(arguments["oldString"], newline_of(text))
    ambiguous = False
    for replacer in REPLACERS:
        for span in replacer(text, old):
            if not span or span not in text:
                continue
            if is_much_larger(span, old):
                return "refused"
            if arguments.get("replaceAll") or text.find(span) == text.rfind(span):
                return replacer.__name__
            ambiguous = True
    return "ambiguous" if ambiguous else "not found"
