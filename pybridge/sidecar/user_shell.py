"""The user's own commands (`!command`, command templates), taken from the shell that OpenCode starts for them.

`user_shell_client` is that shell. It finds us by a file `address` in a folder the shim has chosen for its OpenCode
process: three lines, `unix` and a socket's path or `tcp` and a port of 127.0.0.1, then a token. Both are private: the
folder is 0700, socket and file 0600, and a peer of another user is sent away where the system can tell.

It sends a greeting, then three fields, each with its length in four bytes (big endian): the token, its working folder,
the command. We send frames of one byte, a length in four bytes, and that many bytes: `1` and `2` are output of the
command's two streams, and the last one is `x` with the exit code, `s` with the name of a signal, or `!` with the reason
why nothing was run. When its side of the connection ends, the command's process tree is killed, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import secrets
import shutil
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from pybridge.errors import LocalStorageError
from pybridge.locations import private_folder, write_private
from pybridge.sidecar.user_shell_client import GREETING

log = logging.getLogger(__name__)

ADDRESS = "address"
REFUSAL = "refusal"
"""A file there with the reason why no command can be run, while that is so."""
LARGEST_FIELD = 16 * 1024 * 1024
REQUEST_SECONDS = 10.0
LAST_FRAME_SECONDS = 5.0
UNSENT_LIMIT = 256 * 1024
ABANDONED_SECONDS = 600.0
"""A folder without a listening sidecar is older than this before another one removes it."""

Send = Callable[[int, bytes], Awaitable[None]]
Run = Callable[[str, str, asyncio.Event, Send], Awaitable[tuple[bytes, str]]]
"""Runs a command from a local folder, until an event is set; answers the last frame."""


class UserShell:
    """Listens for commands and runs them.

    Args:
        run: runs one; what it raises is a fault of ours.
        busy: told whether commands run, when that changes.
    """

    def __init__(self, run: Run, busy: Callable[[bool], None]) -> None:
        self._run = run
        self._busy = busy
        self._token = secrets.token_hex(32)
        self._folder: Path | None = None
        self._address = b""
        self._socket: Path | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._aborts: set[asyncio.Event] = set()

    async def listen(self, folder: Path, *, tcp: bool = sys.platform == "win32") -> None:
        """Begin to take commands.

        Args:
            folder: made if need be; others of its kind beside it, which nobody listens in any more, are removed.
            tcp: by a port and the token instead of a socket.

        Raises:
            LocalStorageError: the folder cannot be used.
        """
        private_folder(folder)
        _check_owner(folder)
        try:
            if tcp:
                self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
                lines = ["tcp", str(self._server.sockets[0].getsockname()[1])]
            else:
                self._socket = folder / secrets.token_hex(4)
                self._server = await asyncio.start_unix_server(self._accept, self._socket)
                self._socket.chmod(0o600)
                lines = ["unix", str(self._socket)]
        except (OSError, ValueError) as error:  # a path too long is one or the other
            raise LocalStorageError(
                f"No socket can be made in {folder}: {error}.",
                next_step="Set XDG_RUNTIME_DIR or TMPDIR to a private folder on a local disk, with a short path.",
            ) from error
        self._address = "".join(f"{line}\n" for line in [*lines, self._token]).encode("utf-8", "surrogateescape")
        write_private(folder / ADDRESS, self._address, durable=False)
        self._folder = folder
        await asyncio.to_thread(remove_abandoned, folder)

    async def finish(self, seconds: float) -> None:
        """Take no more commands; kill those under way, and wait for their end at most so long."""
        if self._server is not None:
            self._server.close()
        if self._folder is not None:
            await asyncio.to_thread(self._remove, self._folder)
        for abort in self._aborts:
            abort.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def _remove(self, folder: Path) -> None:
        with contextlib.suppress(OSError):
            # A sidecar that was started after us in the same folder may have replaced it.
            if (folder / ADDRESS).read_bytes() == self._address:
                (folder / ADDRESS).unlink()
        if self._socket is not None:
            self._socket.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except Exception:
            log.exception("a command of the user's failed")
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), LAST_FRAME_SECONDS)
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=UNSENT_LIMIT)
        request = await self._request(reader, writer)
        if request is None:
            return
        folder, text = request
        abort = asyncio.Event()
        watching = asyncio.create_task(_watch(reader, abort))
        self._aborts.add(abort)
        if len(self._aborts) == 1:
            self._busy(True)
        try:
            kind, content = await self._run(
                text, folder, abort, lambda stream, data: _send(writer, b"%d" % stream, data)
            )
        finally:
            self._aborts.discard(abort)
            if not self._aborts:
                self._busy(False)
            watching.cancel()
        await _send(writer, kind, content.encode("utf-8", "replace"))

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, str] | None:
        """The folder and the command; None if it is not one who may ask."""
        if not _same_user(writer):
            log.warning("a command from another user was refused")
            return None
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                if await reader.readexactly(len(GREETING)) != GREETING:
                    return None
                token = await _field(reader, 256)
                if not hmac.compare_digest(token, self._token.encode()):
                    log.warning("a command without the right token was refused")
                    return None
                folder, text = [await _field(reader, LARGEST_FIELD) for _ in range(2)]
        except (TimeoutError, EOFError, ValueError, OSError):
            return None
        return folder.decode("utf-8", "surrogateescape"), text.decode("utf-8", "surrogateescape")


async def _field(reader: asyncio.StreamReader, largest: int) -> bytes:
    (size,) = struct.unpack("!I", await reader.readexactly(4))
    if size > largest:
        raise ValueError(size)
    return await reader.readexactly(size)


async def _send(writer: asyncio.StreamWriter, kind: bytes, content: bytes) -> None:
    if writer.is_closing():  # it is gone: `_watch` has seen that too
        return
    with contextlib.suppress(OSError):
        writer.write(struct.pack("!cI", kind, len(content)) + content)
        await writer.drain()


async def _watch(reader: asyncio.StreamReader, abort: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(4096):
            pass
    abort.set()


def _same_user(writer: asyncio.StreamWriter) -> bool:
    connection: socket.socket = writer.get_extra_info("socket")
    if connection.family == socket.AF_INET or not hasattr(socket, "SO_PEERCRED"):
        return True
    _, user, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return user == os.geteuid()


def _check_owner(folder: Path) -> None:
    if sys.platform == "win32":
        return
    found = folder.lstat()
    if found.st_uid != os.geteuid() or folder.is_symlink():
        raise LocalStorageError(f"The folder {folder} belongs to somebody else.", next_step="Restart OpenCode.")


def remove_abandoned(folder: Path) -> None:
    """Remove the folders of other OpenCode processes, beside this one, that were killed with their sidecars."""
    kind = folder.name.partition("-shell-")[0] + "-shell-"
    with contextlib.suppress(OSError):
        for other in folder.parent.glob(f"{kind}*"):
            if other != folder and _is_abandoned(other):
                shutil.rmtree(other, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        _check_owner(folder)
        if not folder.is_dir() or time.time() - folder.stat().st_mtime < ABANDONED_SECONDS:
            return False
        kind, place, *_ = (folder / ADDRESS).read_text("utf-8", "surrogateescape").split("\n")
    except FileNotFoundError:
        return True
    except (OSError, ValueError, LocalStorageError):
        return False
    try:
        if kind == "unix":
            with socket.socket(socket.AF_UNIX) as attempt:
                attempt.settimeout(1.0)
                attempt.connect(place)
        else:
            socket.create_connection(("127.0.0.1", int(place)), 1.0).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except (OSError, ValueError):
        return False
    return False
