"""Several sidecars, each with several sessions: all that is asked for at once runs at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from pybridge.demo.sidecar_client import SidecarClient
from tests.kit.sshd import SshServer, start_openssh

HOSTS, SESSIONS, EACH = 4, 8, 3


@pytest.fixture
def servers(tmp_path: Path):
    """Four hosts."""
    with contextlib.ExitStack() as stack:
        found = [start_openssh(tmp_path / f"sshd-{n}", ["MaxStartups 100"]) for n in range(HOSTS)]
        for server in found:
            stack.callback(server.stop)
        yield found


@pytest.mark.timeout(200)
async def test_eight_sessions_on_each_of_four_hosts_run_at_the_same_time(
    servers: list[SshServer], tmp_path: Path
) -> None:
    """Every command waits for all the others to run: one that was queued behind another would never end."""
    meeting, home = tmp_path / "meeting", tmp_path / "home"
    meeting.mkdir()
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_DATA_HOME": str(home)}
    everybody = HOSTS * SESSIONS * EACH
    wait = f'until [ "$(ls {meeting} | wc -l)" -ge {everybody} ]; do sleep 0.2; done; echo met'

    async def command(client: SidecarClient, host: int, session: int, number: int) -> str:
        name = f"{host}-{session}-{number}"
        context = {"sessionID": f"ses_{session}", "messageID": f"msg_{name}", "callID": name, "agent": "build"}
        args = {"command": f"touch {meeting}/{name}; {wait}"}
        return (await client.request("tool.call", {"tool": "bash", "args": args, "context": context}))["output"]

    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                SidecarClient({"REMOTE_SSH": server.ssh_command, "REMOTE_WORKDIR": str(tmp_path)}, environment)
            )
            for server in servers
        ]
        outputs = await asyncio.gather(
            *(
                command(client, host, session, number)
                for host, client in enumerate(clients)
                for session in range(SESSIONS)
                for number in range(EACH)
            )
        )
    assert outputs == ["met\n"] * everybody
