"""Running a POSIX sh script in a process of its own: killable, its output bounded. Searches are made of these."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pybridge.errors import ConnectionLostError, RemoteTimeoutError
from pybridge.host.commands import Commands, Shell
from pybridge.host.model import Command
from pybridge.transport.process import Stream


@dataclass(frozen=True)
class ScriptOutput:
    """What a script printed; `truncated` when it was ended for printing more than it may."""

    stdout: bytes
    stderr: bytes
    code: int | None
    truncated: bool


class Scripts:
    """Runs scripts on one host.

    Args:
        commands: what starts and ends processes.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def __call__(
        self, script: str, *, abort: asyncio.Event | None = None, max_bytes: int, timeout: float = 60.0
    ) -> ScriptOutput:
        """Run `script` in `/` with the remote's sh; once more, over a new connection, if the link is lost meanwhile.

        Args:
            script: POSIX sh that changes nothing.
            abort: setting it ends the script.
            max_bytes: the most of standard output that is wanted; the script is ended when it prints more.
            timeout: seconds.

        Raises:
            RemoteTimeoutError: it did not end in time.
            ConnectError, ConnectionLostError, ChannelError: it could not be run.
        """
        try:
            return await self._run(script, abort, max_bytes, timeout)
        except ConnectionLostError:
            return await self._run(script, abort, max_bytes, timeout)

    async def _run(self, script: str, abort: asyncio.Event | None, max_bytes: int, timeout: float) -> ScriptOutput:
        output = {Stream.STDOUT: bytearray(), Stream.STDERR: bytearray()}
        enough = asyncio.Event()

        def take(stream: Stream, data: bytes) -> None:
            buffer = output[stream]
            if len(buffer) <= max_bytes:
                buffer += data
            if stream is Stream.STDOUT and len(buffer) > max_bytes:
                enough.set()

        forwarding = None
        if abort is not None:
            forwarding = asyncio.create_task(_set_after(abort, enough))
        try:
            command = Command(script, "/", timeout=timeout, abort=enough, on_output=take, harmless=True)
            result = await self._commands.run_with(Shell("/bin/sh"), command)
        finally:
            if forwarding is not None:
                forwarding.cancel()
        if result.timed_out:
            raise RemoteTimeoutError(
                f"the search did not end within {timeout:g} s",
                next_step="Search a smaller folder or a narrower pattern.",
            )
        stdout = bytes(output[Stream.STDOUT][:max_bytes])
        return ScriptOutput(stdout, bytes(output[Stream.STDERR][:max_bytes]), result.code, result.aborted)


async def _set_after(source: asyncio.Event, target: asyncio.Event) -> None:
    await source.wait()
    target.set()
