"""Large contents on their way to a temporary: raw bytes on streams of their own, ahead of the request using them.

A server takes one window of a channel's bytes per round trip (OpenSSH's sshd: 2 MB, whatever is asked of it). So the
largest contents travel through several channels, each of which writes a span of the file, where there is room for them.
"""

from __future__ import annotations

import asyncio
import logging

from pybridge.errors import FileError, RemoteError, RemoteTimeoutError
from pybridge.host.applying import Step, failure
from pybridge.host.control_shell import DEFAULT_TIMEOUT
from pybridge.host.framing import Reply, decode_text, quote
from pybridge.host.login_shell import START_COMMAND
from pybridge.host.upload_stream import BLOCK, Span, UploadStream
from pybridge.transport.process import ByteProcess, Carrier

LARGE_BYTES = 4 * 1024 * 1024
"""From here on a content travels over a connection for files, so that it does not delay commands."""

SPAN_BYTES = 4 * 1024 * 1024
"""A further channel is worth its start for so much."""

MOST_FURTHER = 5
"""Channels besides the first: with them the window is six times as large."""

log = logging.getLogger(__name__)

_SLOWEST_BYTES_PER_SECOND = 64 * 1024


class SeveralStreamsError(FileError):
    """A content could not be sent through several channels at once; through one it may be."""


def making_script(step: Step) -> str:
    """A script that makes the temporary of a step, and the folders of a new file, for `made_at` to read its output.

    The shell that is to make the change runs it, and no other one: whoever settles an interrupted change ends that.
    """
    lines = ["PB="]
    if step.creates:
        folder = quote(step.temporary.rpartition("/")[0] or "/")
        there = f"[ -d {quote(step.root)} ] && " if step.root else ""
        lines.append(f"(umask {step.umask:o}; {there}mkdir -p {folder})")
    for index, path in enumerate(_candidates(step)):
        create = f"(umask {step.creation_umask or '077'}; set -C; : > {quote(path)})"
        lines.append(f'[ -n "$PB" ] || {{ {create} && PB={index}; }}')
    return "\n".join([*lines, "printf '%s\\n' \"$PB\""])


def made_at(reply: Reply, step: Step) -> str:
    """Where the temporary was made.

    Raises:
        FileError: nowhere.
    """
    chosen, candidates = reply.stdout.strip(), _candidates(step)
    for index, path in enumerate(candidates):
        if chosen == b"%d" % index:
            return path
    raise failure(step, "create", decode_text(reply.stderr))


def _candidates(step: Step) -> list[str]:
    return [step.temporary] + ([step.elsewhere] if step.elsewhere and not step.creates else [])


class Uploader:
    """Uploads through programs that every remote has, and that need no decoder.

    Args:
        carrier: where processes are started.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._several_work = True

    async def upload(self, content: bytes, step: Step, path: str) -> None:
        """Put `content` into the temporary at `path`, which is there already, and empty (`making_script`).

        Only filled, never made: what a silent link lets go of late would else make a file that nobody removes.
        The bytes are not verified here: the request that uses the temporary does that.

        Raises:
            ConnectionLostError, RemoteTimeoutError: the link failed on the way.
            SeveralStreamsError: one of several channels failed. Do it again with a new temporary: one of their
                programs may still hold this one.
            FileError: it could not be filled.
        """
        further = 0
        if self._several_work and not self._carrier.opening_is_delicate:
            further = min(MOST_FURTHER, len(content) // SPAN_BYTES - 1)
        timeout = _deadline(content)
        sending = _Sending(self._carrier, content, step, path)
        try:
            async with asyncio.timeout(timeout):
                await sending.run(further)
        except (FileError, TimeoutError) as error:
            if sending.is_shared:
                raise SeveralStreamsError(f"Several channels at once failed: {error}", path=path) from error
            if isinstance(error, FileError):
                raise
            raise RemoteTimeoutError(
                f"Sending {step.change.path} took longer than {timeout:.0f} s.", next_step="The file was not changed."
            ) from None
        finally:
            sending.close()

    def distrust_several(self) -> bool:
        """What went through several channels did not arrive as it should: use one from now on.

        Returns:
            Whether several were used until now.
        """
        worked, self._several_work = self._several_work, False
        return worked


class _Sending:
    """One content on its way."""

    def __init__(self, carrier: Carrier, content: bytes, step: Step, path: str) -> None:
        self._carrier = carrier
        self._content = content
        self._step = step
        self._path = path
        self._streams: dict[asyncio.Task[None], UploadStream] = {}
        self._sharing: asyncio.Task[None] | None = None

    @property
    def is_shared(self) -> bool:
        """More than one stream writes the file."""
        return len(self._streams) > 1

    async def run(self, further: int) -> None:
        """Send it, with the help of so many further channels if they are to be had."""
        start = self._carrier.start_transfer if len(self._content) >= LARGE_BYTES else self._carrier.start
        first = Span(0, len(self._content))
        self._send(await start(START_COMMAND), first)
        if further > 0:
            self._sharing = asyncio.create_task(self._share(first, further))
        while pending := [task for task in self._streams if not task.done()]:
            if self._sharing is not None and not self._sharing.done():
                pending.append(self._sharing)
            done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    def close(self) -> None:
        """Let go of everything."""
        if self._sharing is not None:
            self._sharing.cancel()
        for task, stream in self._streams.items():
            task.cancel()
            stream.close()

    def _send(self, process: ByteProcess, span: Span) -> None:
        stream = UploadStream(process, self._step, self._path)
        self._streams[asyncio.create_task(stream.send(self._content, span))] = stream

    async def _share(self, first: Span, further: int) -> None:
        """Give further channels their shares of what is left once they are there."""
        processes = await self._start_further(further)
        share = first.left // (len(processes) + 1)
        for process in processes:
            begin = (first.end - share) // BLOCK * BLOCK
            if share < SPAN_BYTES // 4 or begin <= first.at:  # each begins a little earlier than its share would
                process.close()
                continue
            self._send(process, Span(begin, first.end))
            first.end = begin

    async def _start_further(self, count: int) -> list[ByteProcess]:
        carrier = self._carrier
        starting = [asyncio.create_task(carrier.start_transfer(START_COMMAND, further=True)) for _ in range(count)]
        try:
            await asyncio.wait(starting)
        except asyncio.CancelledError:
            for task in starting:
                if not task.cancel() and task.exception() is None:
                    task.result().close()
            raise
        processes: list[ByteProcess] = []
        for task in starting:
            try:
                processes.append(task.result())
            except RemoteError as error:
                log.info("no further channel for an upload: %s", error)
        if processes and len(processes) < count:
            # The server allows no more: leave one to others.
            processes.pop().close()
        return processes


def _deadline(content: bytes) -> float:
    return 2 * DEFAULT_TIMEOUT + len(content) / _SLOWEST_BYTES_PER_SECOND
