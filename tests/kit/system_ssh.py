"""The system's own `ssh`, to compare with: it gets the same words as REMOTE_SSH."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass

from tests.kit.counterparts import need


@dataclass(frozen=True)
class SshAnswer:
    """What `ssh` made of it: whether it got in, and what it said about it."""

    got_in: bool
    said: str


async def ask_system_ssh(remote_ssh: str, *extra: str) -> SshAnswer:
    """Log in with the system's ssh and run a command that says one word.

    Args:
        remote_ssh: a value of REMOTE_SSH, `ssh` itself in front.
        extra: further words before the destination.
    """
    words = shlex.split(remote_ssh)[1:]
    process = await asyncio.create_subprocess_exec(
        need("ssh"), "-oBatchMode=yes", *extra, *words, "echo in",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    return SshAnswer(output == b"in\n", errors.decode(errors="replace"))
