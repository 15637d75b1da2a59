"""Several OpenCode processes on one remote folder: one mirror for all, a turn for each remote file, no other lock."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

import pytest

from pybridge.demo.sidecar_client import CallError
from tests.kit.effort import by_effort
from tests.kit.figures import tell
from tests.kit.sshd import SshServer
from tests.writers.desks import leftovers
from tests.writers.gate import RemoteGate
from tests.writers.operations import OLD
from tests.writers.sidecars import OpenCodeProcess, opencode_processes

PROCESSES = by_effort(2, 3, 4)
ROUNDS = by_effort(4, 12, 60)
GROUP = "several sessions"


@pytest.fixture
def local(folder: Path) -> Path:
    """The home folder that all share."""
    return folder.parent / "local"


async def test_law3_sessions_that_edit_one_file_at_once_lose_no_edit_and_read_nothing_else_than_it_held(
    openssh: SshServer, folder: Path, local: Path, request: pytest.FixtureRequest
) -> None:
    shared = folder / "shared"
    lines = [f"slot-{who}-{n}" for n in range(ROUNDS) for who in range(PROCESSES)]
    shared.write_text("\n".join(lines) + "\n")
    for who in range(PROCESSES):
        (folder / f"own-{who}").write_text("start\n")
    repeated = 0

    async def work(process: OpenCodeProcess, who: int) -> None:
        nonlocal repeated
        for n in range(ROUNDS):
            slot, done = f"slot-{who}-{n}\n", f"done-{who}-{n}\n"
            while (outcome := await process.edit(shared, slot, done)).startswith("failed"):
                # What is told to have failed was not done; what is told to be done is (seen below).
                assert "keeps being changed by someone else" in outcome
                assert done not in shared.read_text()
                repeated += 1
            shown = await process.tool("read", filePath=str(shared))
            seen = [line.partition(": ")[2] for line in shown.splitlines() if re.match(r"\d+: ", line)]
            assert [re.sub("done", "slot", line) for line in seen] == lines, "a part of a file, or another one's"
            assert all(f"done-{who}-{m}" in seen for m in range(n + 1)), "older than what this session has written"
            await process.edit(folder / f"own-{who}", "start", f"start\n{n}")

    async with opencode_processes(openssh.ssh_command, folder, local, PROCESSES) as processes:
        await asyncio.gather(*(work(process, who) for who, process in enumerate(processes)))
    assert shared.read_text().split() == [line.replace("slot", "done") for line in lines]
    for who in range(PROCESSES):
        assert (folder / f"own-{who}").read_text().split() == ["start", *map(str, reversed(range(ROUNDS)))]
    assert leftovers(folder) == []
    assert len([*(local / ".opencode" / "mirrors").glob("*/*/manifest.json")]) == 1
    tell(request, GROUP, "edits of one file and of others at once", 2 * PROCESSES * ROUNDS)


@pytest.mark.whole
async def test_law3_patches_of_two_sessions_over_the_same_files_are_each_made_whole_or_not_at_all(
    openssh: SshServer, folder: Path, local: Path, request: pytest.FixtureRequest
) -> None:
    names = ["a", "b", "c"]
    for name in names:
        (folder / name).write_text("".join(f"slot-{who}-{n}\n" for n in range(ROUNDS) for who in range(2)))
    made: set[str] = set()

    async def work(process: OpenCodeProcess, who: int) -> None:
        chosen = random.Random(who)
        for n in range(ROUNDS):
            mark = f"done-{who}-{n}"
            # In an order of each one's own: nobody waits for the other in a circle.
            sections = [
                f"*** Update File: {folder / name}\n@@\n-slot-{who}-{n}\n+{mark}" for name in chosen.sample(names, 3)
            ]
            patch = "\n".join(["*** Begin Patch", *sections, "*** End Patch"])
            try:
                await process.tool("apply_patch", patchText=patch)
                made.add(mark)
            except CallError as error:
                assert "ead the files again" in str(error), error

    async with opencode_processes(openssh.ssh_command, folder, local, 2) as processes:
        await asyncio.gather(*(work(process, who) for who, process in enumerate(processes)))
    for name in names:
        found = {line for line in (folder / name).read_text().split() if line.startswith("done")}
        assert found == made, name
    assert made, "not one was made"
    assert leftovers(folder) == []
    tell(request, GROUP, "patches over the same files at once", 2 * ROUNDS)


@pytest.mark.parametrize("program", ["mv", pytest.param("ln", marks=pytest.mark.whole)])
async def test_a_session_killed_with_its_turn_blocks_nobody(
    gated_server: tuple[SshServer, RemoteGate],
    gate: RemoteGate,
    folder: Path,
    local: Path,
    program: str,
    request: pytest.FixtureRequest,
) -> None:
    server, _ = gated_server
    path = folder / "f"
    path.write_bytes(OLD)
    new = folder / "new"
    async with opencode_processes(server.ssh_command, folder, local, 2) as (doomed, other):
        gate.stop_at(program)
        if program == "mv":
            running = asyncio.ensure_future(doomed.edit(path, "needle", "our line"))
        else:
            running = asyncio.ensure_future(doomed.tool("write", filePath=str(new), content="our line\n"))
        await gate.reached(running)
        # It has the turn: another one waits.
        waiting = asyncio.ensure_future(other.edit(path if program == "mv" else new, "needle", "x"))
        await doomed.kill()
        await asyncio.gather(running, return_exceptions=True)
        gate.let_go()
        # It goes on, by the remote's own compare.
        await asyncio.wait_for(waiting, 60)
        assert "Wrote" in await other.tool("write", filePath=str(folder / "another"), content="x\n")
    async with opencode_processes(server.ssh_command, folder, local, 1):
        assert leftovers(folder) == []
    if program == "mv":
        assert path.read_bytes() in (OLD, OLD.replace(b"needle", b"our line"), OLD.replace(b"needle", b"x"))
    else:
        assert not new.exists() or new.read_text() == "our line\n"
    tell(request, GROUP, "killed while it holds the turn", 1)


@pytest.mark.parametrize(
    "size", [100, *(pytest.param(n * 1024 * 1024, marks=pytest.mark.whole, id=f"{n} MB") for n in (1, 5))]
)
async def test_law2_a_sweep_leaves_what_a_live_session_is_about_to_put_in_place(
    gated_server: tuple[SshServer, RemoteGate],
    gate: RemoteGate,
    folder: Path,
    local: Path,
    size: int,
    request: pytest.FixtureRequest,
) -> None:
    server, _ = gated_server
    path = folder / "f"
    path.write_bytes(OLD)
    text = ("x" * 63 + "\n") * (size // 64)
    async with opencode_processes(server.ssh_command, folder, local, 1) as (writer,):
        await writer.tool("read", filePath=str(path))
        # A content of medium size goes ahead through `cat`: it is stopped there, else at the replacing.
        gate.stop_at("cat" if 512 * 1024 < size < 4 * 1024 * 1024 else "mv")
        running = asyncio.ensure_future(writer.tool("write", filePath=str(path), content=text))
        await gate.reached(running)
        before = leftovers(folder)
        assert before
        async with opencode_processes(server.ssh_command, folder, local, 1) as (sweeper,):
            await sweeper.tool("write", filePath=str(folder / "another"), content="x\n")
            assert leftovers(folder) == before
            gate.let_go()
            assert "Wrote" in await running
        assert path.read_text() == text
        assert leftovers(folder) == []
    tell(request, GROUP, "swept while another one writes", 1)
