"""Programs of the remote that stop where they are told to: a pause of any length inside one remote command."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import Any

PROGRAMS = ("mv", "ln", "cat", "rm")

_PROGRAM = """#!/bin/sh
# Stops at the call it is told to, says so, and goes on when it may.
g={folder}
if {mv} $g/{name}.1 $g/here 2>/dev/null; then
  while [ ! -e $g/go ]; do sleep 0.01; done
elif {mv} $g/{name}.2 $g/{name}.1 2>/dev/null; then :
elif {mv} $g/{name}.3 $g/{name}.2 2>/dev/null; then :
fi
exec {real} "$@"
"""


class RemoteGate:
    """The programs, to be put in front of the remote's PATH.

    Args:
        folder: for them, and for the files through which they are told.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in PROGRAMS:
            text = _PROGRAM.format(folder=folder, name=name, mv=shutil.which("mv"), real=shutil.which(name))
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def stop_at(self, program: str, call: int = 1) -> None:
        """Let the given call of a program wait, counted from now."""
        self.clear()
        (self.folder / f"{program}.{call}").touch()

    async def reached(self, running: asyncio.Future[Any]) -> None:
        """Wait until the call waits there.

        Raises:
            AssertionError: `running` ended without.
        """
        while not (self.folder / "here").exists():
            assert not running.done(), f"it was never there: {running}"
            await asyncio.sleep(0.01)

    def let_go(self) -> None:
        """Let it go on."""
        (self.folder / "go").touch()

    async def all_gone(self) -> None:
        """Wait until no program of the gate waits any more: what was let go has come to its end, or was killed."""
        while any(str(self.folder).encode() in line for line in _command_lines()):
            await asyncio.sleep(0.01)

    def clear(self) -> None:
        """Nothing stops any more."""
        for file in [*self.folder.glob("*.[123]"), *self.folder.glob("here"), *self.folder.glob("go")]:
            file.unlink()


def _command_lines() -> list[bytes]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(file.read_bytes())
    return found
