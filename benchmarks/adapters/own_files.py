"""The layer below this project's tools: whole files, of any size its transfers take, without the tools' own limits."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Awaitable
from typing import TypeVar

from benchmarks.adapters.protocol import Call, CallFailedError, Implementation, Start, UnsupportedError, serve
from pybridge.errors import RemoteError
from pybridge.host.control_shell import MAX_REPLY_BYTES
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import ABSENT, Change, Command, Fetch
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_pool import SshPool
from pybridge.transport.ssh_target import resolve_target

MOST = MAX_REPLY_BYTES - 1024 * 1024
"""Bytes of the largest file that is fetched whole."""

T = TypeVar("T")


class OwnFiles(Implementation):
    """`read` fetches a whole file, `write` makes a new one or replaces one, verified and all or nothing."""

    def __init__(self) -> None:
        self._opened = contextlib.AsyncExitStack()
        self._host: Host | None = None
        self._workdir = ""

    async def init(self, start: Start) -> None:
        pool = SshPool(resolve_target(parse_ssh_command(start.ssh)))
        self._opened.push_async_callback(pool.close)
        self._host = await Host.connect(pool, HostOptions(start.workdir))
        self._opened.push_async_callback(self._host.close)
        self._workdir = start.workdir
        await self._host.login_captured()

    async def tool(self, call: Call) -> str:
        assert self._host is not None
        files = self._host.files
        path = posixpath.join(self._workdir, call.args.get("filePath", ""))
        match call.tool:
            case "bash":
                await _told(self._host.run(Command(call.args["command"], self._workdir)))
            case "read":
                (found,) = await _told(files.fetch([Fetch(path, None, MOST)]))
                if found.content is None:
                    raise CallFailedError(f"{path} was not fetched")
            case "write":
                change = Change(path, ABSENT, call.args["content"].encode())
                await _told(files.apply([change]))
            case other:
                raise UnsupportedError(f"{other} is none of the files' own")
        return ""

    async def close(self) -> None:
        await self._opened.aclose()


async def _told(doing: Awaitable[T]) -> T:
    try:
        return await doing
    except RemoteError as error:
        raise CallFailedError(str(error)) from None


if __name__ == "__main__":
    serve(OwnFiles())
