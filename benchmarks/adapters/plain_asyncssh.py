"""asyncssh as one writes it at first: one connection, a fresh exec or SFTP session for each call."""

from __future__ import annotations

import asyncio
import itertools
import posixpath
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.adapters.protocol import Call, CallFailedError, Start, serve
from benchmarks.adapters.simple_tools import SimpleTools, beside, edited, patched, updates

_SESSIONS = 8  # sshd allows 10 on one connection, and frees one late


class PlainAsyncssh(SimpleTools):
    """Commands and searches by exec; files are loaded and saved in an SFTP session of the call's own."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._workdir = ""
        self._turns = asyncio.Semaphore(_SESSIONS)

    async def init(self, start: Start) -> None:
        import asyncssh  # its memory counts

        self._workdir = start.workdir
        options = _options(start.ssh)
        self._connection = await asyncssh.connect(
            options["host"],
            int(options["port"]),
            username=options["user"],
            client_keys=[options["key"]],
            known_hosts=options["known_hosts"],
            agent_path=None,
            config=None,
        )

    async def run(self, line: str) -> str:
        import asyncssh

        async with self._turns:
            while True:
                try:
                    process = await self._connection.create_process(
                        f"cd {shlex.quote(self._workdir)} && {line}", stderr=asyncssh.STDOUT
                    )
                    break
                except asyncssh.ChannelOpenError:  # one that has ended still counts there
                    continue
            done = await process.wait()
        if done.exit_status != 0:
            raise CallFailedError(done.stdout)
        return done.stdout

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Any]:
        async with self._turns, self._connection.start_sftp_client() as sftp:
            yield sftp

    async def tool(self, call: Call) -> str:
        if call.tool not in ("edit", "apply_patch"):
            return await super().tool(call)
        async with self._session() as sftp:  # one for the call, not for each of its files
            if call.tool == "edit":
                await self._change(sftp, call.args["filePath"], lambda text: edited(text, call.args))
            else:
                for path, lines in updates(call.args["patchText"]).items():
                    await self._change(sftp, path, lambda text, lines=lines: patched(text, lines))
        return "done"

    async def _change(self, sftp: Any, path: str, how: Callable[[str], str]) -> None:
        path = posixpath.join(self._workdir, path)
        async with sftp.open(path) as file:
            text = await file.read()
        await self._put(sftp, path, how(text))

    async def _put(self, sftp: Any, path: str, text: str) -> None:
        temporary = beside(path)
        async with sftp.open(temporary, "w") as file:
            await file.write(text)
        await sftp.posix_rename(temporary, path)

    async def load(self, path: str) -> str:
        async with self._session() as sftp, sftp.open(posixpath.join(self._workdir, path)) as file:
            return await file.read()

    async def save(self, path: str, text: str) -> None:
        import asyncssh

        path = posixpath.join(self._workdir, path)
        async with self._session() as sftp:
            try:
                await self._put(sftp, path, text)
            except asyncssh.SFTPNoSuchFile:  # only then, since it takes a round trip for each folder above
                await sftp.makedirs(posixpath.dirname(path), exist_ok=True)
                await self._put(sftp, path, text)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            await connection.wait_closed()


def _options(ssh: str) -> dict[str, str]:
    """What of an ssh command line is needed here: `-i`, `-p`, the known hosts and the destination."""
    words = shlex.split(ssh)
    user, _, host = words[-1].rpartition("@")
    found = {"user": user, "host": host, "port": "22", "key": "", "known_hosts": ""}
    names = {"-i": "key", "-p": "port"}
    for word, value in itertools.pairwise(words):
        if word in names:
            found[names[word]] = value
        elif word == "-o" and value.startswith("UserKnownHostsFile="):
            found["known_hosts"] = value.partition("=")[2].strip('"')
    return found


if __name__ == "__main__":
    serve(PlainAsyncssh())
