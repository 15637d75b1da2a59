"""Where the files that are not Python lie: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

import pybridge
from pybridge.errors import LocalStorageError

_PACKAGE = Path(pybridge.__file__).resolve().parent


def shim_entry() -> Path:
    """The plugin file OpenCode loads.

    Raises:
        LocalStorageError: it is not there: the installation is damaged.
    """
    return _find("plugin", "index.js")


def badge_entry() -> Path:
    """The file OpenCode's terminal interface loads.

    Raises:
        LocalStorageError: it is not there: the installation is damaged.
    """
    return _find("plugin", "tui.js")


def launcher(name: str) -> Path:
    """One of the launchers, by its file name.

    Raises:
        LocalStorageError: it is not there: the installation is damaged.
    """
    return _find("launchers", name)


def _find(folder: str, name: str) -> Path:
    for path in (_PACKAGE / f"_{folder}" / name, _PACKAGE.parent / folder / name):
        if path.is_file():
            return path
    raise LocalStorageError(
        f"pybridge is not completely installed: {folder}/{name} is missing beside {_PACKAGE}.",
        next_step="Install pybridge again.",
    )
