"""Remotes made of this machine: scripts run by a chosen shell, with a PATH that holds only chosen programs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

from pybridge.host.search import Search
from tests.kit.counterparts import need

POSIX_TOOLS = "awk cat cut find grep head ls sed sh sort tr wc env printf"
GNU_TOOLS = f"{POSIX_TOOLS} git locale sha256sum stat xargs"
BUSYBOX_APPLETS = f"{POSIX_TOOLS} md5sum stat xargs"


@dataclass(frozen=True)
class LocalFacts:
    """What the probe would find out."""

    rg: str | None = None
    gnu_find: bool = False
    stat: str = "gnu"
    stat_gnu: bool = False
    grep_gnu: bool = False
    tools: frozenset[str] = frozenset()
    git: bool = False
    digest: str = ""


@dataclass(frozen=True)
class LocalOutput:
    """What a script left behind."""

    stdout: bytes
    stderr: bytes
    code: int | None
    truncated: bool


@dataclass
class LocalScripts:
    """Runs scripts as the host room does: in a process group of their own, killed as a whole.

    Args:
        shell: the command that takes `-c SCRIPT`.
        path: the PATH the scripts see.
        home: their HOME.
        scripts: those that were run: each is a round trip.
        printed: bytes of standard output of each.
    """

    shell: tuple[str, ...]
    path: str
    home: str
    scripts: list[str] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    printed: list[int] = field(default_factory=list)

    async def __call__(self, script: str, *, abort: asyncio.Event | None, max_bytes: int) -> LocalOutput:
        self.scripts.append(script)
        process = await asyncio.create_subprocess_exec(
            *self.shell,
            "-c",
            script,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            env={"PATH": self.path, "HOME": self.home},
            start_new_session=True,
        )
        self.pids.append(process.pid)
        assert process.stdout is not None and process.stderr is not None
        stderr = asyncio.ensure_future(process.stderr.read())
        reading = asyncio.ensure_future(_read(process.stdout, max_bytes))
        waits: set[asyncio.Future] = {reading}
        if abort is not None:
            waits.add(asyncio.ensure_future(abort.wait()))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        killed = not reading.done() or len(reading.result()) > max_bytes
        if killed:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for wait in waits - {reading}:
            wait.cancel()
        stdout = await reading
        self.printed.append(len(stdout))
        code = await process.wait()
        return LocalOutput(stdout[:max_bytes], await stderr, None if killed else code, killed)


async def _read(stream: asyncio.StreamReader, max_bytes: int) -> bytes:
    output = bytearray()
    while len(output) <= max_bytes and (piece := await stream.read(65536)):
        output += piece
    return bytes(output)


@dataclass
class LocalRemote:
    """One kind of remote and its searches."""

    name: str
    run: LocalScripts
    facts: LocalFacts

    @property
    def search(self) -> Search:
        """The searches on it."""
        return Search(self.run, self.facts)


KINDS = ("rg", "rg and busybox", "gnu", "gnu without perl", "gnu find", "busybox", "no stat")


def local_remote(kind: str, folder: Path) -> LocalRemote:
    """A remote of one of `KINDS`; `folder` (empty, or of an earlier call) gets its programs and its HOME."""
    rg = need("rg") if kind.startswith("rg") else None
    busybox = kind in ("rg and busybox", "busybox", "no stat")
    programs = folder / kind.replace(" ", "-")
    home = folder / "home"
    home.mkdir(exist_ok=True)
    if not programs.exists():
        programs.mkdir()
        for name in (BUSYBOX_APPLETS if busybox else GNU_TOOLS).split():
            (programs / name).symlink_to(need("busybox") if busybox else need(name))
    if kind == "no stat":
        (programs / "stat").unlink(missing_ok=True)
    tools = frozenset(path.name for path in programs.iterdir())
    gnu = not busybox
    facts = LocalFacts(
        rg=rg,
        gnu_find=gnu,
        stat="" if kind in ("no stat", "gnu find") else "gnu",
        stat_gnu=gnu and kind != "gnu find",
        grep_gnu=gnu and kind != "gnu find",
        tools=tools,
        git="git" in tools,
        digest="md5sum" if busybox else "sha256sum",
    )
    if kind == "gnu without perl":
        _wrap_grep_without_perl(programs / "grep")
    shell = (need("busybox"), "ash") if busybox else (shutil.which("dash") or need("sh"),)
    return LocalRemote(kind, LocalScripts(shell, str(programs), str(home)), facts)


def _wrap_grep_without_perl(grep: Path) -> None:
    """A GNU grep built without PCRE, as minimal distributions have it."""
    real = need("grep")
    grep.unlink()
    grep.write_text(
        f'#!/bin/sh\nfor a do case $a in -e|--) break ;; -*P*) echo "no -P" >&2; exit 2 ;; esac; done\n'
        f'exec {real} "$@"\n'
    )
    grep.chmod(0o755)
