"""Round trips of every tool over a slow link, beside plain asyncssh and OpenSSH's client, in one run.

Starts a private sshd and a delay proxy, drives the real sidecar process as OpenCode's plugin does, and prints medians
in milliseconds and as multiples of the round trip. Run it with `make bench` (BENCH="--rtt 100" for another link).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
from rich.console import Console
from rich.table import Table

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.demo.sidecar_client import SidecarClient
from tests.kit.pools import through
from tests.kit.sshd import SshServer, start_openssh

Action = Callable[[], Awaitable[Any]]


@dataclass
class Row:
    """One measured operation: its budget in round trips (None for a control) and the times in seconds."""

    name: str
    budget: float | None
    times: list[float]


def show(rows: list[Row], round_trip: float) -> None:
    """Print the table."""
    table = Table("operation", "median ms", "spread ms", "round trips", "budget", title=f"{round_trip * 1000:.0f} ms")
    for row in rows:
        median = statistics.median(row.times)
        spread = f"{min(row.times) * 1000:.0f}-{max(row.times) * 1000:.0f}"
        trips = f"{median / round_trip:.1f}" if round_trip else "-"
        table.add_row(row.name, f"{median * 1000:.0f}", spread, trips, "-" if row.budget is None else f"{row.budget}")
    Console(width=110).print(table)


async def measure(name: str, budget: float | None, action: Action, runs: int = 5) -> Row:
    """Time `action` some times, with a pause between for what is made ready in the background."""
    times = []
    for _ in range(runs):
        await asyncio.sleep(0.4)
        started = time.perf_counter()
        await action()
        times.append(time.perf_counter() - started)
    return Row(name, budget, times)


class Tools:
    """Calls of the sidecar, with fresh numbers and file names."""

    def __init__(self, client: SidecarClient, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._number = 0

    def __call__(self, tool: str, **arguments: Any) -> Awaitable[Any]:
        self._number += 1
        return self._client.call(tool, arguments, self._number)

    async def edit(self) -> None:
        """Edit a file of 100 KB at a line never edited before."""
        self._number += 1
        old = f"line {self._number} of the file"
        await self("edit", filePath="100k", oldString=old + "\n", newString=old + " changed\n")

    async def write(self) -> None:
        """Write a new file of 1 KB."""
        self._number += 1
        await self("write", filePath=f"new/{self._number}", content="x" * 1024)

    async def patch(self) -> None:
        """Change twenty files by one patch."""
        self._number += 1
        sections = [f"*** Update File: patch/{i}\n@@\n first\n-last\n+last\n+{self._number}\n" for i in range(20)]
        for i in range(20):
            (self._folder / "patch" / str(i)).write_text("first\nlast\n")
        await self("apply_patch", patchText="*** Begin Patch\n" + "".join(sections) + "*** End Patch")

    async def thirty(self) -> None:
        """Thirty commands at once."""
        await asyncio.gather(*(self("bash", command="true") for _ in range(30)))


def lay_out(folder: Path, tree: int) -> None:
    """The files that are worked on; `tree` files in the tree to search."""
    (folder / "1k").write_text("x" * 1023 + "\n")
    (folder / "100k").write_text("".join(f"line {i} of the file\n" for i in range(5000)))
    (folder / "50m").write_text("".join(f"line {i} of a large file, with some text\n" for i in range(1_150_000)))
    (folder / "patch").mkdir()
    for i in range(1000):
        (folder / "tracked" / f"{i % 10}").mkdir(parents=True, exist_ok=True)
        (folder / "tracked" / f"{i % 10}" / f"{i}").write_text(f"{i}\n")
    for i in range(tree):
        place = folder / "tree" / f"{i % 100}" / f"{i % 7}"
        if i < 700:
            place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.txt").write_text("needle\n" if i == tree // 2 else "hay\n")


async def controls(server: SshServer, proxy: DelayProxy) -> list[Row]:
    """The same simplest command by plain asyncssh and by OpenSSH's client, with a shared connection each."""
    words = shlex.split(through(server, proxy))[1:]
    rows = []
    options = {"username": server.user, "client_keys": [str(server.key)], "known_hosts": None, "config": None}
    async with asyncssh.connect("127.0.0.1", proxy.port, agent_path=None, **options) as connection:
        rows.append(await measure("control: asyncssh run('true')", None, lambda: connection.run("true")))
    with tempfile.TemporaryDirectory() as folder:
        shared = ["ssh", "-o", f"ControlPath={folder}/control", *words]
        master = await asyncio.create_subprocess_exec(shared[0], "-o", "ControlMaster=yes", "-N", *shared[1:])
        while not await asyncio.to_thread(Path(folder, "control").exists):  # noqa: ASYNC110 (another program makes it)
            await asyncio.sleep(0.1)

        async def openssh() -> None:
            await (await asyncio.create_subprocess_exec(*shared, "true")).wait()

        rows.append(await measure("control: ssh true, ControlMaster", None, openssh))
        master.terminate()
        await master.wait()
    return rows


async def run(server: SshServer, folder: Path, home: Path, round_trip: float) -> list[Row]:
    """Every row over one link."""
    environment = {**os.environ, "HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_DATA_HOME": str(home)}
    rows: list[Row] = []
    async with DelayProxy(server.port, round_trip / 2) as proxy:
        settings = {"REMOTE_SSH": through(server, proxy), "REMOTE_WORKDIR": str(folder)}

        async def from_nothing() -> None:
            async with SidecarClient(settings, environment) as client:
                await Tools(client, folder)("bash", command="true")

        rows.append(await measure("load to first result, and ended", 9, from_nothing, runs=3))
        async with SidecarClient(settings, environment) as client:
            tools = Tools(client, folder)
            await tools("bash", command="true")
            await asyncio.sleep(1)
            rows.append(await measure("bash true", 1.3, lambda: tools("bash", command="true")))
            rows.append(await measure("30 x bash true at once", 4, tools.thirty, runs=3))
            rows.append(await measure("read 1 KB", 1.3, lambda: tools("read", filePath="1k")))
            rows.append(await measure("read 100 KB, first and again", 1.3, lambda: tools("read", filePath="100k")))
            large = lambda: tools("read", filePath="50m")  # noqa: E731
            rows.append(await measure("first 2000 lines of 50 MB", 2.5, large))
            rows.append(await measure("edit of a 100 KB file", 2.5, tools.edit))
            rows.append(await measure("write a new 1 KB file", 2.3, tools.write))
            rows.append(await measure("apply_patch, 20 files", 3.5, tools.patch, runs=3))
            await asyncio.gather(*(tools("read", filePath=f"tracked/{i % 10}/{i}") for i in range(1000)))
            rows.append(await measure("read 1 KB with 1000 tracked", 1.3, lambda: tools("read", filePath="1k")))
            tree = str(folder / "tree")
            rows.append(await measure("glob in the tree", None, lambda: tools("glob", pattern="**/*.txt", path=tree)))
            rows.append(await measure("grep in the tree", None, lambda: tools("grep", pattern="needle", path=tree)))
            flood = lambda: tools("bash", command="head -c 100000000 /dev/zero | tr '\\0' x")  # noqa: E731
            rows.append(await measure("100 MB of output", None, flood, runs=1))
        rows += await controls(server, proxy)
    return rows


def main() -> None:
    """Run it and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtt", type=int, nargs="*", default=[0, 50], help="round trips to measure, in milliseconds")
    parser.add_argument("--tree", type=int, default=100_000, help="files in the tree that is searched")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pybridge-bench-") as scratch, contextlib.ExitStack() as stack:
        folder, home = Path(scratch, "work"), Path(scratch, "home")
        folder.mkdir()
        home.mkdir()
        print(f"Laying out {arguments.tree} files...", file=sys.stderr)
        lay_out(folder, arguments.tree)
        server = start_openssh(Path(scratch, "sshd"), ["MaxStartups 100"], home=home if os.geteuid() == 0 else None)
        stack.callback(server.stop)
        for milliseconds in arguments.rtt:
            print(f"Measuring at {milliseconds} ms...", file=sys.stderr)
            show(asyncio.run(run(server, folder, home, milliseconds / 1000)), milliseconds / 1000)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        print(f"Largest child process (the sidecar, with 100 MB of output): {peak} MB")


if __name__ == "__main__":
    main()
