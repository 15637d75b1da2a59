"""Very much at once on one host: what runs at the same time, and who waits for whom. No time is measured."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from pybridge.errors import ConnectionLostError
from pybridge.host.command_shells import LEFT_TO_OTHERS
from pybridge.host.fairness import on_behalf_of
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import ABSENT, Change, Command
from pybridge.host.safeguards import NoTurns
from pybridge.host.shells import MOST_OF_ONE_CALLER, MOST_SHELLS, USUAL_SHELLS
from tests.kit.pools import open_pool, until
from tests.kit.sshd import SshServer

CHANNELS = 30
"""Three connections with OpenSSH's usual ten channels each."""

SPARE = 8
"""What the connection for files lends to commands, once it is there."""


@pytest.fixture
async def busy(openssh: SshServer, tmp_path: Path) -> AsyncIterator[Host]:
    """A host whose work folder is `tmp_path`, once it has made itself ready."""
    async with open_pool(openssh.ssh_command) as pool:
        host = await Host.connect(pool, HostOptions(workdir=str(tmp_path)))
        await host.login_captured()
        try:
            yield host
        finally:
            await host.close()


class Gate:
    """Remote scripts that say that they run, and go on when the gate opens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def script(self, name: str) -> str:
        return f"touch {self._folder}/{name}; until [ -e {self._folder}/open ]; do sleep 0.05; done"

    def running(self) -> set[str]:
        return {path.name for path in self._folder.iterdir()} - {"open"}

    def open(self) -> None:
        (self._folder / "open").touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


async def run(host: Host, caller: str, text: str) -> int | None:
    with on_behalf_of(caller):
        return (await host.run(Command(text, "/"))).code


def begin(host: Host, caller: str, scripts: list[str]) -> list[asyncio.Task[int | None]]:
    return [asyncio.create_task(run(host, caller, script)) for script in scripts]


async def test_a_flood_of_one_session_starves_no_other(busy: Host, gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("needle\n")
    flood = begin(busy, "flood", [gate.script(str(n)) for n in range(100)])
    share = CHANNELS - LEFT_TO_OTHERS
    # Everything it may have runs at the same time: there is no queue before the connections' limits.
    assert await until(lambda: len(gate.running()) >= share, seconds=60)
    assert await run(busy, "other", "true") == 0
    with on_behalf_of("other"):
        assert (await busy.search.glob("seen", str(tmp_path))).paths == (f"{tmp_path}/seen",)
    for caller in ("flood", "other"):
        with on_behalf_of(caller):
            assert (await busy.files.fetch_one(f"{tmp_path}/seen")).content == b"needle\n"
    assert share <= len(gate.running()) <= share + SPARE
    gate.open()
    assert await asyncio.gather(*flood) == [0] * 100


async def test_thirty_commands_of_eight_sessions_run_as_far_as_there_are_channels(busy: Host, gate: Gate) -> None:
    commands = [task for n in range(30) for task in begin(busy, f"session {n % 8}", [gate.script(str(n))])]
    # Control shells hold channels too; those nobody uses are given up for commands, but for the last.
    assert await until(lambda: len(gate.running()) >= CHANNELS - USUAL_SHELLS, seconds=60)
    gate.open()
    assert await asyncio.gather(*commands) == [0] * 30


@pytest.mark.parametrize("slow", [False, True])
async def test_slow_requests_do_not_hold_up_a_read(busy: Host, gate: Gate, tmp_path: Path, slow: bool) -> None:
    """More of them than there are shells, of the same session."""
    (tmp_path / "seen").write_text("needle\n")
    with on_behalf_of("one"):
        held = [
            asyncio.create_task(busy._control.request(gate.script(str(n)), timeout=100, slow=slow))
            for n in range(MOST_SHELLS if slow else MOST_OF_ONE_CALLER - 1)
        ]
        assert await until(lambda: len(gate.running()) >= USUAL_SHELLS + 1, seconds=60)
        assert (await busy.files.fetch_one(f"{tmp_path}/seen")).content == b"needle\n"
    assert not any(task.done() for task in held)
    gate.open()
    await asyncio.gather(*held)
    assert await until(lambda: len(busy._control._idle) <= USUAL_SHELLS)


async def test_no_session_holds_all_control_shells(busy: Host, gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("needle\n")
    with on_behalf_of("flood"):
        held = [
            asyncio.create_task(busy._control.request(gate.script(str(n)), timeout=100)) for n in range(2 * MOST_SHELLS)
        ]
    assert await until(lambda: len(gate.running()) == MOST_OF_ONE_CALLER, seconds=60)
    with on_behalf_of("other"):
        assert (await busy.files.fetch_one(f"{tmp_path}/seen")).content == b"needle\n"
    assert len(gate.running()) == MOST_OF_ONE_CALLER
    gate.open()
    await asyncio.gather(*held)


async def test_changes_that_wait_for_their_turn_do_not_hold_up_a_read(busy: Host, tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("needle\n")
    free = asyncio.Event()
    waiting: list[object] = []

    class Turns(NoTurns):
        @contextlib.asynccontextmanager
        async def take(self, paths: Iterable[str]) -> AsyncIterator[None]:
            waiting.append(paths)
            await free.wait()
            yield

    busy.files.turns = Turns()
    changes = [Change(f"{tmp_path}/{n}", ABSENT, b"x") for n in range(2 * MOST_SHELLS)]
    made = [asyncio.create_task(busy.files.apply([change])) for change in changes]
    assert await until(lambda: len(waiting) >= 2)
    await asyncio.sleep(0.1)
    assert (await busy.files.fetch_one(f"{tmp_path}/seen")).content == b"needle\n"
    free.set()
    await asyncio.gather(*made)
    assert len([path for path in tmp_path.iterdir() if path.name != "seen"]) == len(changes)


async def test_those_who_wait_learn_that_the_host_is_closed(busy: Host, gate: Gate) -> None:
    request = lambda name: busy._control.request(gate.script(name), timeout=100)  # noqa: E731
    held = [asyncio.create_task(request(str(n))) for n in range(2 * MOST_SHELLS)]
    assert await until(lambda: len(gate.running()) >= USUAL_SHELLS, seconds=60)
    busy._control.close()
    gate.open()
    ends = await asyncio.gather(*held, return_exceptions=True)
    assert any(isinstance(end, ConnectionLostError) for end in ends)
