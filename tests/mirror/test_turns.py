"""Two sessions on one machine never take each other's change away, however slow the remote is (law 3)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from pybridge.errors import RemoteTimeoutError
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import Applied, Change, Fetch, VersionConflict
from pybridge.mirror.turns import LANES, Turns, _lane
from pybridge.transport.local_process import LocalCarrier

SLOW = """#!/bin/sh
: > "$0.began"
sleep 0.5
exec {real} "$@"
"""


@pytest.fixture
async def hosts(tmp_path: Path) -> AsyncIterator[Sequence[Host]]:
    """Two sessions' views of one machine, where a replacing takes a second after its compare."""
    if os.name != "posix":
        pytest.skip("the remote here is a local POSIX shell")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("ln", "mv"):
        (programs / name).write_text(SLOW.format(real=shutil.which(name)))
        (programs / name).chmod(0o755)
    prefix = ["env", f"PATH={programs}:{os.environ['PATH']}", "sh", "-c"]
    async with contextlib.AsyncExitStack() as undo:
        made = []
        for _ in range(2):
            carrier = LocalCarrier(prefix)
            undo.push_async_callback(carrier.close)
            host = await Host.connect(carrier, HostOptions(str(tmp_path), login=False))
            undo.push_async_callback(host.close)
            host.files.turns = Turns(tmp_path / "turns", "someone@host")
            made.append(host)
        yield made


async def replace(host: Host, file: Path, content: bytes) -> list[Applied]:
    (found,) = await host.files.fetch([Fetch(str(file))])
    assert found.version is not None
    return await host.files.apply([Change(str(file), found.version, content)])


async def test_of_two_that_replace_the_same_version_at_once_one_is_told(hosts: Sequence[Host], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old\n")
    one, two = hosts
    outcomes = await asyncio.gather(
        replace(one, file, b"by one\n"), replace(two, file, b"by two\n"), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, VersionConflict)]
    assert len(refused) == 1, outcomes
    winner = b"by two\n" if isinstance(outcomes[0], VersionConflict) else b"by one\n"
    assert file.read_bytes() == winner
    assert refused[0].current[0].content == winner


async def test_whoever_waits_too_long_is_told_and_nothing_is_changed(hosts: Sequence[Host], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old\n")
    one, two = hosts
    two.files.turns = Turns(tmp_path / "turns", "someone@host", wait=0.05)
    first = asyncio.create_task(replace(one, file, b"by one\n"))
    while not (tmp_path / "bin" / "mv.began").exists():
        await asyncio.sleep(0.01)
    with pytest.raises(RemoteTimeoutError, match="Nothing was changed"):
        await replace(two, file, b"by two\n")
    await first
    assert file.read_bytes() == b"by one\n"
    assert not list(tmp_path.glob(".pybridge-*"))


async def test_a_turn_ends_with_its_process(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys, time\n"
        "from pybridge.mirror.turns import Turns\n"
        "async def hold():\n"
        "    async with Turns(pathlib.Path(sys.argv[1]), 'h').take(['/a']):\n"
        "        print('held', flush=True)\n"
        "        time.sleep(100)\n"
        "asyncio.run(hold())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(RemoteTimeoutError):
                async with Turns(tmp_path, "h", wait=0).take(["/a"]):
                    pass
            async with Turns(tmp_path, "another host", wait=0).take(["/a"]):
                pass
        finally:
            holder.kill()
            holder.wait()
    async with Turns(tmp_path, "h", wait=0).take(["/a"]):
        pass


async def test_paths_of_one_lane_and_many_paths_do_not_wait_for_themselves(tmp_path: Path) -> None:
    paths = [f"/srv/{n}\udcff" for n in range(3 * LANES)]
    assert len({_lane(path) for path in paths}) > LANES // 2
    async with Turns(tmp_path, "h", wait=0).take(paths):
        pass
    assert len(list(tmp_path.rglob("*.lock"))) <= LANES
