"""Whether the user sits at a terminal where ssh can ask."""

from __future__ import annotations

import os
import sys


def at_a_terminal() -> bool:
    """Whether there is a terminal that this process belongs to, and what it narrates is seen there."""
    if os.name != "posix" or not sys.stderr.isatty():
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
