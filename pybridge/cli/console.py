"""What a person sees: narration on standard error, data on standard output, nothing secret on either."""

from __future__ import annotations

import sys
from typing import TextIO

from pybridge.errors import defused
from pybridge.logs import redact

_ASCII = {"✓": "[ok]", "✗": "[FAIL]", "–": "[--]", "→": "->", "…": "..."}


def narrate(text: str) -> None:
    """Tell a person what happens, on standard error."""
    _write(sys.stderr, text)


def show(text: str) -> None:
    """Print what was asked for, on standard output."""
    _write(sys.stdout, text)


def confirm(question: str) -> bool:
    """Ask on standard error; only `y` or `yes` is a yes, and without a terminal the answer is no."""
    if not sys.stdin.isatty():
        narrate(f"{question} There is no terminal to answer at: use --yes.")
        return False
    sys.stderr.write(f"{defused(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def human_size(size: int) -> str:
    """A number of bytes as people say it."""
    number = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError


def _write(stream: TextIO, text: str) -> None:
    """Write a redacted line that no terminal obeys; characters the stream's encoding has not become ASCII."""
    text = defused(redact(text))
    encoding = stream.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        for sign, plain in _ASCII.items():
            text = text.replace(sign, plain)
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    stream.write(text + "\n")
    stream.flush()
