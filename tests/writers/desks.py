"""OpenCode sessions of ours on one real server, as sidecars open them, and what lies there looked at directly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pybridge.host.host import Host, HostOptions
from pybridge.host.safeguards import TurnTaker
from pybridge.settings import Settings
from pybridge.tools.context import ToolResult
from pybridge.tools.registry import call
from pybridge.tools.session import Session, open_session
from tests.kit.pools import open_pool
from tests.tools.kit import Call

SLUG = "writers-host"


class WatchedTurns:
    """Turns that say whether somebody waits for one.

    Args:
        turns: the real ones.
    """

    def __init__(self, turns: TurnTaker) -> None:
        self._turns = turns
        self.waiting = 0

    @contextlib.asynccontextmanager
    async def take(self, paths: Iterable[str]) -> AsyncIterator[None]:
        """As `Turns.take`."""
        async with contextlib.AsyncExitStack() as held:
            entering = asyncio.ensure_future(held.enter_async_context(self._turns.take(paths)))
            await asyncio.sleep(0)  # what is free is had without a wait
            await asyncio.sleep(0)
            self.waiting += not entering.done()
            try:
                await entering
            finally:
                self.waiting = 0
            yield


@dataclass
class Desk:
    """One session of ours.

    Args:
        session: with a connection of its own.
        folder: its workdir, on this machine.
        name: OpenCode's id of the session.
        host: the connected host.
    """

    session: Session
    folder: Path
    name: str
    host: Host = field(repr=False)
    turns: WatchedTurns = field(repr=False)

    def waits_for_its_turn(self) -> bool:
        """It is about to replace a file, and another session has the turn."""
        return self.turns.waiting > 0

    async def __call__(self, tool: str, context: Call | None = None, /, **args: Any) -> ToolResult:
        return await call(tool, args, context or Call(session_id=self.name), self.session)


@contextlib.asynccontextmanager
async def open_desk(ssh_command: str, folder: Path, name: str = "ses_ours", *, slug: str = SLUG) -> AsyncIterator[Desk]:
    """A session on `folder`; its local files lie where the environment's HOME says, shared with every other one.

    Args:
        slug: names the target; the same for all that are one target over several links.
    """
    async with open_pool(ssh_command) as pool:
        host = await Host.connect(pool, HostOptions(workdir=str(folder), login=False))
        try:
            session = await open_session(Settings(ssh=ssh_command, workdir=str(folder)), host, target_slug=slug)
            turns = WatchedTurns(host.files.turns)
            host.files.turns = turns
            try:
                yield Desk(session, folder, name, host, turns)
            finally:
                await session.sweeper.close()
                session.store.close()
        finally:
            await host.close()


def use_local_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is kept on this machine go to `folder`."""
    folder.mkdir(exist_ok=True)
    for name in ("HOME", "USERPROFILE", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(folder))


def leftovers(folder: Path) -> list[str]:
    """Temporaries of ours below a folder of the remote."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".pybridge-*"))


def content(path: Path) -> bytes | None:
    """What a file holds; None when it is not there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
