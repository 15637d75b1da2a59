"""Commands: the model's, many at once, and the user's own."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from pybridge.sidecar.user_shell_client import FOLDER
from tests.budgets.conftest import OpenLink
from tests.budgets.slow_link import ATTEMPTS, SlowLink

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_command_is_one_round_trip(slow: SlowLink) -> None:
    assert await slow.trips(1, lambda _: slow("bash", command="true")) == 1


async def test_thirty_commands_at_once(slow: SlowLink) -> None:
    async def thirty(_: int) -> None:
        await asyncio.gather(*(slow("bash", command="true") for _ in range(30)))

    # Beyond ten a further connection is made, where the server takes no more on one; what these lack, those for files
    # have. A channel is open for each command by then, so that a command costs what its shell costs.
    goal = {"openssh": 2, "dropbear": 4}[slow.kind]
    assert await slow.trips(goal, thirty, attempts=8) <= goal


async def test_the_first_thirty_commands_at_once(open_link: OpenLink) -> None:
    goal = 7  # The connections they need are made side by side: four round trips before the three of a command.
    fewest = 1 << 30
    for _ in range(ATTEMPTS):
        async with open_link() as link:

            async def thirty(_: int, link: SlowLink = link) -> None:
                await asyncio.gather(*(link("bash", command="true") for _ in range(30)))

            fewest = min(fewest, await link.trips(goal, thirty, attempts=1))
        if fewest <= goal:
            break
    assert fewest <= goal


async def test_a_command_that_names_files_outside_the_workspace(slow: SlowLink, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x\n")
    assert await slow.trips(2, lambda _: slow("bash", command=f"cat {tmp_path}/outside")) == 2


async def test_a_command_of_the_users_own_is_one_round_trip(slow: SlowLink) -> None:
    async def run(_: int) -> None:
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pybridge.sidecar.user_shell_client", "-c", "echo said",
            stdout=asyncio.subprocess.PIPE, env={**os.environ, FOLDER: str(slow.shell)},
        )  # fmt: skip
        assert (await client.communicate())[0] == b"said\n"

    assert await slow.trips(1, run) == 1
