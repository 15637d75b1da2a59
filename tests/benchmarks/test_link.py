"""The link in a process of its own: it counts what a real session takes."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from pathlib import Path

import pytest

from benchmarks.adapter import COMMANDS, OWN, Adapter
from benchmarks.data import Data
from benchmarks.echo import ask
from benchmarks.link import delay_for
from benchmarks.measuring import Subject, interleaved
from benchmarks.place import Place
from tests.kit.counterparts import need
from tests.kit.sshd import SshServer

WARM = {"command": "true"}


@pytest.fixture
def place(openssh: SshServer, tmp_path: Path) -> Place:
    (tmp_path / "work").mkdir()
    return Place(tmp_path, openssh, Data(tmp_path / "work"))


async def test_a_link_reaches_the_server_and_counts_bytes_and_connections(place: Place) -> None:
    need("ssh")
    async with place.link(0, proxied=True) as link:
        done = subprocess.run([*shlex.split(link.ssh), "echo reached"], capture_output=True, text=True, check=True)
        counts = await link.counts()
    assert done.stdout == "reached\n"
    assert counts is not None
    assert counts.connections == 1
    assert counts.to_server > 500
    assert counts.to_client > 500
    assert counts.round_trips > 2


async def test_without_a_delay_nothing_stands_between(place: Place) -> None:
    async with place.link(0) as link:
        assert link.ssh == place.server.ssh_command
        assert await link.counts() is None


async def test_round_trips_of_an_operation_are_counted(place: Place) -> None:
    """A command is one for us, and at least two for whoever opens a channel first."""
    round_trip = 0.1
    found = {}
    for name in (OWN, "asyncssh"):
        async with place.link(round_trip) as link, Adapter(name, COMMANDS[name], place.scratch / name) as adapter:
            await adapter.init(link.ssh, place.workdir)
            await adapter.tool("bash", WARM)
            subject = Subject(adapter, link)
            found |= await interleaved([subject], lambda one, _: one.adapter.tool("bash", WARM), runs=3)
            await adapter.close()
    assert found[OWN].low >= round_trip
    assert len(found[OWN].counts) == 3
    assert min(counts.round_trips for counts in found[OWN].counts) == 1
    assert min(counts.round_trips for counts in found["asyncssh"].counts) == 2


async def test_the_proxys_own_work_is_taken_off_the_delay() -> None:
    assert await delay_for(0) == 0
    assert 0 < await delay_for(0.1) <= 0.05


async def test_a_link_whose_other_end_goes_away_is_not_waited_for() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        with pytest.raises(ConnectionError):
            await asyncio.to_thread(ask, server.sockets[0].getsockname()[1], 2)
