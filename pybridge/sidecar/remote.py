"""The real remote folder: a host that was reached, and the tools that work there.

Importing this takes time at the start, so it is loaded while the host is being reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
from typing import Any

from pybridge.errors import RemoteError
from pybridge.host.host import Host
from pybridge.sidecar.calls import ToolCall
from pybridge.sidecar.reaching import Reached
from pybridge.sidecar.reverts import reverted_changes
from pybridge.sidecar.target import LinkReport
from pybridge.tools import registry, user_command
from pybridge.tools.conversation import Conversation, Point
from pybridge.tools.mentions.user_message import UserMessage
from pybridge.tools.session import Session, open_session
from pybridge.tools.surroundings.descriptions import Where
from pybridge.tools.surroundings.prompt import RemoteSurroundings
from pybridge.tools.surroundings.remote import Surroundings, Wanted, platform
from pybridge.transport.carriers import RemoteCarrier
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
        from pybridge.tools.mentions import delivery  # most sessions have none

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
        from pybridge.tools import reverting  # most sessions never take anything back

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


async def open_folder(reached: Reached, report: LinkReport) -> RemoteFolder:
    """Open what is known of the files in the folder that `reached` leads to; if that fails, all is closed.

    Args:
        report: told when the link is lost and found again.

    Raises:
        RemoteError: with what to do about it.
    """
    settings, target, pool = reached.settings, reached.route.target, reached.pool
    async with contextlib.AsyncExitStack() as undo:
        undo.push_async_callback(reached.close)
        session = await open_session(settings, reached.host, target_slug=target.slug, host_name=str(target))
        undo.pop_all()

    def on_state(state: PoolState, error: RemoteError | None) -> None:
        reached.host.files.known_files.forget_all()  # others have all the time that the link is away
        if state is PoolState.READY:
            session.sweeper.link_is_back()
            if session.temporary is not None:
                session.temporary.link_is_back()
        report(state.value, error)

    pool.on_state = on_state  # before, the one who waits for us reports
    return RemoteFolder(pool, reached.host, session)
