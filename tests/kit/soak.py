"""Very many mixed calls of one sidecar, and what it holds before and after: nothing of it may grow."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybridge.demo.sidecar_client import CallError, SidecarClient

SESSIONS = 8
"""OpenCode sessions that call side by side."""

FILES = 40
_PROC = Path("/proc")


@dataclass(frozen=True)
class Holdings:
    """What a sidecar holds at rest.

    Attributes:
        resident: its memory in bytes.
        descriptors: open file descriptors.
        threads: of its process.
        local_bytes: of the files it keeps on this machine.
        remote_processes: what runs for it on the remote, shells that wait for work among them.
        remote_files: in the folder worked in.
    """

    resident: int
    descriptors: int
    threads: int
    local_bytes: int
    remote_processes: int
    remote_files: int


class Soak:
    """Calls of one sidecar on one folder.

    Args:
        client: the sidecar, connected.
        workdir: its folder, which is on this machine too.
        home: where it keeps its local files.
        server: process id of the sshd.
    """

    def __init__(self, client: SidecarClient, workdir: Path, home: Path, server: int) -> None:
        assert client._process is not None
        self.pid = client._process.pid
        self.calls = 0
        self._client = client
        self._workdir = workdir
        self._home = home
        self._server = server
        self._numbers = itertools.count(1)

    async def run(self, calls: int) -> None:
        """About so many calls, eight sessions at once: all tools, small and long results, and failures."""
        (self._workdir / "seen").write_text("needle\n" * 100)
        target = self.calls + calls
        await asyncio.gather(*(self._session(number, target) for number in range(SESSIONS)))

    async def _session(self, session: int, target: int) -> None:
        for turn in itertools.count():
            if self.calls >= target:
                return
            for tool, arguments, fails in self._mix(f"{session}-{turn % (FILES // SESSIONS)}", turn):
                self.calls += 1
                await self._call(f"ses_{session}", tool, arguments, fails)

    def _mix(self, name: str, turn: int) -> Iterator[tuple[str, dict[str, Any], bool]]:
        patch = f"*** Begin Patch\n*** Update File: {name}\n@@\n-changed\n+patched\n*** End Patch"
        yield "read", {"filePath": "seen"}, False
        yield "write", {"filePath": name, "content": f"fresh\n{turn}\n" + "more\n" * 50}, False
        yield "read", {"filePath": name}, False
        yield "edit", {"filePath": name, "oldString": "fresh", "newString": "changed"}, False
        yield "apply_patch", {"patchText": patch}, False
        yield "bash", {"command": f"cat {name}; echo {turn} >&2"}, False
        yield "read", {"filePath": "missing"}, True
        yield "glob", {"pattern": f"{name}*"}, False
        yield "grep", {"pattern": "needle", "include": "seen"}, False
        yield "edit", {"filePath": name, "oldString": "nowhere", "newString": "x"}, True
        if turn % 10 == 0:
            yield "bash", {"command": "seq 1 20000; exit 3"}, True
            yield "bash", {"command": "sleep 60", "timeout": 50}, False

    async def _call(self, session: str, tool: str, arguments: dict[str, Any], fails: bool) -> None:
        number = next(self._numbers)
        context = {"sessionID": session, "messageID": f"msg_{number}", "callID": f"call_{number}", "agent": "build"}
        try:
            await self._client.request("tool.call", {"tool": tool, "args": arguments, "context": context})
        except CallError as error:
            if not fails:
                raise AssertionError(f"{tool} {arguments} failed: {error}") from error
        else:
            assert not fails, f"{tool} {arguments} did not fail"
        # As OpenCode's plugin: what was asked and told is not kept.
        self._client.permissions.clear()
        self._client.notifications.clear()

    def holdings(self) -> Holdings:
        """What there is now."""
        process = _PROC / str(self.pid)
        return Holdings(
            resident=int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
            descriptors=len(list((process / "fd").iterdir())),
            threads=len(list((process / "task").iterdir())),
            local_bytes=sum(_size(path) for path in self._home.rglob("*")),
            remote_processes=len(_descendants(self._server)),
            remote_files=sum(1 for _ in self._workdir.rglob("*")),
        )

    def wakeups(self) -> int:
        """How often a thread of the sidecar has waited for something so far."""
        states = [(task / "status").read_text() for task in (_PROC / str(self.pid) / "task").iterdir()]
        return sum(int(state.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for state in states)


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size if path.is_file() and not path.is_symlink() else 0
    return 0


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found, left = [], [root]
    while left:
        there = children.get(left.pop(), [])
        found += there
        left += there
    return found
