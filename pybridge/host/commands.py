"""Running the user's commands: an idle shell becomes the command; a timeout or an abort ends its whole tree."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import posixpath
from dataclasses import dataclass

from pybridge.errors import (
    ConnectionLostError,
    RemoteError,
    ToolError,
)
from pybridge.host.command_shells import CommandShells
from pybridge.host.facts import Facts
from pybridge.host.framing import encode_text, new_marker, quote
from pybridge.host.marked_output import MarkedOutput
from pybridge.host.model import Command, CommandResult
from pybridge.host.process_tree import end_tree
from pybridge.host.shells import ControlShells
from pybridge.host.sudo import Sudo
from pybridge.transport.process import ByteProcess

log = logging.getLogger(__name__)

LONGEST_ARGUMENT = 96 * 1024
"""Linux takes 128 KiB in one argument; a longer command goes through a file descriptor."""

START_TIMEOUT = 30.0
_QUIET = 0.15
_DRAIN = 1.0
_STREAMS_AFTER_KILL = 2.0
_END = 10.0
_EXIT_AFTER_STREAMS = 5.0


@dataclass(frozen=True)
class Shell:
    """The shell that runs commands.

    Args:
        path: its name or path on the remote.
    """

    path: str

    @property
    def name(self) -> str:
        """Its name without folders."""
        return posixpath.basename(self.path)


def choose_shell(facts: Facts, override: str | None) -> Shell:
    """REMOTE_SHELL, else the login shell where it is bash or zsh, else bash, else sh."""
    if override:
        return Shell(override)
    if posixpath.basename(facts.shell) in ("bash", "zsh"):
        return Shell(facts.shell)
    return Shell("bash" if "bash" in facts.tools else "/bin/sh")


def command_script(command: Command, shell: Shell, facts: Facts, marker: str, sudo: Sudo | None = None) -> str:
    """What an idle shell, which knows `guard_functions`, is sent so that it becomes the command.

    Its first lines on both streams are the marker (on stdout with its process id), so that whatever a login script or
    the server printed before is told from the command's own output.
    """
    workdir = quote(command.workdir)
    # One command in braces: cut short by a dying link, nothing of it is run. Half of a quoted text may be a whole one.
    lines = [
        "{",
        f"cd {workdir} 2>/dev/null || {{ pb_w=missing; [ -e {workdir} ] && pb_w=denied; [ -e {workdir} ] &&"
        f" [ ! -d {workdir} ] && pb_w=file; printf '\\n%s %s %s\\n' {marker} $$ $pb_w; printf '\\n%s\\n' {marker} >&2;"
        " exit 125; }",
    ]
    # With SSH_CLIENT set and SHLVL below 2, bash takes itself to be started by sshd and reads ~/.bashrc for -c too.
    lines.append("SHLVL=1; export SHLVL")
    lines += [f"export {name}={quote(value)}" for name, value in command.environment.items()]
    lines.append(
        f"command -v {quote(shell.path)} >/dev/null 2>&1 || {{ printf '\\n%s %s noshell\\n' {marker} $$;"
        f" printf '\\n%s\\n' {marker} >&2; exit 125; }}"
    )
    if sudo is not None:
        lines.append(sudo.opening)
    lines.append(f"pb_guard {facts.leads or 'setsid' in facts.tools:d}")
    lines.append(f"printf '\\n%s %s ok\\n' {marker} $$; printf '\\n%s\\n' {marker} >&2")
    setsid = "" if facts.leads or "setsid" not in facts.tools else "setsid "
    program = quote(shell.path)
    if len(encode_text(command.text)) <= LONGEST_ARGUMENT:
        lines.append(f"exec {setsid}{program} -c {quote(command.text)} </dev/null")
    else:
        # The shell reads the text from descriptor 9 and closes it before the text runs. A text cut short by a dying
        # link lacks its end and is not run.
        end = f"# {marker} end"
        inner = (
            f'pb_c=$(cat <&9); exec 9<&-; case $pb_c in *"{end}") ;; *) exit 125 ;; esac; '
            f'eval "unset pb_c; ${{pb_c%"{end}"}}"'
        )
        lines.append(
            f"exec {setsid}{program} -c {quote(inner)} </dev/null 9<<'{marker}'\n{command.text}\n{end}\n{marker}"
        )
    lines.append("}")
    return "\n".join(lines) + "\n"


class Commands:
    """Runs commands on one host.

    Args:
        shells: idle shells that become commands.
        control: control shells, to end a tree from.
        facts: what the probe found.
        shell: the shell that runs them.
    """

    def __init__(self, shells: CommandShells, control: ControlShells, facts: Facts, shell: Shell) -> None:
        self._shells = shells
        self._control = control
        self._facts = facts
        self.shell = shell
        self.sudo: Sudo | None = None
        """What commands of the user's are given for sudo."""
        self.sudo_used = False

    async def run(self, command: Command) -> CommandResult:
        """Run it and hand on its output as it comes.

        Raises:
            FileMissingError, NotDirectoryError, FilePermissionError: the working folder; nothing was run.
            ConfigurationError: REMOTE_SHELL is not there; nothing was run.
            ConnectionLostError: the connection ended; whether the command ended is not known.
            ConnectError, ChannelError: it could not be started; nothing was run.
        """
        return await self.run_with(self.shell, command, self.sudo)

    async def run_with(self, shell: Shell, command: Command, sudo: Sudo | None = None) -> CommandResult:
        """As `run`, in the shell given, and with sudo's password only if it is."""
        if "\0" in command.text:
            raise ToolError("A command cannot hold a NUL character.", next_step="Write it as an escape sequence.")
        marker = new_marker()
        self.sudo_used = self.sudo_used or sudo is not None
        process = await self._send(encode_text(command_script(command, shell, self._facts, marker, sudo)))
        try:
            return await _Running(self, process, command, marker, sudo).finish()
        finally:
            process.close()
            self._shells.ended()

    async def _send(self, script: bytes) -> ByteProcess:
        """A shell that was sent the whole script. One that is found dead before that has run nothing of it."""
        for last_try in (False, True):
            process = await self._shells.take()
            try:
                await process.write(script)
            except BaseException as error:
                process.close()
                self._shells.ended()
                if last_try or not isinstance(error, ConnectionLostError):
                    raise
                self._shells.drop_idle()
            else:
                return process
        raise AssertionError("unreachable")

    async def end(self, pid: int, gone: asyncio.Event, sudo: Sudo | None) -> None:
        """End the tree of a running command."""
        await end_tree(self._control, pid, self._facts.leads or "setsid" in self._facts.tools, gone, sudo)


class _Running:
    """One command on its way: its streams, its end, and what may cut it short."""

    def __init__(
        self, commands: Commands, process: ByteProcess, command: Command, marker: str, sudo: Sudo | None
    ) -> None:
        self._commands = commands
        self._sudo = sudo
        self._process = process
        self._command = command
        self._output = MarkedOutput(command, marker)
        self._gone = asyncio.Event()
        self._last_piece = 0.0
        self._held = False

    async def finish(self) -> CommandResult:
        reading = asyncio.create_task(self._read())
        waits: list[asyncio.Task[object]] = [reading]
        aborting = None
        if self._command.abort is not None:
            aborting = asyncio.create_task(self._command.abort.wait())
            waits.append(aborting)
        try:
            done, _ = await asyncio.wait(waits, timeout=self._command.timeout, return_when=asyncio.FIRST_COMPLETED)
            if reading in done:
                reading.result()
                return self._result()
            aborted = aborting is not None and aborting in done
            await self._end(reading)
            return CommandResult(None, None, timed_out=not aborted, aborted=aborted)
        except asyncio.CancelledError:
            with contextlib.suppress(RemoteError):
                await self._end(reading)
            raise
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _read(self) -> None:
        try:
            reading = asyncio.create_task(self._read_streams())
            exiting = asyncio.create_task(self._process.wait_exit())
            try:
                await asyncio.wait([reading, exiting], return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    # The shell has ended but a child of its holds the streams: what it wrote before is on its way.
                    await self._drain(reading)
                if reading.done():
                    reading.result()
                    await asyncio.wait([exiting], timeout=_EXIT_AFTER_STREAMS)
            finally:
                for task in (reading, exiting):
                    task.cancel()
                await asyncio.gather(reading, exiting, return_exceptions=True)
        finally:
            self._gone.set()

    async def _read_streams(self) -> None:
        clock = asyncio.get_running_loop().time
        while (piece := await self._process.read()) is not None:
            self._output.feed(*piece)
            await self._room()
            self._last_piece = clock()
        self._output.end()

    async def _room(self) -> None:
        if self._command.room is None:
            return
        self._held = True
        try:
            await self._command.room()
        finally:
            self._held = False

    async def _drain(self, reading: asyncio.Task[None]) -> None:
        clock = asyncio.get_running_loop().time
        self._last_piece = clock()
        spent = 0.0
        while not reading.done() and clock() - self._last_piece < _QUIET and spent < _DRAIN:
            before, held = clock(), self._held
            await asyncio.wait([reading], timeout=_QUIET / 3)
            if held or self._held:
                self._last_piece = clock()  # it is the reader of the output that is slow
            else:
                spent += clock() - before

    async def _end(self, reading: asyncio.Task[None]) -> None:
        if self._output.pid is None and not reading.done():
            # Not even the process id has come: give it the time of a slow start.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STREAMS_AFTER_KILL):
                    await self._output.started.wait()
        if self._output.pid is not None:
            # A server that allows no further channel gives no way to say so: then the channel's end says it (guard).
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END):
                    await self._commands.end(self._output.pid, self._gone, self._sudo)
        await asyncio.wait([reading], timeout=_STREAMS_AFTER_KILL)
        if reading.done() and (error := reading.exception()) is not None and not isinstance(error, ConnectionLostError):
            raise error

    def _result(self) -> CommandResult:
        self._output.check(self._commands.shell.path)
        status = self._process.exit_status
        if status is None or (status.code is None and status.signal is None):
            if self._output.pid is None:
                raise ConnectionLostError("the remote shell ended before it took the command; nothing was run")
            return CommandResult(None, None)
        return CommandResult(status.code, status.signal)
