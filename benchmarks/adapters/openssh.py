"""OpenSSH's client over one shared connection (ControlMaster): one `ssh` for each command, load and save."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from pathlib import Path
from shlex import quote

from benchmarks.adapters.protocol import CallFailedError, Start, serve
from benchmarks.adapters.simple_tools import SimpleTools, beside

_SESSIONS = 8  # sshd allows 10 on one connection and frees one late; for one too many ssh would log in anew
_CONNECT_SECONDS = 60


class Openssh(SimpleTools):
    """A master in the background, and a client for each call."""

    def __init__(self) -> None:
        self._master: Process | None = None
        self._words: list[str] = []
        self._workdir = ""
        self._folder = tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp")  # a socket's path is short
        self._turns = asyncio.Semaphore(_SESSIONS)

    async def init(self, start: Start) -> None:
        words = shlex.split(start.ssh)
        socket = Path(self._folder.name, "control")
        self._workdir = start.workdir
        self._words = [words[0], "-S", str(socket), *words[1:]]
        master = [words[0], "-M", "-N", "-S", str(socket), "-o", "ControlPersist=no", "-q", *words[1:]]
        self._master = await asyncio.create_subprocess_exec(*master, stdin=DEVNULL, stdout=DEVNULL)
        async with asyncio.timeout(_CONNECT_SECONDS):
            while not await asyncio.to_thread(socket.exists):
                if self._master.returncode is not None:
                    raise CallFailedError("ssh does not connect")
                await asyncio.sleep(0.002)

    async def _ssh(self, line: str, stdin: bytes | None = None, stderr: int = STDOUT) -> bytes:
        command = f"cd {quote(self._workdir)} && {line}"
        async with self._turns:
            source = DEVNULL if stdin is None else PIPE
            process = await asyncio.create_subprocess_exec(
                *self._words, command, stdin=source, stdout=PIPE, stderr=stderr
            )
            try:
                output, _ = await process.communicate(stdin)
            except asyncio.CancelledError:
                process.kill()
                await process.wait()
                raise
        if process.returncode != 0:
            raise CallFailedError(output.decode(errors="replace"))
        return output

    async def run(self, line: str) -> str:
        return (await self._ssh(line)).decode(errors="replace")

    async def load(self, path: str) -> str:
        return (await self._ssh(f"cat -- {quote(path)}", stderr=DEVNULL)).decode()

    async def save(self, path: str, text: str) -> None:
        temporary = quote(beside(path))
        make = f"mkdir -p -- {quote(str(Path(path).parent))} && "
        await self._ssh(f"{make}cat > {temporary} && mv -f {temporary} {quote(path)}", text.encode())

    async def close(self) -> None:
        master, self._master = self._master, None
        if master is not None:
            with contextlib.suppress(ProcessLookupError):
                master.terminate()
            try:
                await asyncio.wait_for(master.wait(), 5)
            except TimeoutError:  # ssh misses a signal that comes just before it waits for its sockets
                master.kill()
                await master.wait()
        self._folder.cleanup()


if __name__ == "__main__":
    serve(Openssh())
