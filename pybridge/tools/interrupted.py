"""Telling the model what became of a change whose outcome it could not be told when the link died."""

from __future__ import annotations

from dataclasses import replace

from pybridge.tools.context import ToolResult
from pybridge.tools.session import Session

MOST = 20
"""Changes named in one answer; the log names them all."""


def with_interrupted(result: ToolResult, session: Session) -> ToolResult:
    """The result, and below it what the session has learned of interrupted changes. Each is told once.

    Args:
        result: of any tool; only its text for the model grows.
        session: whose `interrupted` is emptied.
    """
    if not session.interrupted:
        return result
    told = [str(swept) for swept in session.interrupted[:MOST]]
    if len(session.interrupted) > MOST:
        told.append(f"And {len(session.interrupted) - MOST} more, named in pybridge's log.")
    session.interrupted.clear()
    lines = "\n".join(told)
    return replace(result, output=f"{result.output}\n\n<system-reminder>\n{lines}\n</system-reminder>")
