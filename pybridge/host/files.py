"""Changing remote files: all or none, and the truth about it when the link dies on the way (laws 2 and 3)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import posixpath
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace

from pybridge.errors import (
    AuthenticationError,
    ChangeLeftError,
    ChannelError,
    ConnectError,
    ConnectionLostError,
    FileError,
    HostKeyError,
    IsDirectoryError,
    OutcomeUnknownError,
    ProtocolError,
    RemoteError,
    RemoteTimeoutError,
    SpecialFileError,
    UnverifiedWriteError,
)
from pybridge.host.applying import Step, apply_script, conflicts, failure, plan
from pybridge.host.control_shell import DEFAULT_TIMEOUT, ControlShell
from pybridge.host.facts import Facts
from pybridge.host.file_reader import SLOWEST_BYTES_PER_SECOND, FileReader
from pybridge.host.framing import encode_text, quote
from pybridge.host.model import ABSENT, Applied, Change, Fetch, FileKind, VersionConflict
from pybridge.host.recovery import Settled, Settlement, UnfinishedRequest, recover, unfinished
from pybridge.host.safeguards import NoRecords, NoTurns, Recorder, TurnTaker
from pybridge.host.shells import ControlShells
from pybridge.host.uploading import Uploader, made_at, making_script

INLINE_BYTES = 512 * 1024
"""Content up to this size travels inside the request; more goes ahead of it on a stream of its own."""

SLOWEST_STEP = 1.0
"""Seconds for the processes one change starts, on a slow remote."""

PATH_MAX = 4096
"""Bytes of a path that Linux takes, its end included; other systems take fewer."""

SETTLE_PAUSES = (0.0, 1.0, 3.0)
"""Seconds before each attempt to reach the remote again when the link died under a change."""

TURNS_TAKEN = 3
"""How often a turn is taken in the hope that nobody's unfinished request is in the way."""

log = logging.getLogger(__name__)


class NothingWrittenError(ConnectionLostError):
    """The link died, and a look over a new one shows that none of the changes was made, or that all were taken back."""


class _Interrupted(Exception):
    """What was sent may be carried out, or not, or in part."""

    def __init__(self, cause: RemoteError, *, in_turn: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.in_turn = in_turn


class Files(FileReader):
    """Files of one host.

    Args:
        shells: the control shells that do the work.
        facts: what the probe found.
        uploader: carries large contents.
    """

    def __init__(self, shells: ControlShells, facts: Facts, uploader: Uploader) -> None:
        super().__init__(shells, facts)
        self._uploader = uploader
        self.records: Recorder = NoRecords()
        self.turns: TurnTaker = NoTurns()
        self.on_settled: Callable[[UnfinishedRequest, Settlement], None] = lambda request, settlement: None
        """Told what became of an earlier change that was in the way of one made here."""
        self.on_given_up: Callable[[], None] = lambda: None
        """Told that a change could not be settled although the remote can be reached: its shell does not end."""
        self.workdir: str | None = None
        """The folder worked in, symlinks resolved: where it is gone, no file is created as if it were a new one."""

    async def apply(self, changes: Sequence[Change]) -> list[Applied]:
        """Make all changes or none, each only if its target still is the expected version. One round trip.

        Raises:
            VersionConflict: a target is another version; nothing was changed.
            FileError: a change could not be made; nothing was changed.
            OutcomeUnknownError: the link died in the middle; each file is entirely old or entirely new.
        """
        if not changes:
            return []
        try:
            return await self._apply_once(changes)
        except UnverifiedWriteError:
            if not self._uploader.distrust_sftp():
                raise
            return await self._apply_once(changes)
        except NothingWrittenError:
            # Nothing of it was made, and nothing of it can be made any more: once more, over a new connection.
            return await self._apply_once(changes)

    async def recover(self, requests: Sequence[UnfinishedRequest]) -> dict[str, Settlement]:
        """Settle requests that nobody waits for any more; see `recovery.recover`. Waits for the turn of their files."""
        if not requests:
            return {}
        # First the shell, as whoever writes does: the other way round both could wait for each other.
        async with (
            self._shells.lend() as shell,
            self.turns.take([left.target for request in requests for left in request.leftovers]),
        ):
            return await self._recover_in_turn(shell, requests)

    async def _recover_in_turn(
        self, shells: ControlShells | ControlShell, requests: Sequence[UnfinishedRequest]
    ) -> dict[str, Settlement]:
        """Settle requests whose turn is held, and remove their records before it ends.

        Two that settled one request after the other would take what was changed in between for a part of it.
        """
        pending = [r for r in requests if await asyncio.to_thread(self.records.is_pending, r.key)]
        settled = await recover(shells, self._facts, pending)
        for key, settlement in settled.items():
            if settlement.state is not Settled.ALIVE:
                await asyncio.to_thread(self.records.done, key)
        return settled

    async def _apply_once(self, changes: Sequence[Change]) -> list[Applied]:
        steps = [await self._plan(change) for change in changes]
        async with contextlib.AsyncExitStack() as turn, contextlib.AsyncExitStack() as lent:
            shell = await lent.enter_async_context(self._shells.lend())
            request = unfinished(steps, shell.identity)
            await asyncio.to_thread(self.records.begin, request)
            try:
                await self._upload(shell, steps)
                differing = await self._replace(shell, steps, turn)
                await asyncio.to_thread(self.records.done, request.key)
            except _Interrupted as interrupted:
                # Its place may be the only one. Only then closed: what it started is found as long as it lives. Nor may
                # another request be given it, such as the one that ends it.
                shell.is_kept, shell.usable = True, False
                await lent.aclose()
                try:
                    await self._settle(request, interrupted)
                finally:
                    shell.close()
                differing = []
            except ChangeLeftError:
                self.records.abandon(request.key)
                raise
            except RemoteError:
                await asyncio.to_thread(self.records.done, request.key)
                raise
            except BaseException:
                shell.usable = False  # what it was asked may be settled by anybody now, and it is ended for that
                self.records.abandon(request.key)
                raise
        if differing:
            current = await self.fetch([Fetch(step.change.path) for step in differing])
            raise VersionConflict(tuple(current))
        for step in steps:
            self._real.pop(step.change.path, None)
        return [Applied(step.change.path, step.version) for step in steps]

    async def _upload(self, shell: ControlShell, steps: list[Step]) -> None:
        """Send large contents ahead; `steps` then names where they lie."""
        for index, step in enumerate(steps):
            content = step.change.content or b""
            if len(content) <= INLINE_BYTES:
                continue
            try:
                with _interruptible(ConnectionLostError):
                    path = made_at(await shell.request(making_script(step)), step)
                    await self._uploader.upload(content, step, path)
                steps[index] = replace(step, uploaded=path)
            except RemoteError:
                await self._remove_temporaries(shell, steps)
                raise

    async def _replace(self, shell: ControlShell, steps: Sequence[Step], turn: contextlib.AsyncExitStack) -> list[Step]:
        """Make the request; returns the steps whose target is another version, none if all changes were made.

        The turn is held by `turn`, longer than this: until it is known what became of the request.
        """
        size = sum(len(step.change.content or b"") for step in steps)
        timeout = 2 * DEFAULT_TIMEOUT + size / SLOWEST_BYTES_PER_SECOND + len(steps) * SLOWEST_STEP
        try:
            await turn.enter_async_context(self._turn(shell, steps))
        except RemoteError:
            await self._remove_temporaries(shell, steps)
            raise
        errors = (ConnectionLostError, RemoteTimeoutError, ProtocolError, OutcomeUnknownError)
        with _interruptible(*errors, in_turn=True):
            reply = await shell.request(apply_script(steps, self._facts), timeout=timeout)
            return conflicts(reply, steps)

    @contextlib.asynccontextmanager
    async def _turn(self, shell: ControlShell, steps: Sequence[Step]) -> AsyncIterator[None]:
        """The turn of all targets, once no request can change them any more whose session was killed during its turn.

        Such a request goes on alone on the remote: between its compare and its replace it would take away what is put
        in place here.

        Raises:
            FileError: such a request cannot be ended; nothing was changed.
        """
        targets = {step.real for step in steps}
        for _ in range(TURNS_TAKEN):
            async with self.turns.take(targets):
                left = await asyncio.to_thread(self.records.abandoned)
                left = [r for r in left if not targets.isdisjoint(item.target for item in r.leftovers)]
                if not left:
                    yield
                    return
            # Not under this turn: it may concern further files.
            async with self.turns.take([item.target for request in left for item in request.leftovers]):
                settled = await self._recover_in_turn(shell, left)
            for request in left:
                if (settlement := settled.get(request.key)) and settlement.state is not Settled.ALIVE:
                    self.on_settled(request, settlement)
        path = steps[0].change.path
        raise FileError(
            f"An earlier change of {path} is still under way on the remote.",
            path=path,
            next_step="Nothing was changed. Try again.",
        )

    async def _remove_temporaries(self, shell: ControlShell, steps: Sequence[Step]) -> None:
        """Take away what was uploaded, and the folders made for it."""
        # One `rm` for each step: there may be more paths than one takes.
        lines = ["rm -f " + " ".join(quote(path) for path in step.temporaries) for step in steps]
        for step in reversed(steps):
            folder = posixpath.dirname(step.real)
            while step.top and len(folder) >= len(step.top):
                lines.append(f"rmdir {quote(folder)} 2>/dev/null")
                folder = posixpath.dirname(folder)
        with _interruptible(RemoteError):
            await shell.request("\n".join(lines))

    async def _settle(self, request: UnfinishedRequest, interrupted: _Interrupted) -> None:
        """Find out over a new connection what became of an interrupted request, and finish it or take it back.

        Raises:
            NothingWrittenError: none of its changes was made, or all were taken back.
            OutcomeUnknownError: that cannot be found out now, or somebody has changed one of the files since.
        """
        paths = ", ".join(left.path for left in request.leftovers)
        cause, settlement = interrupted.cause, None
        try:
            settlement = await self._recover_soon(request, in_turn=interrupted.in_turn)
        finally:
            if settlement is None or settlement.state is Settled.ALIVE:
                self.records.abandon(request.key)
            if settlement is not None and settlement.state is Settled.ALIVE:
                self.on_given_up()
        if settlement is None or settlement.state is Settled.ALIVE:
            raise OutcomeUnknownError(
                f"Writing {paths} was interrupted, and whether it was done is not known: {cause.message}",
                path=request.leftovers[0].path,
                next_step="It is done or taken back as a whole once the remote can be reached. Read again before you "
                "go on.",
            ) from cause
        log.warning("writing %s was interrupted (%s) and is settled: %s", paths, cause.message, settlement.state.value)
        await asyncio.to_thread(self.records.done, request.key)
        for left in request.leftovers:
            self._real.pop(left.path, None)
        if settlement.is_made:
            return
        if settlement.is_not_made:
            raise NothingWrittenError(
                f"Writing {paths} was interrupted, and nothing was changed: {cause.message}", next_step="Try again."
            ) from cause
        raise OutcomeUnknownError(
            f"Writing {paths} was interrupted ({cause.message}), and somebody else has changed "
            f"{', '.join(settlement.kept)} meanwhile; what had been done to the others was taken back.",
            path=request.leftovers[0].path,
            next_step="Read the files again before you go on.",
        ) from cause

    async def _recover_soon(self, request: UnfinishedRequest, *, in_turn: bool) -> Settlement | None:
        """Settle it, with some patience for a link that is coming back; None if it cannot be reached."""
        for pause in SETTLE_PAUSES:
            await asyncio.sleep(pause)
            try:
                settling = self._recover_in_turn(self._shells, [request]) if in_turn else self.recover([request])
                return (await settling).get(request.key)
            except (ConnectionLostError, ConnectError, ChannelError) as error:
                if isinstance(error, AuthenticationError | HostKeyError):
                    break
                log.info("an interrupted change cannot be settled yet: %s", error)
            except RemoteError as error:
                log.info("an interrupted change cannot be settled: %s", error)
                break
        return None

    async def _plan(self, change: Change) -> Step:
        known = self._real.get(change.path)
        if known is None:
            known = await self.fetch_one(change.path, max_bytes=0)
        if known.error is not None:
            raise known.error
        if known.kind is FileKind.DIRECTORY:
            raise IsDirectoryError(f"Path is a directory, not a file: {change.path}", path=change.path)
        if known.kind is FileKind.SPECIAL:
            raise SpecialFileError(
                f"{change.path} is a device, FIFO or socket, which pybridge does not write.", path=change.path
            )
        if len(encode_text(posixpath.dirname(known.real))) >= PATH_MAX:
            # `mkdir -p` makes folders that deep, and nothing can then take them away again by their names.
            raise failure(plan(change, known.real, 0, self._facts), "plan", "File name too long")
        mode = 0o666 & ~self._facts.umask
        if change.mode_from is not None and (source := self._real.get(change.mode_from)) and source.stat:
            mode = source.stat.mode & 0o777
        elif known.stat is not None and change.expected != ABSENT:
            mode = known.stat.mode
        elif change.mode is not None:
            mode = change.mode & 0o777
        if change.content is None:
            # A removal takes the name away, not what a symlink leads to.
            return replace(
                plan(change, posixpath.join(posixpath.dirname(change.path), "x"), mode, self._facts), real=known.real
            )
        return plan(change, known.real, mode, self._facts, workdir=self.workdir, nearest=known.nearest)


@contextlib.contextmanager
def _interruptible(*errors: type[RemoteError], in_turn: bool = False) -> Iterator[None]:
    try:
        yield
    except errors as error:
        raise _Interrupted(error, in_turn=in_turn) from error
