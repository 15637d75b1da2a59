"""The secrets on their way to OpenCode's plugin: through a FIFO, because `ps` shows a process's environment.

They lie in the kernel's buffer of the FIFO, never on a disk, for as long as a process has it open. That process is
OpenCode, or the script it is started by: either inherits the descriptor. The plugin (handover.js) knows the FIFO by
its path, since a script hands only standard input and outputs on, and removes it when it has read its one line of JSON.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from pybridge.errors import LocalStorageError
from pybridge.locations import private_folder, state_folder
from pybridge.settings import SECRET_NAMES

VARIABLE = "PYBRIDGE_SECRETS"
"""Names the FIFO to the plugin."""

FOLDER = "handover"
YOUNG_SECONDS = 60.0
"""A FIFO of this age may be one that `hand_over` has made and not opened yet."""


def hand_over(environment: Mapping[str, str]) -> dict[str, str]:
    """Take the secrets out of OpenCode's environment and put them where its plugin finds them.

    Windows has no FIFOs below a folder: there the environment keeps them, and the plugin takes them from it.

    Args:
        environment: what OpenCode would get.

    Returns:
        what it is to get. The descriptor that keeps the secrets alive is inherited by the program this process becomes.

    Raises:
        LocalStorageError: there can be no FIFO, or the secrets do not fit into it.
    """
    kept = {name: value for name, value in environment.items() if name != VARIABLE}
    if os.name != "posix":
        return kept
    taken = {name: value for name in sorted(SECRET_NAMES) if (value := kept.pop(name, ""))}
    if taken:
        kept[VARIABLE] = str(_filled_fifo(json.dumps(taken).encode("ascii") + b"\n"))
    return kept


def withdraw(environment: Mapping[str, str]) -> None:
    """Remove the FIFO of an environment that `hand_over` made, if OpenCode could not be started with it."""
    if path := environment.get(VARIABLE):
        Path(path).unlink(missing_ok=True)


def abandoned() -> list[Path]:
    """FIFOs no plugin will read any more: their OpenCode ended without loading it. They are empty by then."""
    if os.name != "posix":
        return []
    try:
        return [path for path in sorted((state_folder() / FOLDER).iterdir()) if _is_abandoned(path)]
    except OSError:
        return []


def remove_abandoned() -> None:
    """Remove them; what cannot be removed holds nothing and does no harm."""
    for path in abandoned():
        with contextlib.suppress(OSError):
            path.unlink()


def _filled_fifo(line: bytes) -> Path:
    folder = private_folder(state_folder() / FOLDER)
    path = folder / f"secrets-{secrets.token_hex(16)}"
    try:
        with contextlib.ExitStack() as undo:
            os.mkfifo(path, 0o600)
            undo.callback(path.unlink, missing_ok=True)
            # For reading too: what is written stays only while there is a reader.
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
            undo.callback(os.close, descriptor)
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.EMSGSIZE, "the secrets are too long")
            os.set_inheritable(descriptor, True)
            undo.pop_all()
    except OSError as error:
        raise LocalStorageError(
            f"The secrets cannot be handed over to OpenCode through {path}: {error.strerror or error}.",
            next_step=f"Check the permissions of {folder}; its file system must have FIFOs, as local ones do.",
        ) from error
    return path


def _is_abandoned(path: Path) -> bool:
    try:
        found = path.lstat()
        if not stat.S_ISFIFO(found.st_mode) or time.time() - found.st_mtime < YOUNG_SECONDS:
            return False
        # Without waiting, only a FIFO that somebody has open for reading can be opened for writing.
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW))
    except OSError as error:
        return error.errno == errno.ENXIO
    return False
