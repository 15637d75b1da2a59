"""Runs a local program that prints one secret, and keeps nothing of what it says but the first line."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, field

from pybridge.settings import SECRET_NAMES

_LONGEST = 64 * 1024
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class FirstLine:
    """What a program said, and how it ended.

    `text` is its first line, without the line end; `status` its exit status, None if it was ended at the deadline.
    """

    text: bytes = field(repr=False)
    status: int | None


async def read_first_line(program: str | Sequence[str], *, seconds: float) -> FirstLine:
    """Run a program without a terminal: no standard input, and its standard error is thrown away.

    Its environment is ours without the secrets. At the deadline it is ended, with all it has started.

    Args:
        program: a line for the system's shell, or the words of a command.
        seconds: how long it may take.

    Raises:
        OSError: it cannot be started.
    """
    environment = {name: value for name, value in os.environ.items() if name not in SECRET_NAMES}
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) if isinstance(program, str) else 0
    # A session of its own: it cannot take the terminal that OpenCode draws on, and is ended as one group.
    if isinstance(program, str):
        process = await asyncio.create_subprocess_shell(
            program, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, env=environment, limit=_LONGEST,
            start_new_session=True, creationflags=flags,
        )  # fmt: skip
    else:
        process = await asyncio.create_subprocess_exec(
            *program, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, env=environment, limit=_LONGEST,
            start_new_session=True, creationflags=flags,
        )  # fmt: skip
    assert process.stdout is not None
    text = b""
    rest: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(seconds):
            text = await _line(process.stdout)
            # A closed pipe would make a program fail that has more to say.
            rest = asyncio.create_task(_discard(process.stdout))
            # Not wait(): what the program left in the background may hold its output open.
            while process.returncode is None:  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        return FirstLine(b"", None)
    finally:
        if rest is not None:
            rest.cancel()
        if process.returncode is None:
            await asyncio.shield(_end(process))
        transport = getattr(process, "_transport", None)  # asyncio closes it only once nobody has the output open
        if transport is not None:
            transport.close()
    return FirstLine(text, process.returncode)


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return (await stream.readline()).rstrip(b"\r\n")
    except ValueError:  # longer than any password
        return b""


async def _discard(stream: asyncio.StreamReader) -> None:
    while await stream.read(_LONGEST):
        pass


async def _end(process: Process) -> None:
    try:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            killer = await asyncio.create_subprocess_exec(
                "taskkill", "/F", "/T", "/PID", str(process.pid), stdout=DEVNULL, stderr=DEVNULL
            )
            await killer.wait()
    except OSError:
        pass  # it has just ended
