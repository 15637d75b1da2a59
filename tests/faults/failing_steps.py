"""Points at a step of the remote script: a shell killed there, or a link that turns into a black hole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.judging import Verdict
from tests.faults.lane import Lane, take
from tests.faults.operations import OPERATIONS, Operation
from tests.kit.fault_proxy import Fault
from tests.kit.remote_steps import Act, Moment, RemoteSteps, moments
from tests.kit.sshd import start_openssh

KILLED = {Act.KILL_TREE: "sh and its tree killed", Act.KILL_MAIN: "sh killed", Act.KILL_SUBSHELL: "subshell killed"}


@dataclass(frozen=True)
class StepPoint:
    """Something that happens at a moment of the remote's work.

    Args:
        act: what kills the shell there, or HOLD for a black hole while it is held.
    """

    operation: str
    act: Act
    moment: Moment

    @property
    def kind(self) -> str:
        return f"{self.operation}, {KILLED.get(self.act, 'black hole at a step')}"

    def __str__(self) -> str:
        return f"{self.operation}/{self.act.value}/{self.moment}"

    @classmethod
    def parse(cls, text: str) -> StepPoint:
        """The point that `str` shows so."""
        operation, act, moment = text.split("/")
        return cls(operation, Act(act), Moment.parse(moment))


async def rehearse(lane: Lane, operation: Operation) -> list[str]:
    """The steps of an operation on a warm connection when nothing fails."""
    assert lane.steps is not None
    await lane.warm(operation)
    folder = lane.lay(operation)
    lane.steps.arm()
    error = await lane.make(operation, folder)
    assert error is None, error
    taken = lane.steps.taken()
    lane.steps.disarm()
    return taken


def step_points(operation: str, acts: Sequence[Act], taken: list[str]) -> list[StepPoint]:
    """Every moment of those steps, for each act."""
    return [StepPoint(operation, act, moment) for act in acts for moment in moments(taken)]


async def try_step(lane: Lane, point: StepPoint) -> Verdict:
    """Make the change, let it happen at that moment, and judge what became of it."""
    assert lane.steps is not None
    verdict = Verdict(str(point), point.kind)
    operation = OPERATIONS[point.operation]
    await lane.warm(operation)
    folder = lane.lay(operation)
    lane.steps.arm(point.moment, point.act)
    making = asyncio.create_task(lane.make(operation, folder))
    if point.act is Act.HOLD:
        await _black_hole_when_held(lane, lane.steps, making)
    take(verdict, await making)
    verdict.struck = lane.steps.happened(point.moment)
    lane.steps.disarm()
    await lane.settle(operation, folder, verdict)
    return verdict


async def _black_hole_when_held(lane: Lane, steps: RemoteSteps, making: asyncio.Task[Exception | None]) -> None:
    reached = asyncio.create_task(steps.wait_reached())
    await asyncio.wait([making, reached], return_when=asyncio.FIRST_COMPLETED)
    reached.cancel()
    if steps.reached:
        lane.proxy.strike(Fault.BLACK_HOLE)
        steps.go_on()


@contextlib.asynccontextmanager
async def stepping_lanes(folder: Path, count: int) -> AsyncIterator[list[Lane]]:
    """Lanes that lead to a server of their own each, whose steps are counted."""
    async with contextlib.AsyncExitStack() as stack:
        ready = []
        for n in range(count):
            steps = RemoteSteps(folder / f"remote{n}")
            server = start_openssh(folder / f"sshd{n}", ["MaxStartups 50"], environment=steps.environment)
            stack.callback(server.stop)
            stack.callback(steps.disarm)
            ready.append(await stack.enter_async_context(Lane(server, folder / f"lane{n}", steps)))
        yield ready
