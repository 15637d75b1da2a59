"""What happens to one command of the user's, from the shell OpenCode was given to the remote and back."""

from __future__ import annotations

import asyncio

from pybridge.errors import CancelledByUserError, RemoteError
from pybridge.sidecar.connection import LASTING, Connection
from pybridge.sidecar.user_shell import Send


async def run(connection: Connection, text: str, folder: str, abort: asyncio.Event, send: Send) -> tuple[bytes, str]:
    """Run it, once connected: as a tool call, it waits for that and learns why there is no connection.

    Args:
        connection: to the remote folder.
        text: the command.
        folder: the local folder it was started in.
        abort: setting it kills the command's process tree.
        send: given the output as it comes.

    Returns:
        the last frame; see `user_shell`.
    """
    try:
        target = await connection.target(abort)
        if target is None or abort.is_set():
            return b"s", "TERM"
        code, signal = await target.run(text, folder, abort, send)
    except CancelledByUserError:
        return b"s", "TERM"
    except LASTING as error:
        return b"!", f"{error}\nAfter that, restart OpenCode."
    except RemoteError as error:
        return b"!", str(error)
    return (b"s", signal) if signal is not None else (b"x", str(code or 0))
