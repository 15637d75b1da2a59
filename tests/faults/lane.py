"""A warm session over a link that can fail, used for one point after another."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
from pathlib import Path
from typing import Any, Self, cast

from pybridge.sidecar.target import connect_remote
from tests.faults.judging import Told, Verdict, said_later, told_by
from tests.faults.leftovers import records, temporaries
from tests.faults.operations import NEXT, Operation
from tests.kit.fault_proxy import FaultProxy
from tests.kit.pools import rewrite_known_hosts
from tests.kit.remote_steps import RemoteSteps
from tests.kit.ssh_packets import CIPHER
from tests.kit.sshd import SshServer
from tests.tools.kit import Call

_OPTIONS = {"Ciphers": CIPHER, "ServerAliveInterval": 1, "ServerAliveCountMax": 1, "ConnectTimeout": 2}
_CALL_SECONDS = 60.0
_LATER_SECONDS = 20.0
_LATE_SECONDS = 1.0
"""What a shell has been sent it may still carry out when its connection is gone: time for that."""


class Lane:
    """One session over one link. Use as an asynchronous context manager. `laid` are the folders of its points.

    Args:
        server: where the link leads.
        folder: a new one; the session works in `work` below it.
        steps: the stand-ins of that server, if it has any.
    """

    def __init__(self, server: SshServer, folder: Path, steps: RemoteSteps | None = None) -> None:
        self._server = server
        self._aside = folder / "aside"
        self._numbers = itertools.count(1)
        self._opened = contextlib.AsyncExitStack()
        self._connected = contextlib.AsyncExitStack()
        self._warm_for: set[str] = set()
        self.laid: list[Path] = []
        self.work = folder / "work"
        self.steps = steps

    async def __aenter__(self) -> Self:
        for folder in (self.work / ".git", self._aside):
            folder.mkdir(parents=True, exist_ok=True)
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def renew(self) -> None:
        """Begin again with a new link and a new session."""
        await self._opened.aclose()
        await self._open()

    def lay(self, operation: Operation) -> Path:
        """A new folder with the files that `operation` finds."""
        folder = self.work / f"point{next(self._numbers)}"
        folder.mkdir()
        operation.prepare(folder, self._aside)
        self.laid.append(folder)
        return folder

    async def warm(self, operation: Operation) -> None:
        """Have every connection open that an operation uses."""
        if operation.name not in self._warm_for:
            error = await self.make(operation, self.lay(operation))
            assert error is None, error
            self._warm_for.add(operation.name)
        await self.proxy.quiet()

    async def make(self, operation: Operation, folder: Path) -> Exception | None:
        """Have the tool make the change; the error it answers with."""
        return (await self._call(operation.tool, **operation.arguments(str(folder))))[1]

    async def settle(self, operation: Operation, folder: Path, verdict: Verdict, *, late: bool = False) -> None:
        """Judge what became of an operation that has answered, at once and after the next connection.

        Args:
            late: let the server have what the link kept back, once the model has gone on.
        """
        verdict.judge_each(operation, folder, "at once", torn=operation.linked)
        if verdict.told is not Told.UNKNOWN and not verdict.wrong:
            verdict.judge_whole(operation, folder, "at once")
        self.proxy.heal()
        later = await self._go_on(folder, verdict)
        if verdict.told is Told.UNKNOWN and later is None:
            later = await self._listen(folder, verdict)
        await self._connect_again(folder, verdict)
        new = verdict.judge_whole(operation, folder, "after the next connection")
        verdict.judge_later(later, new)
        told = verdict.told
        if late and len(verdict.point) % 2:
            await self._release(operation, folder, verdict, told, new)
            late = False
        if new is False and not verdict.wrong:
            error = await self.make(operation, folder)
            told = told_by(error)
            if error is not None:
                verdict.wrong.append(f"the same call again: {error!r}")
            new = verdict.judge_whole(operation, folder, "after the same call again", told)
        if late:
            await self._release(operation, folder, verdict, told, new)
        self.proxy.forget()
        if verdict.struck and operation.transfers:
            self._warm_for.discard(operation.name)

    async def _release(
        self, operation: Operation, folder: Path, verdict: Verdict, told: Told, new: bool | None
    ) -> None:
        await self.proxy.release()
        await asyncio.sleep(_LATE_SECONDS)
        await self._connect_again(folder, verdict)
        now = verdict.judge_whole(operation, folder, "after what was late", told)
        if now is not new:
            verdict.wrong.append("what was late has changed the files")

    async def _go_on(self, folder: Path, verdict: Verdict) -> bool | None:
        """The next call works: one that reads, and one that changes. What they say of the interrupted one."""
        later = None
        for tool, arguments in (("read", {}), ("edit", {"oldString": "one", "newString": "two"})):
            output, error = await self._call(tool, filePath=f"{folder}/{NEXT}", **arguments)
            if error is not None:
                verdict.wrong.append(f"the next call ({tool}): {error!r}")
                return later
            later = said_later(output, folder) if later is None else later
        if (folder / NEXT).read_bytes() != b"two\n":
            verdict.wrong.append("the next call did not do what it said")
        return later

    async def _listen(self, folder: Path, verdict: Verdict) -> bool | None:
        """Go on with calls until one says how it was resolved what was not known."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LATER_SECONDS):
                while (later := said_later((await self._call("read", filePath=f"{folder}/{NEXT}"))[0], folder)) is None:
                    await asyncio.sleep(0.2)
                return later
        verdict.wrong.append("no answer said later how it was resolved")
        return None

    async def _connect_again(self, folder: Path, verdict: Verdict) -> None:
        """Nothing of ours remains after the next connection, which is the next sidecar's if this one left something."""
        if not (temporaries(folder) or records(folder)):
            return
        await self._connected.aclose()
        del self.session
        gc.collect()  # lets go of its locks, as the end of its process would
        await self._connect()
        if left := [*temporaries(folder), *records(folder)]:
            verdict.wrong.append(f"after the next connection there remain {left}")

    async def _call(self, tool: str, **arguments: Any) -> tuple[str, Exception | None]:
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                return (await self.session.call(tool, arguments, cast(Any, Call())))["output"], None
        except Exception as error:
            return "", error

    async def _open(self) -> None:
        self.proxy = await self._opened.enter_async_context(FaultProxy(self._server.port))
        self._opened.push_async_callback(self._connected.aclose)
        await self._connect()

    async def _connect(self) -> None:
        self._warm_for.clear()
        ssh = remote_ssh(self._server, self.proxy)
        env = {"REMOTE_SSH": ssh, "REMOTE_WORKDIR": str(self.work), "REMOTE_LOGIN": "0"}
        self.session = await connect_remote(env, {}, lambda state, error: None)
        self._connected.push_async_callback(self.session.close)


def remote_ssh(server: SshServer, proxy: FaultProxy) -> str:
    """A value for REMOTE_SSH that leads through the proxy, and finds out within seconds that a link is dead."""
    known_hosts = rewrite_known_hosts(server.known_hosts, server.port, proxy)
    options = [word for name, value in _OPTIONS.items() for word in ("-o", f"{name}={value}")]
    return server.ssh_command_with(*options, port=proxy.port, known_hosts=known_hosts)


def take(verdict: Verdict, error: Exception | None) -> None:
    """Write down what the model was told."""
    verdict.told = told_by(error)
    verdict.answer = "" if error is None else f"{type(error).__name__}: {error}"
