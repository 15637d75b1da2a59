"""Remote files: each operation is one request to a control shell, whatever the number of files."""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from pybridge.errors import (
    ChangeLeftError,
    ConnectionLostError,
    FileError,
    IsDirectoryError,
    OutcomeUnknownError,
    RemoteError,
    RemoteTimeoutError,
    SpecialFileError,
    UnverifiedWriteError,
)
from pybridge.host.applying import Step, apply_script, conflicts, plan
from pybridge.host.control_shell import DEFAULT_TIMEOUT, ControlShell
from pybridge.host.facts import Facts
from pybridge.host.fetching import (
    fetch_script,
    list_script,
    parse_fetched,
    parse_list,
    parse_slice,
    slice_script,
)
from pybridge.host.framing import new_marker, quote
from pybridge.host.model import (
    ABSENT,
    Applied,
    Change,
    Entry,
    Fetch,
    Fetched,
    FileKind,
    Slice,
    VersionConflict,
)
from pybridge.host.safeguards import NoRecords, NoTurns, Recorder, TurnTaker
from pybridge.host.shells import ControlShells
from pybridge.host.uploading import Uploader

INLINE_BYTES = 512 * 1024
"""Content up to this size travels inside the request; more goes ahead of it on a stream of its own."""

SLOWEST_BYTES_PER_SECOND = 64 * 1024
SLOWEST_STEP = 1.0
"""Seconds for the processes one change starts, on a slow remote."""

_REMEMBERED = 4096


class NothingWrittenError(ConnectionLostError):
    """The link died, and a look over a new one shows that none of the changes was made."""


class Files:
    """Files of one host.

    Args:
        shells: the control shells that do the work.
        facts: what the probe found.
        uploader: carries large contents.
    """

    def __init__(self, shells: ControlShells, facts: Facts, uploader: Uploader) -> None:
        self._shells = shells
        self._facts = facts
        self._uploader = uploader
        self._real: OrderedDict[str, Fetched] = OrderedDict()
        self.records: Recorder = NoRecords()
        self.turns: TurnTaker = NoTurns()
        self.workdir: str | None = None
        """The folder worked in, symlinks resolved: where it is gone, no file is created as if it were a new one."""

    def use_facts(self, facts: Facts) -> None:
        """Go on with what is known better by now."""
        self._facts = facts

    async def fetch(self, requests: Sequence[Fetch]) -> list[Fetched]:
        """Each file as it is now, all in one round trip.

        Raises:
            ConnectionLostError, RemoteTimeoutError, ProtocolError: none could be looked at.
        """
        if not requests:
            return []
        marker = new_marker()
        timeout = DEFAULT_TIMEOUT + sum(r.max_bytes for r in requests[:4]) / SLOWEST_BYTES_PER_SECOND
        reply = await self._shells.request(fetch_script(requests, self._facts, marker), timeout=timeout, retry=True)
        answers = parse_fetched(reply.stdout, requests, self._facts, marker)
        for answer in answers:
            self._remember(answer)
        return answers

    async def fetch_one(self, path: str, **options: object) -> Fetched:
        """One file as it is now; `options` as in `Fetch`."""
        return (await self.fetch([Fetch(path, **options)]))[0]  # type: ignore[arg-type]

    async def slice(self, path: str, first_line: int, max_lines: int, max_line_bytes: int = 8004) -> Slice:
        """Some lines of a file too large to fetch.

        Args:
            path: remote absolute path.
            first_line: counts from 1.
            max_lines: at most so many.
            max_line_bytes: each cut to this length.

        Raises:
            FileError: it could not be read.
        """
        marker = new_marker()
        fetched = self._real.get(path) or await self.fetch_one(path, max_bytes=0)
        script = slice_script(fetched.real, first_line, max_lines, max_line_bytes, self._facts, marker)
        reply = await self._shells.request(script, timeout=4 * DEFAULT_TIMEOUT, retry=True)
        total, head, lines = parse_slice(reply.stdout, fetched.path, marker)
        return Slice(fetched, lines, total, head)

    async def list(self, path: str) -> list[Entry]:
        """Everything in a folder, in no order that matters.

        Raises:
            FileMissingError, NotDirectoryError, FilePermissionError: it cannot be listed.
        """
        reply = await self._shells.request(list_script(path, self._facts), timeout=2 * DEFAULT_TIMEOUT, retry=True)
        return parse_list(reply.stdout, reply.status, path)

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
            # The link had died before the request reached the remote: once more, over a new one.
            return await self._apply_again(changes)

    async def _apply_again(self, changes: Sequence[Change]) -> list[Applied]:
        try:
            return await self._apply_once(changes)
        except VersionConflict as conflict:
            # The first request was under way after all, and has been carried out since.
            steps = [await self._plan(change) for change in changes]
            now = {fetched.path: fetched.version for fetched in conflict.current}
            if any(now.get(step.change.path) != step.version for step in steps):
                raise
            return [Applied(step.change.path, step.version) for step in steps]

    async def _apply_once(self, changes: Sequence[Change]) -> list[Applied]:
        steps = [await self._plan(change) for change in changes]
        async with self._shells.lend() as shell:
            key = await asyncio.to_thread(self.records.begin, steps, shell.identity)
            try:
                answered = await self._apply_with(shell, steps)
            except (VersionConflict, FileError) as error:
                if not isinstance(error, (OutcomeUnknownError, ChangeLeftError)):
                    await asyncio.to_thread(self.records.done, key)
                raise
            if answered:
                await asyncio.to_thread(self.records.done, key)
        for step in steps:
            self._real.pop(step.change.path, None)
        return [Applied(step.change.path, step.version) for step in steps]

    async def _apply_with(self, shell: ControlShell, steps: list[Step]) -> bool:
        """Make the request; false if it was made but its answer was lost, so that temporaries may remain."""
        size = 0
        for index, step in enumerate(steps):
            content = step.change.content or b""
            size += len(content)
            if len(content) > INLINE_BYTES:
                try:
                    steps[index] = replace(step, uploaded=await self._uploader.upload(content, step))
                except (FileError, RemoteTimeoutError):
                    await self._remove_temporaries(shell, steps)
                    raise
        timeout = 2 * DEFAULT_TIMEOUT + size / SLOWEST_BYTES_PER_SECOND + len(steps) * SLOWEST_STEP
        async with contextlib.AsyncExitStack() as turn:
            try:
                await turn.enter_async_context(self.turns.take([step.real for step in steps]))
            except RemoteError:
                await self._remove_temporaries(shell, steps)
                raise
            try:
                reply = await shell.request(apply_script(steps, self._facts), timeout=timeout)
                differing = conflicts(reply, steps)
            except (ConnectionLostError, RemoteTimeoutError) as error:
                await self._resolve(steps, error)
                return False
        if differing:
            current = await self.fetch([Fetch(step.change.path) for step in differing])
            raise VersionConflict(tuple(current))
        return True

    async def _remove_temporaries(self, shell: ControlShell, steps: Sequence[Step]) -> None:
        # One `rm` for each step: there may be more paths than one takes.
        lines = ("rm -f " + " ".join(quote(path) for path in step.temporaries) for step in steps)
        await shell.request("\n".join(lines))

    async def _resolve(self, steps: Sequence[Step], cause: RemoteError) -> None:
        """Find out over a new connection whether the request was carried out before the link died.

        Raises:
            OutcomeUnknownError: that cannot be found out (also when the remote may still be at it), or only some of
                the files are new.
            NothingWrittenError: none of the changes was made.
        """
        try:
            now = await self.fetch([Fetch(step.change.path) for step in steps])
        except RemoteError:
            names = ", ".join(step.change.path for step in steps)
            raise OutcomeUnknownError(
                f"The connection ended while {names} was being written; whether it was is not known.",
                path=steps[0].change.path,
                next_step="Each file is either entirely old or entirely new. Read it again before you go on.",
            ) from cause
        new = [answer.version == step.version for answer, step in zip(now, steps, strict=True)]
        if all(new):
            return
        old = [answer.version == step.change.expected for answer, step in zip(now, steps, strict=True)]
        if not any(new) and (isinstance(cause, RemoteTimeoutError) or not all(old)):
            raise OutcomeUnknownError(
                f"The remote did not say how writing {steps[0].change.path} went, and may still be at it.",
                path=steps[0].change.path,
                next_step="Read it again before you go on.",
            ) from cause
        if any(new):
            made = ", ".join(step.change.path for step, done in zip(steps, new, strict=True) if done)
            raise OutcomeUnknownError(
                f"The connection ended in the middle of the change. Only these files are new: {made}.",
                path=steps[0].change.path,
                next_step="Read the files again before you go on.",
            ) from cause
        raise NothingWrittenError(
            "The connection ended before anything was written; no file was changed.", next_step="Try again."
        ) from cause

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
        return plan(change, known.real, mode, self._facts, workdir=self.workdir)

    def _remember(self, answer: Fetched) -> None:
        self._real[answer.path] = replace(answer, content=None, siblings=())
        self._real.move_to_end(answer.path)
        while len(self._real) > _REMEMBERED:
            self._real.popitem(last=False)
