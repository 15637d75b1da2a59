"""The socket of a shared connection (ControlPath), spoken to directly. Protocol: PROTOCOL.mux of OpenSSH, version 4.

After the request `proxy` the socket carries the messages of the SSH connection protocol itself, in the clear: the ssh
process that owns the connection only renumbers the channels.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct

from pybridge.errors import ConnectionLostError

_HELLO = 0x00000001
_ALIVE_CHECK = 0x10000004
_PROXY = 0x1000000F
_PERMISSION_DENIED = 0x80000002
_ALIVE = 0x80000005
_PROXY_READY = 0x8000000F
_VERSION = 4
_REQUEST = 1
_LARGEST = 256 * 1024
_BUFFER = 1024 * 1024
_ANSWER_SECONDS = 10.0
_ASK_SECONDS = 60.0
"""With `ControlMaster ask` a person answers first."""


async def is_alive(path: str) -> bool:
    """Whether a shared connection answers at a path."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await _open(path)
            try:
                await _send(writer, struct.pack(">II", _ALIVE_CHECK, _REQUEST))
                return await _receive(reader) == _ALIVE
            finally:
                writer.close()
    except (OSError, ValueError, EOFError, TimeoutError):
        return False


async def hold(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Streams that say and take nothing more, and end with the shared connection.

    Raises:
        ConnectionLostError: nothing answers there.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await _open(path)
    except (OSError, ValueError, EOFError, TimeoutError) as error:
        raise _silent(path) from error


def _silent(path: str) -> ConnectionLostError:
    return ConnectionLostError(f"The shared ssh connection at {path} does not answer.")


async def open_proxy(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Streams that carry SSH messages, each with its length and a byte of padding length ahead.

    Raises:
        ConnectionLostError: nothing answers there, or it refuses.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            reader, writer = await _open(path)
            await _send(writer, struct.pack(">II", _PROXY, _REQUEST))
            answer = await _receive(reader)
    except BaseException as error:
        if writer is not None:
            writer.close()
        if isinstance(error, (OSError, ValueError, EOFError, TimeoutError)):
            raise _silent(path) from error
        raise
    if answer == _PROXY_READY:
        return reader, writer
    writer.close()
    why = "permission was denied" if answer == _PERMISSION_DENIED else "it is not able to"
    raise ConnectionLostError(f"The shared ssh connection at {path} takes nobody else: {why}.")


async def _open(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_unix_connection(path, limit=_BUFFER)
    try:
        await _send(writer, struct.pack(">II", _HELLO, _VERSION))
        if await _receive(reader) != _HELLO:
            raise ValueError("it is no control socket")
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def _send(writer: asyncio.StreamWriter, message: bytes) -> None:
    writer.write(struct.pack(">I", len(message)) + message)
    with contextlib.suppress(ConnectionError):  # what it says before is read first
        await writer.drain()


async def _receive(reader: asyncio.StreamReader) -> int:
    """The type of the next message; nothing else of it matters here."""
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    if not 4 <= length <= _LARGEST:
        raise ValueError("it is no control socket")
    message = await reader.readexactly(length)
    return struct.unpack_from(">I", message)[0]
