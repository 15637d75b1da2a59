"""A request whose session has gone goes on alone on the remote: it takes nobody's later change away (laws 2, 3)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.errors import RemoteError
from tests.kit.pools import through
from tests.kit.sshd import SshServer
from tests.writers.desks import Desk, leftovers, open_desk
from tests.writers.gate import RemoteGate
from tests.writers.operations import OLD

ATTEMPT = 20.0


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


async def test_law3_what_goes_on_after_a_cut_takes_no_later_change_of_ours_away(
    gated_server: tuple[SshServer, RemoteGate], gate: RemoteGate, link: DelayProxy, folder: Path
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
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(later), 3)
        gate.let_go()
        outcomes = [await running, await later]
    await asyncio.sleep(1)
    now = path.read_text()
    print(outcomes, repr(now))
    for outcome, line in zip(outcomes, ("our line", "their line"), strict=True):
        assert line in now or outcome.startswith("failed"), (outcomes, now)
    async with open_desk(server.ssh_command, folder):
        assert leftovers(folder) == []
