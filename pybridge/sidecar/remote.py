"""The real remote folder: settings to SSH pool, host and session. Importing this is what takes time at the start."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import posixpath
from collections.abc import Mapping
from typing import Any

from pybridge import logs
from pybridge.errors import RemoteError
from pybridge.host.host import Host, HostOptions
from pybridge.settings import Settings
from pybridge.sidecar.calls import ToolCall
from pybridge.sidecar.reverts import reverted_changes
from pybridge.sidecar.target import LinkReport
from pybridge.tools import registry, reverting, user_command
from pybridge.tools.conversation import Conversation, Point
from pybridge.tools.mentions import delivery
from pybridge.tools.mentions.user_message import UserMessage
from pybridge.tools.session import Session, open_session
from pybridge.tools.surroundings.descriptions import Where
from pybridge.tools.surroundings.prompt import RemoteSurroundings
from pybridge.tools.surroundings.remote import Surroundings, Wanted, platform
from pybridge.transport.carriers import RemoteCarrier, find_route, make_carrier
from pybridge.transport.credentials import Credentials
from pybridge.transport.ssh_pool import PoolState


class RemoteFolder:
    """The remote workdir over SSH; a `pybridge.sidecar.target.Target`."""

    def __init__(self, pool: RemoteCarrier, host: Host, session: Session) -> None:
        self._pool = pool
        self._host = host
        self._session = session
        self._surroundings = Surroundings(session, host)

    @property
    def host(self) -> str:
        """The host, as a person would name it."""
        return str(self._pool.target)

    @property
    def workdir(self) -> str:
        """Remote absolute path of the folder."""
        return self._session.workdir

    async def call(self, tool: str, args: object, call: ToolCall) -> dict[str, Any]:
        """Carry out one tool call; see `Target.call`."""
        return (await registry.call(tool, args, call, self._session)).to_json()

    async def deliver(self, message: UserMessage) -> list[dict[str, Any]]:
        """The parts a user's message is to have; see `Target.deliver`."""
        return await delivery.deliver(message, self._session, self.host)

    @property
    def where(self) -> Where:
        """What the descriptions of the tools say of the remote."""
        temporary = self._session.temporary
        return Where(
            host=self.host,
            platform=platform(self._host.facts.system),
            shell=posixpath.basename(self._host.shell),
            workdir=self.workdir,
            worktree=self._session.worktree,
            temporary=temporary.path if temporary else None,
        )

    async def surroundings(self, wanted: Wanted, deadline: float) -> RemoteSurroundings:
        """What a system prompt says of the remote; see `Target.surroundings`."""
        return await self._surroundings.now(wanted, deadline)

    async def revert(self, point: Point | None, conversation: Conversation) -> dict[str, str]:
        """Follow OpenCode's /undo and /redo; see `Target.revert`."""
        return await reverting.revert(self._session, self.host, point, conversation, reverted_changes())

    def forget(self, session_id: str) -> None:
        """An OpenCode session was deleted."""
        self._session.forget(session_id)

    def add_skill(self, folder: str) -> None:
        """OpenCode has told the model of a skill in this local folder."""
        self._session.local_files.add_skill(folder)

    async def run(
        self, text: str, folder: str, abort: asyncio.Event, send: user_command.Send
    ) -> tuple[int | None, str | None]:
        """Run a command of the user's own; see `Target.run`."""
        ended = await user_command.run(self._session, text, folder, abort, send)
        return ended.code, "TERM" if ended.aborted else ended.signal

    async def close(self) -> None:
        """End every remote process and connection."""
        await self._surroundings.close()
        await self._session.remove_folders()
        self._session.spool.close()
        await self._session.sweeper.close()
        await self._host.close()
        await self._pool.close()


async def connect_folder(env: Mapping[str, str], secrets: Mapping[str, str], report: LinkReport) -> RemoteFolder:
    """Connect to what REMOTE_* name.

    Args:
        env: REMOTE_* and PYBRIDGE_* variables.
        secrets: those handed over apart.
        report: told when the link is lost and found again.

    Raises:
        RemoteError: with what to do about it.
    """
    settings = Settings.from_environment(env, secrets)
    logs.configure(settings.log_level, settings.secrets())
    for handler in logging.getLogger().handlers:  # what OpenCode's user sees of standard error
        handler.setFormatter(logs.RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
    route = await asyncio.to_thread(find_route, settings)
    credentials = Credentials.of(settings)
    pool = make_carrier(route, credentials, settings, env={**os.environ, **env})
    async with contextlib.AsyncExitStack() as undo:
        undo.push_async_callback(pool.close)
        options = HostOptions(workdir=settings.workdir, shell=settings.shell, login=settings.login)
        host = await Host.connect(pool, options)
        undo.push_async_callback(host.close)
        session = await open_session(settings, host, target_slug=route.target.slug, host_name=str(route.target))
        undo.pop_all()

    def on_state(state: PoolState, error: RemoteError | None) -> None:
        host.files.known_files.forget_all()  # others have all the time that the link is away
        if state is PoolState.READY:
            session.sweeper.link_is_back()
            if session.temporary is not None:
                session.temporary.link_is_back()
        report(state.value, error)

    pool.on_state = on_state  # before, the one who waits for us reports
    return RemoteFolder(pool, host, session)
