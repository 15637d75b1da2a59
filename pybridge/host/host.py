"""One reachable machine: what it is, its commands, its files, its searches."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from pybridge.errors import ConnectionLostError, RemoteError
from pybridge.host.command_shells import CommandShells
from pybridge.host.commands import Commands, choose_shell
from pybridge.host.facts import Facts
from pybridge.host.files import Files
from pybridge.host.login_environment import LoginEnvironment, capture
from pybridge.host.model import Command, CommandResult, Fetched
from pybridge.host.place import Place, expand, parse_place, place_script
from pybridge.host.recovery import Settlement, UnfinishedRequest
from pybridge.host.scripts_runner import Scripts
from pybridge.host.search import Search
from pybridge.host.shell_carrier import ShellCarrier
from pybridge.host.shells import ControlShells
from pybridge.host.sudo import Sudo
from pybridge.host.uploading import Uploader
from pybridge.transport.process import Carrier


@dataclass(frozen=True)
class HostOptions:
    """How a host is to be used.

    Args:
        workdir: folder to work in as the user wrote it (`~`, relative to the home folder, a symlink); None for home.
        shell: shell for commands, instead of the one the architecture chooses (REMOTE_SHELL).
        login: capture the login environment (REMOTE_LOGIN).
    """

    workdir: str | None = None
    shell: str | None = None
    login: bool = True


class Host:
    """One machine, reached over `carrier`. Made by `Host.connect`.

    Attributes:
        facts: what the probe found.
        place: the folder worked in.
        files: its files.
        search: its searches.
    """

    def __init__(self, carrier: ShellCarrier, options: HostOptions, control: ControlShells, facts: Facts, place: Place):
        self.facts = facts
        self.place = place
        self._carrier = carrier
        self._control = control
        self._shells = CommandShells(carrier)
        self._commands = Commands(self._shells, control, facts, choose_shell(facts, options.shell))
        self.files = Files(control, facts, Uploader(carrier))
        self.search = Search(self._script, facts)
        self._scripts = Scripts(self._commands)
        self.login = LoginEnvironment()
        self._options = options
        self._login_captured = asyncio.create_task(self._log_in())
        self._shells.start_early()
        self._warming = asyncio.create_task(control.warm())

    @classmethod
    async def connect(cls, carrier: Carrier, options: HostOptions | None = None) -> Host:
        """Probe the machine behind `carrier`, in one flight.

        Raises:
            ConnectError, ConnectionLostError, ChannelError: it could not be reached.
            ProtocolError, ProbeError: what answers cannot be worked with.
            RemoteTimeoutError: it did not answer.
        """
        options = options or HostOptions()
        shells = ShellCarrier(carrier)
        control = ControlShells(shells)
        shells.expect(2 if options.login else 1)  # the capture of the login environment, and a shell for commands
        try:
            facts, found = await control.probe(place_script(options.workdir))
        except BaseException:
            control.close()
            raise
        return cls(shells, options, control, facts, parse_place(found, facts, options.workdir))

    @property
    def home(self) -> str:
        """The remote user's home folder, whether or not it exists."""
        return self.facts.home

    @property
    def shell(self) -> str:
        """The shell commands run in."""
        return self._commands.shell.path

    def expand(self, path: str) -> str:
        """`path` as an absolute path: `~` and relative paths start at the home folder."""
        return expand(path, self.facts.home)

    async def resolve(self, path: str) -> Fetched:
        """What `path` is on the remote, symlinks resolved, without its content."""
        return await self.files.fetch_one(self.expand(path), max_bytes=0)

    async def run(self, command: Command) -> CommandResult:
        """Run a command of the user's; see `Commands.run`."""
        await self.login_captured()
        with self.files.known_files.changing():
            return await self._commands.run(command)

    def offer_sudo(self, sudo: Sudo) -> None:
        """Give commands of the user's the password for sudo from now on."""
        self._commands.sudo = sudo

    @property
    def sudo_used(self) -> bool:
        """A command was run that was given it, so there may be its folder."""
        return self._commands.sudo_used

    async def run_control(self, script: str, *, timeout: float = 30.0) -> bytes:
        """The output of a small script of our own that changes nothing."""
        return (await self._control.request(script, timeout=timeout, retry=True)).stdout

    async def recover(self, requests: Sequence[UnfinishedRequest]) -> dict[str, Settlement]:
        """Settle requests whose makers are gone; see `recovery.recover`."""
        return await self.files.recover(requests)

    async def login_captured(self) -> LoginEnvironment:
        """The login environment, once it is there.

        Raises:
            RemoteError: the connection was lost before it was, and there is no other.
        """
        try:
            await asyncio.shield(self._login_captured)
        except ConnectionLostError:
            if self._login_captured.done() and self._login_captured.exception() is not None:
                self._login_captured = asyncio.create_task(self._log_in(again=True))
            await asyncio.shield(self._login_captured)
        return self.login

    async def _script(self, script: str, **options: object):
        await self.login_captured()
        return await self._scripts(script, **options)  # type: ignore[arg-type]

    async def _log_in(self, *, again: bool = False) -> None:
        if self._options.login:
            self.login = await capture(self._carrier, self.facts.shell, leads=self.facts.leads, again=again)
            self._shells.use_environment(self.login.exports)
            self._use_facts(self.facts.with_login(rg=self.login.rg, umask=self.login.umask))
        self._shells.refill()

    def _use_facts(self, facts: Facts) -> None:
        self.facts = facts
        self.files.use_facts(facts)
        self.search = Search(self._script, facts)

    async def close(self) -> None:
        """Let go of every shell. The carrier is its owner's to close."""
        for task in (self._login_captured, self._warming):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, RemoteError):
                await task
        self._shells.close()
        self._control.close()
