"""`pybridge version`."""

from __future__ import annotations

import pybridge
from pybridge.cli.console import show


def version() -> None:
    """Print the version."""
    show(f"pybridge {pybridge.__version__}")
