"""Points at which the sidecar, a real process, is killed while the remote carries out its request."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pybridge.demo.sidecar_client import CallError, SidecarClient
from tests.faults.judging import Told, Verdict, said_later
from tests.faults.lane import remote_ssh
from tests.faults.leftovers import records, temporaries
from tests.faults.operations import NEXT, OPERATIONS, Operation
from tests.kit.fault_proxy import Fault, FaultProxy
from tests.kit.remote_steps import Moment, RemoteSteps, moments
from tests.kit.sshd import SshServer, start_openssh


class End(enum.Enum):
    """How the sidecar ends."""

    KILLED = "sidecar killed"  # the remote learns of it at once and goes on meanwhile
    HELD = "sidecar killed, the remote still at it"  # until the next sidecar has connected
    LOST = "sidecar and link lost"  # the remote never learns of it


@dataclass(frozen=True)
class KilledPoint:
    """A sidecar that ends at a moment of the remote's work."""

    operation: str
    end: End
    moment: Moment

    @property
    def kind(self) -> str:
        return f"{self.operation}, {self.end.value}"

    def __str__(self) -> str:
        return f"{self.operation}/{self.end.name.lower()}/{self.moment}"

    @classmethod
    def parse(cls, text: str) -> KilledPoint:
        """The point that `str` shows so."""
        operation, end, moment = text.split("/")
        found = [member for member in End if member.name.lower() == end]
        if not found:
            raise ValueError(f"no end of a sidecar: {end}")
        return cls(operation, found[0], Moment.parse(moment))


class SidecarLane:
    """One sidecar after another on the same local folders. Use as an asynchronous context manager.

    Args:
        server: where they connect to.
        folder: a new one; they work in `work` below it.
        steps: the stand-ins of that server.
        environment: of the sidecar processes.
    """

    def __init__(self, server: SshServer, folder: Path, steps: RemoteSteps, environment: dict[str, str]) -> None:
        self._server = server
        self._environment = environment
        self._aside = folder / "aside"
        self._numbers = itertools.count(1)
        self.work = folder / "work"
        self.steps = steps

    async def __aenter__(self) -> Self:
        for folder in (self.work / ".git", self._aside):
            folder.mkdir(parents=True, exist_ok=True)
        self.proxy = FaultProxy(self._server.port)
        await self.proxy.__aenter__()
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.__aexit__()
        await self.proxy.__aexit__()

    async def renew(self) -> None:
        """Begin again with a new link, which is another host to the sidecar, and a new sidecar."""
        await self.__aexit__()
        await self.__aenter__()

    async def rehearse(self, operation: Operation) -> list[str]:
        """The steps of an operation on a warm connection when nothing fails."""
        for _ in range(2):
            folder = self._lay(operation)
            await self.proxy.quiet()
            self.steps.arm()
            await self._call(operation.tool, operation.arguments(str(folder)))
        taken = self.steps.taken()
        self.steps.disarm()
        return taken

    async def try_point(self, point: KilledPoint) -> Verdict:
        """End the sidecar at that moment, start the next one, and judge what became of the change."""
        verdict = Verdict(str(point), point.kind)
        operation = OPERATIONS[point.operation]
        folder = self._lay(operation)
        await self.proxy.quiet()
        self.steps.arm(point.moment)
        calling = asyncio.create_task(self._call(operation.tool, operation.arguments(str(folder))))
        reached = asyncio.create_task(self.steps.wait_reached())
        await asyncio.wait([calling, reached], return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        verdict.struck = self.steps.reached
        if verdict.struck:
            if point.end is End.LOST:
                self.proxy.strike(Fault.BLACK_HOLE)
            await self._kill()
        with contextlib.suppress(CallError):
            await calling
            verdict.told = Told.DONE
        later = None
        if verdict.struck:
            began = bool(records(folder))
            if point.end is not End.HELD:
                self.steps.go_on()
            self.proxy.heal()
            later = said_later(await self._start(), folder)
            if began and later is None:
                verdict.wrong.append("the first answer of the next sidecar did not say how it was resolved")
        await self._judge(operation, folder, verdict, later)
        return verdict

    async def _judge(self, operation: Operation, folder: Path, verdict: Verdict, later: bool | None) -> None:
        try:
            for tool, arguments in (("read", {}), ("edit", {"oldString": "one", "newString": "two"})):
                await self._call(tool, {"filePath": f"{folder}/{NEXT}", **arguments})
        except CallError as error:
            verdict.wrong.append(f"the next call: {error}")
        new = verdict.judge_whole(operation, folder, "after the next connection")
        verdict.judge_later(later, new)
        self._judge_left(folder, verdict, "after the next connection")
        self.steps.disarm()  # what is still held goes on
        await asyncio.sleep(0.1)
        if not verdict.wrong:
            if verdict.judge_whole(operation, folder, "after the remote went on") is not new:
                verdict.wrong.append("the remote went on with what was settled")
            self._judge_left(folder, verdict, "after the remote went on")
        if new is False and not verdict.wrong:
            try:
                await self._call(operation.tool, operation.arguments(str(folder)))
                verdict.judge_whole(operation, folder, "after the same call again", Told.DONE)
            except CallError as error:
                verdict.wrong.append(f"the same call again: {error}")
        self.proxy.forget()

    def _judge_left(self, folder: Path, verdict: Verdict, when: str) -> None:
        if left := [*temporaries(folder), *records(folder)]:
            verdict.wrong.append(f"{when} there remain {left}")

    def _lay(self, operation: Operation) -> Path:
        folder = self.work / f"point{next(self._numbers)}"
        folder.mkdir()
        operation.prepare(folder, self._aside)
        return folder

    async def _start(self) -> str:
        """Start a sidecar and have it connect: its first answer."""
        settings = {
            "REMOTE_SSH": remote_ssh(self._server, self.proxy),
            "REMOTE_WORKDIR": str(self.work),
            "REMOTE_LOGIN": "0",
        }
        self.client = await SidecarClient(settings, self._environment).__aenter__()
        (self.work / NEXT).write_bytes(b"one\n")
        return await self._call("read", {"filePath": f"{self.work}/{NEXT}"})

    async def _kill(self) -> None:
        process = self.client._process
        assert process is not None
        process.kill()
        await process.wait()

    async def _call(self, tool: str, arguments: dict[str, Any]) -> str:
        async with asyncio.timeout(60):
            return (await self.client.call(tool, arguments, next(self._numbers)))["output"]


def killed_points(operation: str, taken: list[str]) -> list[KilledPoint]:
    """Every moment of those steps, for each end."""
    return [KilledPoint(operation, end, moment) for end in End for moment in moments(taken)]


@contextlib.asynccontextmanager
async def sidecar_lanes(folder: Path, count: int, environment: dict[str, str]) -> AsyncIterator[list[SidecarLane]]:
    """Lanes that lead to a server of their own each, whose steps are counted."""
    async with contextlib.AsyncExitStack() as stack:
        ready = []
        for n in range(count):
            steps = RemoteSteps(folder / f"remote{n}")
            server = start_openssh(folder / f"sshd{n}", ["MaxStartups 50"], environment=steps.environment)
            stack.callback(server.stop)
            stack.callback(steps.disarm)
            ready.append(await stack.enter_async_context(SidecarLane(server, folder / f"lane{n}", steps, environment)))
        yield ready
