"""Transfers by OpenSSH's own programs over one shared connection: the control beside which ours are measured."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from pathlib import Path

_CONNECT_SECONDS = 30


class OpensshTransfers:
    """`ssh` and `scp`, each started for one transfer; what they bring goes to /dev/null or to a file of this machine.

    Args:
        ssh: the command line that takes the link.
        socket: of the master.
    """

    def __init__(self, ssh: str, socket: Path) -> None:
        words = shlex.split(ssh)
        self._ssh = [words[0], "-S", str(socket), *words[1:]]
        options = [f"-oControlPath={socket}", *_for_scp(words[1:-1])]
        self._scp = ["scp", "-q", *options]
        self._target = words[-1]

    async def cat(self, path: Path) -> float:
        """`ssh HOST cat FILE`; seconds."""
        return await _timed([*self._ssh, f"cat {shlex.quote(str(path))}"])

    async def cat_into(self, source: Path, path: Path) -> float:
        """`ssh HOST 'cat > FILE'`; seconds."""
        return await _timed([*self._ssh, f"cat > {shlex.quote(str(path))}"], source)

    async def scp_from(self, path: Path, target: Path) -> float:
        """`scp` of a remote file to this machine; seconds."""
        return await _timed([*self._scp, f"{self._target}:{path}", str(target)])

    async def scp_to(self, source: Path, path: Path) -> float:
        """`scp` of a file of this machine; seconds."""
        return await _timed([*self._scp, str(source), f"{self._target}:{path}"])


@contextlib.asynccontextmanager
async def openssh_transfers(ssh: str) -> AsyncIterator[OpensshTransfers]:
    """Such transfers over a link, once its connection is up."""
    words = shlex.split(ssh)
    with tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as folder:  # a socket's path is short
        socket = Path(folder, "control")
        master = await asyncio.create_subprocess_exec(
            words[0], "-M", "-N", "-S", str(socket), "-oControlPersist=no", "-q", *words[1:],
            stdin=DEVNULL, stdout=DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                while not await asyncio.to_thread(socket.exists):
                    if master.returncode is not None:
                        raise RuntimeError("ssh does not connect")
                    await asyncio.sleep(0.01)
            yield OpensshTransfers(ssh, socket)
        finally:
            with contextlib.suppress(ProcessLookupError):
                master.kill()
            await master.wait()


def _for_scp(words: list[str]) -> list[str]:
    """Options of ssh as scp takes them: its `-p` means another thing."""
    return [f"-P{word[2:]}" if word.startswith("-p") else word for word in words]


async def _timed(words: list[str], source: Path | None = None) -> float:
    started = time.perf_counter()
    with contextlib.ExitStack() as opened:
        stdin = DEVNULL if source is None else opened.enter_context(source.open("rb"))
        process = await asyncio.create_subprocess_exec(*words, stdin=stdin, stdout=DEVNULL)
        if await process.wait() != 0:
            raise RuntimeError(f"{words[0]} failed")
    return time.perf_counter() - started
