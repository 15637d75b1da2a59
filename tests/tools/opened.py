"""A session on any server, opened as the sidecar opens it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybridge.host.host import Host, HostOptions
from pybridge.locations import state_folder
from pybridge.mirror.temporaries import TemporaryRecords
from pybridge.settings import Settings
from pybridge.tools.context import ToolResult
from pybridge.tools.registry import call
from pybridge.tools.session import Session, open_session
from tests.kit.pools import open_pool
from tests.tools.kit import Call

SLUG = "test-host"


@dataclass
class Opened:
    """A session and the calls made in it. `folder` is its workdir, as the remote knows it."""

    session: Session
    host: Host
    folder: str

    async def __call__(self, tool: str, context: Call | None = None, /, **args: Any) -> ToolResult:
        return await call(tool, args, context or Call(), self.session)


@contextlib.asynccontextmanager
async def opened(ssh: str, folder: str | Path, **options: Any) -> AsyncIterator[Opened]:
    """A session on the server that `ssh` (a value of REMOTE_SSH) reaches; `options` are those of HostOptions."""
    async with open_pool(ssh) as pool, contextlib.AsyncExitStack() as closing:
        host = await Host.connect(pool, HostOptions(workdir=str(folder), login=False, **options))
        closing.push_async_callback(host.close)
        session = await open_session(Settings(ssh=ssh, workdir=str(folder)), host, target_slug=SLUG)
        closing.callback(session.store.close)
        yield Opened(session, host, str(folder))


def records() -> TemporaryRecords:
    """The records of such a session."""
    return TemporaryRecords(state_folder() / "temporaries", SLUG)
