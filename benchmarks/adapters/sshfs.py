"""sshfs: the remote's files by a mount, and local programs on it. There are no commands on the remote."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.adapters.protocol import Call, CallFailedError, Start, UnsupportedError, serve
from benchmarks.adapters.simple_tools import LINES, SimpleTools, beside, glob_line, grep_line

_MOUNT_SECONDS = 60


class Sshfs(SimpleTools):
    """One mount, with sshfs's own settings (so what it knows of files it believes for some seconds)."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._start: Start | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp")
        self._mount = Path(self._folder.name, "mount")

    async def init(self, start: Start) -> None:
        for program in ("sshfs", "fusermount3", "rg"):
            if shutil.which(program) is None:
                raise UnsupportedError(f"{program} is not there")
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise UnsupportedError("/dev/fuse cannot be used here")
        self._start = start
        *ssh, destination = shlex.split(start.ssh)
        self._mount.mkdir(exist_ok=True)
        words = [
            "sshfs",
            "-f",
            "-o",
            f"ssh_command={' '.join(ssh)}",
            f"{destination}:{start.workdir}",
            str(self._mount),
        ]
        self._process = await asyncio.create_subprocess_exec(*words, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
        async with asyncio.timeout(_MOUNT_SECONDS):
            while not await asyncio.to_thread(os.path.ismount, self._mount):
                if self._process.returncode is not None:
                    raise UnsupportedError("sshfs cannot mount here")
                await asyncio.sleep(0.002)

    def _path(self, path: str) -> Path:
        assert self._start is not None
        return self._mount / os.path.relpath(path, self._start.workdir) if path.startswith("/") else self._mount / path

    async def tool(self, call: Call) -> str:
        if call.tool == "bash":
            raise UnsupportedError("a mount runs no commands")
        return await super().tool(call)

    async def run(self, line: str) -> str:
        """A local command in the mount."""
        process = await asyncio.create_subprocess_shell(
            line, cwd=self._mount, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await self.reset()  # what it waits for ends with the mount
            raise
        if process.returncode != 0:
            raise CallFailedError(output.decode(errors="replace"))
        return output.decode(errors="replace")

    def _here(self, args: Any) -> dict[str, Any]:
        return {**args, "path": str(self._path(args.get("path", ".")))}

    async def glob(self, args: Any) -> str:
        return await self.run(glob_line(self._here(args)))

    async def grep(self, args: Any) -> str:
        return await self.run(grep_line(self._here(args)))

    async def read(self, path: str, args: Any) -> str:
        first = max(args.get("offset", 1), 1) - 1

        def lines() -> str:
            with self._path(path).open(errors="replace") as file:
                return "".join(islice(file, first, first + args.get("limit", LINES)))

        return await asyncio.to_thread(lines)

    async def load(self, path: str) -> str:
        return await asyncio.to_thread(self._path(path).read_text)

    async def save(self, path: str, text: str) -> None:
        def put() -> None:
            target = self._path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(beside(str(target)))
            temporary.write_text(text)
            temporary.replace(target)

        await asyncio.to_thread(put)

    async def reset(self) -> None:
        assert self._start is not None
        await self._unmount()
        await self.init(self._start)

    async def _unmount(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        unmount = await asyncio.create_subprocess_exec("fusermount3", "-u", "-z", str(self._mount), stderr=DEVNULL)
        await unmount.wait()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def close(self) -> None:
        await self._unmount()
        self._folder.cleanup()


if __name__ == "__main__":
    serve(Sshfs())
