"""A real keyring backend (keyrings.alt's plain file) in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path


def keyring_environment(folder: Path) -> dict[str, str]:
    """Variables that let the library keyring use it, in a process started with them."""
    return {
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "XDG_DATA_HOME": str(folder),
        "LOCALAPPDATA": str(folder),
    }
