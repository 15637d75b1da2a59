"""Waiting for something that another process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

WAIT_SECONDS = 60.0
"""How long something may take to appear: long enough for a slow machine."""


def wait_until(look: Callable[[], Found], what: str, seconds: float = WAIT_SECONDS) -> Found:
    """Look again and again until there is something.

    Args:
        look: returns something true once it is there.
        what: it is, for the message.
        seconds: how long it may take.

    Returns:
        what `look` found.

    Raises:
        AssertionError: it did not come.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {seconds:g} s")
        time.sleep(0.05)
    return found
