"""Running the user's commands: an idle shell becomes the command; a timeout or an abort ends its whole tree."""

from __future__ import annotations

import asyncio
import logging
import posixpath
from dataclasses import dataclass

from pybridge.errors import (
    ConnectionLostError,
    ToolError,
)
from pybridge.host.command_shells import CommandShells
from pybridge.host.facts import Facts
from pybridge.host.framing import encode_text, new_marker, quote
from pybridge.host.lost_commands import LostCommands, describe_loss
from pybridge.host.model import Command, CommandResult
from pybridge.host.process_tree import end_tree
from pybridge.host.running_command import NothingRunError, RunningCommand
from pybridge.host.shells import ControlShells
from pybridge.host.sudo import Sudo
from pybridge.transport.process import ByteProcess

log = logging.getLogger(__name__)

LONGEST_ARGUMENT = 96 * 1024
"""Linux takes 128 KiB in one argument; a longer command goes through a file descriptor."""


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
    lines.append(f"printf '\\n%s %s ok %s\\n' {marker} $$ \"$pb_started\"; printf '\\n%s\\n' {marker} >&2")
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
        self._lost = LostCommands(control, facts.leads or "setsid" in facts.tools)
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
            ConnectionLostError: the connection ended after the command was sent; what is known of it is said.
            ConnectError, ChannelError: it could not be started; nothing was run.
        """
        return await self.run_with(self.shell, command, self.sudo)

    async def run_with(self, shell: Shell, command: Command, sudo: Sudo | None = None) -> CommandResult:
        """As `run`, in the shell given, and with sudo's password only if it is."""
        if "\0" in command.text:
            raise ToolError("A command cannot hold a NUL character.", next_step="Write it as an escape sequence.")
        marker = new_marker()
        self.sudo_used = self.sudo_used or sudo is not None
        script = encode_text(command_script(command, shell, self._facts, marker, sudo))
        process = await self._send_unless_aborted(script, command)
        if process is None:
            return CommandResult(None, None, aborted=True)
        running = RunningCommand(process, command, marker, self.shell.path, sudo, self._end, self._lost)
        try:
            return await running.finish()
        except ConnectionLostError as error:
            if command.harmless or isinstance(error, NothingRunError):
                raise
            raise describe_loss(error, running.lost(), process.exit_status) from error
        finally:
            process.close()
            self._shells.ended()

    async def _send_unless_aborted(self, script: bytes, command: Command) -> ByteProcess | None:
        """The process that was sent the script; None if the abort came first: then nothing was run."""
        sending = asyncio.create_task(self._send(script, harmless=command.harmless))
        aborting = asyncio.create_task((command.abort or asyncio.Event()).wait())
        try:
            await asyncio.wait([sending, aborting], return_when=asyncio.FIRST_COMPLETED)
            return sending.result() if sending.done() else None
        finally:
            aborting.cancel()
            if not sending.done():
                sending.cancel()
                await asyncio.wait([sending])
                if not sending.cancelled() and sending.exception() is None:
                    sending.result().close()
                    self._shells.ended()

    async def _send(self, script: bytes, *, harmless: bool) -> ByteProcess:
        """A shell that was sent the whole script. One that is found dead before that has run nothing of it."""
        if not harmless:
            await self._lost.end()
        for last_try in (False, True):
            process = await self._shells.take()
            try:
                await process.write(self._shells.ahead_of_command(process) + script)
            except BaseException as error:
                process.close()
                self._shells.ended()
                if last_try or not isinstance(error, ConnectionLostError):
                    raise
                self._shells.drop_idle()
            else:
                return process
        raise AssertionError("unreachable")

    async def _end(self, pid: int, gone: asyncio.Event, sudo: Sudo | None) -> None:
        await end_tree(self._control, pid, self._facts.leads or "setsid" in self._facts.tools, gone, sudo)
