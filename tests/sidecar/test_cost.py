"""What the sidecar costs: what it loads and when, memory, and that it does nothing at rest. No time is measured."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.demo.sidecar_client import SidecarClient
from pybridge.host.crowd import KEPT_SECONDS
from pybridge.sidecar.idle_memory import IDLE_SECONDS
from tests.kit.pools import rewrite_known_hosts, until
from tests.kit.soak import FILES, Soak
from tests.kit.sshd import SshServer
from tests.tools.opened import opened

HEAVY = (
    "asyncssh",
    "cryptography",
    "pydantic",
    "chardet",
    "unidiff",
    "rich",
    "typer",
    "json5",
    "tree_sitter",
    "keyring",
)
IDLE_MIB = 60
USED_MIB = 64
"""Once every tool has been used: chardet and the parser of commands have come, and the heap has holes."""

SPARE_PROCESSES = 8
"""Another connection, or a control shell that is kept: they are few, however many the calls."""

SPARE_DESCRIPTORS = 4
SPARE_THREADS = 4

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


def loaded_by(module: str) -> set[str]:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return set(json.loads(found.stdout))


@pytest.mark.unit
@pytest.mark.parametrize(
    ("module", "not_loaded"),
    [
        ("pybridge.sidecar.__main__", (*HEAVY, "ssl", "pybridge.host", "pybridge.settings", "pybridge.tools")),
        # Enough to begin to connect.
        ("pybridge.sidecar.finding", (*HEAVY, "filelock", "pybridge.host", "pybridge.tools")),
        # Enough to log in.
        (
            "pybridge.sidecar.reaching",
            ("pydantic", "chardet", "unidiff", "rich", "typer", "pybridge.host", "pybridge.tools"),
        ),
        ("pybridge.sidecar.reaching", ("cryptography.x509", "pybridge.transport.openssh.carrier")),
        # Everything a session needs.
        (
            "pybridge.sidecar.remote",
            ("chardet", "rich", "typer", "json5", "http.client", "importlib.metadata"),
        ),
        ("pybridge.sidecar.remote", ("tree_sitter_bash", "pybridge.tools.reverting")),
    ],
)
def test_what_comes_first_waits_for_no_more_than_it_needs(module: str, not_loaded: tuple[str, ...]) -> None:
    assert loaded_by(module) & set(not_loaded) == set()


@pytest.mark.unit
@linux
def test_no_program_is_started_by_an_import(tmp_path: Path) -> None:
    """asyncssh's own way to look for libraries runs ldconfig, and a compiler where there is one."""
    code = (
        "import os, sys, subprocess\n"
        "sys.addaudithook(lambda event, args: print(event, args[0]) if event in"
        " ('subprocess.Popen', 'os.posix_spawn', 'os.system', 'os.fork', 'os.exec') else None)\n"
        "import pybridge.sidecar.remote\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout == ""


@dataclass(frozen=True)
class Resting:
    """A sidecar behind a proxy, and what can be seen of it."""

    soak: Soak
    proxy: DelayProxy
    client: SidecarClient

    def moved(self) -> int:
        return self.proxy.to_server.bytes + self.proxy.to_client.bytes


@pytest.fixture
async def resting(openssh: SshServer, tmp_path: Path) -> AsyncIterator[Resting]:
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_DATA_HOME": str(home)}
    async with DelayProxy(openssh.port, 0) as proxy:
        known = rewrite_known_hosts(openssh.known_hosts, openssh.port, proxy)
        # Without keep-alives, so that whatever moves at rest is a fault.
        ssh = openssh.ssh_command_with("-o", "ServerAliveInterval=0", port=proxy.port, known_hosts=known)
        async with SidecarClient({"REMOTE_SSH": ssh, "REMOTE_WORKDIR": str(folder)}, environment) as client:
            yield Resting(Soak(client, folder, home, openssh.pid), proxy, client)


@linux
async def test_connected_and_warm_it_takes_little_memory(resting: Resting) -> None:
    await resting.client.call("bash", {"command": "true"}, 1)
    await asyncio.sleep(IDLE_SECONDS + 2)
    assert resting.soak.holdings().resident < IDLE_MIB * 2**20


@linux
async def test_at_rest_nothing_moves_and_nothing_wakes_up(resting: Resting) -> None:
    await resting.soak.run(20)
    # What is made ready after a call, what waits for the next crowd, and memory given back.
    await asyncio.sleep(max(IDLE_SECONDS + 2, KEPT_SECONDS + 1))
    moved, woken = resting.moved(), resting.soak.wakeups()
    await asyncio.sleep(8)
    assert (resting.moved() - moved, resting.soak.wakeups() - woken) == (0, 0)
    assert resting.soak.holdings().resident < USED_MIB * 2**20


@linux
@pytest.mark.timeout(900)
@pytest.mark.parametrize("calls", [300, pytest.param(3000, marks=pytest.mark.whole)])
async def test_nothing_grows(resting: Resting, calls: int) -> None:
    """The benchmarks do the same with 10,000 calls."""
    await resting.soak.run(150)
    await asyncio.sleep(IDLE_SECONDS + 2)
    before = resting.soak.holdings()
    await resting.soak.run(calls)
    await asyncio.sleep(IDLE_SECONDS + 2)
    assert await until(lambda: resting.soak.holdings().remote_processes <= before.remote_processes + SPARE_PROCESSES)
    after = resting.soak.holdings()
    assert after.descriptors <= before.descriptors + SPARE_DESCRIPTORS
    assert after.threads <= before.threads + SPARE_THREADS
    assert after.remote_files <= FILES + 1
    assert after.resident < before.resident + 4 * 2**20


async def test_no_task_is_left_behind(openssh: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "f").write_text("1\n")
    async with opened(openssh.ssh_command, tmp_path) as remote:

        async def calls() -> None:
            await asyncio.gather(*(remote("read", filePath="f") for _ in range(10)))
            await asyncio.gather(*(remote("bash", command="true") for _ in range(10)))
            await asyncio.gather(*(remote("write", filePath=f"new-{n}", content="x") for n in range(10)))
            await asyncio.gather(*(remote("glob", pattern="*") for _ in range(5)))

        await calls()
        await asyncio.sleep(KEPT_SECONDS + 1)  # nothing waits for the next crowd
        tasks = len(asyncio.all_tasks())
        for _ in range(4):
            await calls()
        assert await until(lambda: len(asyncio.all_tasks()) <= tasks)
