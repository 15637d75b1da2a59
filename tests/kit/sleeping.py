"""What a machine that sleeps looks like to the program that wakes up: the clock on the wall has gone on without it."""

from __future__ import annotations

import time

import pytest

from pybridge.transport.pulse import Pulse


class Sleep:
    """Lets the machine sleep, as far as a `Pulse` can tell.

    Args:
        monkeypatch: undoes it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._slept = 0.0
        monkeypatch.setattr(Pulse, "_clocks", staticmethod(lambda: (time.monotonic(), time.time() + self._slept)))

    def __call__(self, seconds: float = 600) -> None:
        """It has slept for so long; the monotonic clock has stood still, as Linux's does."""
        self._slept += seconds
