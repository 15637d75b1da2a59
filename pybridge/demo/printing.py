"""How the demo shows what it does: plain lines, shortened, readable without colours."""

from __future__ import annotations

import json
import sys
from typing import TextIO

from pybridge.demo.job import Outcome, Step

SHOWN_COLUMNS = 110


class Printer:
    """Print a numbered list of steps.

    Args:
        out: where to; standard output unless given.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out

    def line(self, text: str = "") -> None:
        """Print one line at once."""
        try:
            print(text, file=self._out, flush=True)
        except UnicodeEncodeError:  # a terminal that is not UTF-8
            print(text.encode("ascii", "backslashreplace").decode(), file=self._out, flush=True)

    def announce(self, number: int, of: int, step: Step) -> None:
        """Say what comes next: why, and the call."""
        self.line(f"[{number}/{of}] {step.why}")
        self.line(f"      {step.tool} {_cut(json.dumps(dict(step.arguments), ensure_ascii=False))}")

    def result(self, step: Step, outcome: Outcome) -> None:
        """Show a result, shortened, and its time."""
        lines = outcome.output.strip("\n").splitlines()
        hidden = len(lines) - step.lines
        for text in lines if hidden <= 1 else lines[: step.lines]:
            self.line(f"      | {_cut(text)}")
        if hidden > 1:
            self.line(f"      | ... {hidden} more lines")
        verdict = "failed, as it must here" if outcome.failed and step.fails else "error" if outcome.failed else "ok"
        self.line(f"      {verdict}, {outcome.seconds * 1000:.0f} ms")
        self.line()


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_COLUMNS else text[: SHOWN_COLUMNS - 3] + "..."
