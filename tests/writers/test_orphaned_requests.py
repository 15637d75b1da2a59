"""A request whose session has gone goes on alone on the remote: it takes nobody's later change away (laws 2, 3)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.errors import RemoteError
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_target import resolve_target
from tests.kit.figures import tell
from tests.kit.pools import through
from tests.kit.sshd import SshServer
from tests.writers.desks import Desk, leftovers, open_desk
from tests.writers.gate import RemoteGate
from tests.writers.operations import OLD
from tests.writers.sidecars import opencode_processes

GROUP = "requests that go on alone"


@pytest.fixture
async def link(gated_server: tuple[SshServer, RemoteGate]) -> AsyncIterator[DelayProxy]:
    """A link to it that can be cut."""
    async with DelayProxy(gated_server[0].port, 0) as proxy:
        yield proxy


async def edit(desk: Desk, path: Path, old: str, new: str) -> str:
    """The outcome of an edit, as its caller reads it."""
    try:
        return (await desk("edit", filePath=str(path), oldString=old, newString=new)).output
    except RemoteError as error:
        return f"failed: {error}"


def check(outcomes: dict[str, str], path: Path) -> None:
    """Whoever was told of success has its line there."""
    now = path.read_text()
    for line, outcome in outcomes.items():
        assert line in now or outcome.startswith("failed"), (outcomes, now)


async def test_law3_what_goes_on_after_a_cut_takes_no_later_change_of_ours_away(
    gated_server: tuple[SshServer, RemoteGate],
    gate: RemoteGate,
    link: DelayProxy,
    folder: Path,
    request: pytest.FixtureRequest,
) -> None:
    server, _ = gated_server
    path = folder / "f"
    path.write_bytes(OLD)
    async with open_desk(through(server, link), folder) as ours, open_desk(server.ssh_command, folder, "two") as second:
        gate.stop_at("mv")
        running = asyncio.ensure_future(edit(ours, path, "needle", "our line"))
        await gate.reached(running)
        link.cut()
        later = asyncio.ensure_future(edit(second, path, "last", "their line"))
        # As long as the request waits there, both may go on; then it would take away what they have done.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(asyncio.shield(running), asyncio.shield(later)), 20)
        gate.let_go()
        outcomes = {"our line": await running, "their line": await later}
        await gate.all_gone()
        check(outcomes, path)
    async with open_desk(server.ssh_command, folder):
        assert leftovers(folder) == []
    tell(request, GROUP, "link cut", 1)


async def test_law3_what_goes_on_after_a_kill_takes_no_later_change_of_ours_away(
    gated_server: tuple[SshServer, RemoteGate], gate: RemoteGate, folder: Path, request: pytest.FixtureRequest
) -> None:
    server, _ = gated_server
    path = folder / "f"
    path.write_bytes(OLD)
    slug = resolve_target(parse_ssh_command(server.ssh_command)).slug
    local = folder.parent / "local"
    async with (
        opencode_processes(server.ssh_command, folder, local, 1) as (doomed,),
        open_desk(server.ssh_command, folder, "two", slug=slug) as second,
    ):
        gate.stop_at("mv")
        running = asyncio.ensure_future(doomed.edit(path, "needle", "our line"))
        await gate.reached(running)
        await doomed.kill()
        await asyncio.gather(running, return_exceptions=True)
        # A session that was there before: it opens no connection, so it does not sweep.
        later = asyncio.ensure_future(edit(second, path, "last", "their line"))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(later), 20)
        gate.let_go()
        outcome = await later
        await gate.all_gone()
        check({"their line": outcome}, path)
    tell(request, GROUP, "session killed", 1)
