"""The driver of one adapter: starts its program, and speaks the adapter protocol with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.adapters.protocol import LINE_LIMIT, CallFailedError, UnsupportedError

ROOT = Path(__file__).resolve().parents[1]

COMMANDS = {
    name: shlex.join([sys.executable, "-m", f"benchmarks.adapters.{module}"])
    for name, module in (
        ("pybridge", "own"),
        ("asyncssh", "plain_asyncssh"),
        ("ssh", "openssh"),
        ("sshfs", "sshfs"),
    )
}
"""The adapters that come with the benchmarks. The first is this project."""

OWN = "pybridge"

_ANSWER_SECONDS = 600.0
_END_SECONDS = 20.0


class TookTooLongError(Exception):
    """An operation was given up at its limit.

    Args:
        seconds: the limit.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"took more than {seconds:.0f} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Timed:
    """What one operation took.

    Attributes:
        seconds: measured in the adapter, around the call.
        bytes: size of the output.
        output: the beginning of the output.
        error: why it failed, of a call among `many`; else empty.
    """

    seconds: float
    bytes: int = 0
    output: str = ""
    error: str = ""


@dataclass(frozen=True)
class Many:
    """What many calls at once took: in all, and each from its own start."""

    seconds: float
    each: list[Timed] = field(default_factory=list)


class Adapter:
    """One adapter's process. Use as an async context manager, then `init`.

    Every method raises `UnsupportedError` where the implementation cannot do it, `CallFailedError` where it failed, and
    `TookTooLongError` where it was given up.

    Args:
        name: what the tables call it.
        command: its program and arguments, as one line; started in the repository's folder.
        home: its home folder; what it keeps of files must lie below.
        environment: further variables of its process.
    """

    def __init__(self, name: str, command: str, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._command = command
        self._home = home
        self._environment = dict(environment or {})
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._number = 0

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        self._home.mkdir(parents=True, exist_ok=True)
        folders = {f"XDG_{kind}_HOME": str(self._home / kind.lower()) for kind in ("STATE", "DATA", "CACHE", "CONFIG")}
        environment = {**os.environ, "HOME": str(self._home), **folders, **self._environment}
        self._process = await asyncio.create_subprocess_exec(
            *shlex.split(self._command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env=environment,
            limit=LINE_LIMIT,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def init(self, ssh: str, workdir: str, environment: Mapping[str, str] | None = None) -> float:
        """Connect.

        Args:
            ssh: the command line that reaches the host.
            workdir: the folder to work in, absolute.
            environment: settings of the implementation, such as REMOTE_SHELL.

        Returns:
            the seconds that took, the start of the implementation's own processes among them.
        """
        return (await self.ask("init", ssh=ssh, workdir=workdir, environment=dict(environment or {})))["seconds"]

    async def tool(
        self, tool: str, args: Mapping[str, Any], *, session: str = "one", keep: int = 200, limit: float | None = None
    ) -> Timed:
        """Do one call.

        Args:
            tool: bash, read, edit, write, apply_patch, glob or grep.
            args: as OpenCode's model sends them. `{"$repeat": TEXT, "$bytes": N}` as a value stands for a long text.
            session: which of several agents calls.
            keep: how many characters of the output the answer shall have.
            limit: seconds after which it is given up.
        """
        return _timed(await self.ask("tool", tool=tool, args=args, session=session, keep=keep, limit=limit))

    async def many(
        self, calls: Sequence[Mapping[str, Any]], *, keep: int = 0, limit: float | None = None, checked: bool = True
    ) -> Many:
        """Do many calls at once.

        Args:
            calls: each with `tool`, `args`, and `session` if it is another agent's.
            checked: whether a failed one fails all.
        """
        answer = await self.ask("many", calls=list(calls), keep=keep, limit=limit)
        each = [_timed(one) for one in answer["each"]]
        if checked and (errors := [one.error for one in each if one.error]):
            raise CallFailedError(f"{len(errors)} of {len(each)} failed: {errors[0]}")
        return Many(answer["seconds"], each)

    async def reset(self) -> None:
        """Forget everything known of files: the next read is cold."""
        await self.ask("reset")

    async def track(self, paths: Sequence[str]) -> None:
        """Read these files, so that they are known."""
        await self.ask("track", paths=list(paths))

    async def rss(self, *, watch: bool = False) -> int:
        """Peak memory of the implementation's processes since the last `rss(watch=True)`, in bytes.

        Args:
            watch: watch from here on. What is timed should not be watched.
        """
        return (await self.ask("rss", watch=watch))["bytes"]

    async def close(self) -> None:
        """End what `init` began; the process itself ends with the context."""
        await self.ask("close")

    async def ask(self, op: str, **request: Any) -> dict[str, Any]:
        """Send one request of the protocol and wait for its answer."""
        async with self._turn:
            self._number += 1
            return await self._ask({"id": self._number, "op": op, **request})

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        if process is None:
            raise CallFailedError(f"the adapter {self.name} is not running")
        assert process.stdin is not None and process.stdout is not None
        limit = request.get("limit")
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
            async with asyncio.timeout(_ANSWER_SECONDS if limit is None else limit + _END_SECONDS):
                line = await process.stdout.readline()
        except TimeoutError:  # it heeds no limit, and nothing can be asked of it any more
            process.kill()
            raise TookTooLongError(limit or _ANSWER_SECONDS) from None
        except OSError:
            line = b""
        if not line:
            raise CallFailedError(f"the adapter {self.name} ended")
        answer = json.loads(line)
        if "unsupported" in answer:
            raise UnsupportedError(answer["unsupported"])
        if answer.get("timeout") is not None:
            raise TookTooLongError(answer["timeout"])
        if "error" in answer:
            raise CallFailedError(f"{self.name}: {answer['error']}")
        if answer.get("id") != request["id"]:
            raise CallFailedError(f"the adapter {self.name} answered another request")
        return answer


def _timed(answer: Mapping[str, Any]) -> Timed:
    return Timed(answer["seconds"], answer.get("bytes", 0), answer.get("output", ""), answer.get("error", ""))
