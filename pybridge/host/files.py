"""Changing remote files: all or none, and the truth about it when the link dies on the way (laws 2 and 3)."""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
from collections.abc import Sequence
from dataclasses import replace

from pybridge.errors import (
    ChangeLeftError,
    ConnectionLostError,
    IsDirectoryError,
    OutcomeUnknownError,
    ProtocolError,
    RemoteError,
    RemoteTimeoutError,
    SpecialFileError,
    UnverifiedWriteError,
)
from pybridge.host.apply_script import apply_script
from pybridge.host.applying import Step, conflicts, created, failure, plan
from pybridge.host.control_shell import DEFAULT_TIMEOUT, ControlShell
from pybridge.host.facts import Facts
from pybridge.host.fetch_batches import SLOWEST_BYTES_PER_SECOND
from pybridge.host.framing import encode_text, quote
from pybridge.host.model import ABSENT, Applied, Change, Fetch, Fetched, FileKind, Stat, VersionConflict
from pybridge.host.recovery import unfinished
from pybridge.host.settling import Interrupted, NothingWrittenError, Settler, interruptible
from pybridge.host.shells import ControlShells
from pybridge.host.uploading import SeveralStreamsError, Uploader, made_at, making_script

INLINE_BYTES = 512 * 1024
"""Content up to this size travels inside the request; more goes ahead of it on a stream of its own."""

SLOWEST_STEP = 1.0
"""Seconds for the processes one change starts, on a slow remote."""

PATH_MAX = 4096
"""Bytes of a path that Linux takes, its end included; other systems take fewer."""


class Files(Settler):
    """Files of one host.

    Args:
        shells: the control shells that do the work.
        facts: what the probe found.
        uploader: carries large contents.
    """

    def __init__(self, shells: ControlShells, facts: Facts, uploader: Uploader) -> None:
        super().__init__(shells, facts)
        self._uploader = uploader
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
        except (UnverifiedWriteError, SeveralStreamsError):
            if not self._uploader.distrust_several():
                raise
            return await self._apply_once(changes)
        except NothingWrittenError:
            # Nothing of it was made, and nothing of it can be made any more: once more, over a new connection.
            return await self._apply_once(changes)

    async def _apply_once(self, changes: Sequence[Change]) -> list[Applied]:
        epoch = self.known_files.epoch
        steps = [await self._plan(change) for change in changes]
        before = [self._seen(change.path) for change in changes]
        for change in changes:
            self.known_files.forget(change.path)
        made: dict[int, Stat] | None = None
        async with contextlib.AsyncExitStack() as turn, contextlib.AsyncExitStack() as lent:
            shell = await lent.enter_async_context(self._shells.lend(slow=True))
            request = unfinished(steps, shell.identity)
            self.records.begin(request)  # one small file, in less time than it takes to hand it to a thread
            try:
                await self._upload(shell, steps)
                differing, made = await self._replace(shell, steps, turn)
                self.records.done(request.key)
            except Interrupted as interrupted:
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
                shell.usable = False  # as below
                self.records.abandon(request.key)
                self.on_given_up()
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
        for index, step in enumerate(steps):
            self._real.pop(step.change.path, None)
            if made is not None and (stat := made.get(index) or _changed_stat(before[index], step)) is not None:
                self.known_files.remember(Fetched(step.change.path, step.real, stat, step.version), epoch)
        return [Applied(step.change.path, step.version) for step in steps]

    async def _upload(self, shell: ControlShell, steps: list[Step]) -> None:
        """Send large contents ahead; `steps` then names where they lie."""
        for index, step in enumerate(steps):
            content = step.change.content or b""
            if len(step.sent) <= INLINE_BYTES:
                continue
            try:
                with interruptible(ConnectionLostError):
                    path = made_at(await shell.request(making_script(step)), step)
                    await self._uploader.upload(content, step, path)
                steps[index] = replace(step, uploaded=path)
            except RemoteError:
                await self._remove_temporaries(shell, steps)
                raise

    async def _replace(
        self, shell: ControlShell, steps: Sequence[Step], turn: contextlib.AsyncExitStack
    ) -> tuple[list[Step], dict[int, Stat]]:
        """Make the request.

        Returns:
            The steps whose target is another version, none if all changes were made; and what new files are now.

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
        with interruptible(*errors, in_turn=True):
            reply = await shell.request(apply_script(steps, self._facts), timeout=timeout)
            return conflicts(reply, steps), created(reply, steps)

    async def _remove_temporaries(self, shell: ControlShell, steps: Sequence[Step]) -> None:
        """Take away what was uploaded, and the folders made for it."""
        # One `rm` for each step: there may be more paths than one takes.
        lines = ["rm -f " + " ".join(quote(path) for path in step.temporaries) for step in steps]
        for step in reversed(steps):
            folder = posixpath.dirname(step.real)
            while step.top and len(folder) >= len(step.top):
                lines.append(f"rmdir {quote(folder)} 2>/dev/null")
                folder = posixpath.dirname(folder)
        with interruptible(RemoteError):
            await shell.request("\n".join(lines))

    async def _plan(self, change: Change) -> Step:
        known = self._seen(change.path) or await self.fetch_one(change.path, max_bytes=0)
        real = known.real if change.real is None else change.real
        if known.error is not None:
            raise known.error
        if known.kind is FileKind.DIRECTORY:
            raise IsDirectoryError(f"Path is a directory, not a file: {change.path}", path=change.path)
        if known.kind is FileKind.SPECIAL:
            raise SpecialFileError(
                f"{change.path} is a device, FIFO or socket, which pybridge does not write.", path=change.path
            )
        if len(encode_text(posixpath.dirname(real))) >= PATH_MAX:
            # `mkdir -p` makes folders that deep, and nothing can then take them away again by their names.
            raise failure(plan(change, real, 0, self._facts), "plan", "File name too long")
        mode = 0o666 & ~self._facts.umask
        if change.mode_from is not None and (source := self._seen(change.mode_from)) and source.stat:
            mode = source.stat.mode & 0o777
        elif known.stat is not None and change.expected != ABSENT:
            mode = known.stat.mode
        elif change.mode is not None:
            mode = change.mode & 0o777
        if change.content is None:
            # A removal takes the name away, not what a symlink leads to.
            return replace(
                plan(change, posixpath.join(posixpath.dirname(change.path), "x"), mode, self._facts), real=real
            )
        return plan(change, real, mode, self._facts, workdir=self.workdir, nearest=known.nearest)

    def _seen(self, path: str) -> Fetched | None:
        return self.known_files.recall(path) or self._real.get(path)


def _changed_stat(before: Fetched | None, step: Step) -> Stat | None:
    """What an existing file is once its content has been replaced."""
    if before is None or before.stat is None or step.creates or step.change.content is None:
        return None
    return replace(before.stat, size=len(step.change.content))
