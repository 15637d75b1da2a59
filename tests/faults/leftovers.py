"""What an interrupted change may leave: temporaries on the remote, and the local records of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pybridge.locations import state_folder
from tests.faults.operations import TEMPORARY


def temporaries(folder: Path) -> list[str]:
    """Our temporaries below a remote folder."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob(TEMPORARY + "*"))


def records(folder: Path) -> list[str]:
    """The local records of what may lie in a remote folder."""
    found = []
    for file in (state_folder() / "temporaries").rglob("*.json"):
        with contextlib.suppress(FileNotFoundError):
            if f"{folder}/" in file.read_text():
                found.append(file.name)
    return found
