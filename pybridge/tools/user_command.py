"""A command of the user's own: `!command`, or a `!`-block in a command template. It asks for no permission."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from pybridge.host.model import Command, CommandResult
from pybridge.tools.permissions import remote_path
from pybridge.tools.session import Session
from pybridge.transport.process import Stream

Send = Callable[[int, bytes], Awaitable[None]]
"""Takes a piece of output: 1 for standard output, 2 for standard error. It may make the remote wait."""


async def run(session: Session, text: str, folder: str, abort: asyncio.Event, send: Send) -> CommandResult:
    """Run it where and as the bash tool would, for as long as it takes.

    Args:
        session: the remote folder.
        text: handed to the user's shell there as is.
        folder: the local folder it was started in; one below the anchor stands for the same one below the workdir,
            every other one for the workdir.
        abort: setting it kills the whole process tree.
        send: given the output as it comes.

    Raises:
        FileMissingError, NotDirectoryError, FilePermissionError: the working folder; nothing was run.
        ConnectionLostError: the connection ended meanwhile.
    """
    pieces: list[tuple[int, bytes]] = []

    async def hand_on() -> None:
        while pieces:
            await send(*pieces.pop(0))

    def take(stream: Stream, data: bytes) -> None:
        pieces.append((stream.value, data))

    ended = await session.host.run(
        Command(text, working_folder(session, folder), abort=abort, on_output=take, room=hand_on)
    )
    await hand_on()
    return ended


def working_folder(session: Session, folder: str) -> str:
    """The remote folder a local one stands for."""
    real = Path(folder).resolve()
    for anchor in session.anchors:
        with contextlib.suppress(ValueError):
            return remote_path(session, "./" + real.relative_to(Path(anchor).resolve()).as_posix())
    return session.workdir
