"""A few control shells per host, lent out one request at a time, and the first one's probe."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from pybridge.errors import ConnectionLostError, RemoteError
from pybridge.host.control_shell import DEFAULT_TIMEOUT, ControlShell
from pybridge.host.facts import Facts, parse_probe, probe_script, script
from pybridge.host.framing import Reply
from pybridge.host.login_shell import OTHER_WAYS, NoShellError
from pybridge.host.shell_carrier import ShellCarrier

PROBE_TIMEOUT = 20.0
MOST_SHELLS = 3


class ControlShells:
    """Lends control shells: an idle one at once, a new one while there are few, else the next to come free.

    Args:
        carrier: where they are started; the first start finds out which way its login shell takes.
        most: how many there may be.
    """

    def __init__(self, carrier: ShellCarrier, most: int = MOST_SHELLS) -> None:
        self._carrier = carrier
        self._places = asyncio.Semaphore(most)
        self._idle: list[ControlShell] = []
        self._returned = asyncio.Event()
        self._closed = False
        carrier.spares.append(self.spare)

    async def probe(self, extra: str = "") -> tuple[Facts, bytes]:
        """Start the first shell and look at the remote, in one flight.

        Args:
            extra: a script whose output is wanted together with the probe's.

        Returns:
            The facts, and what `extra` printed.

        Raises:
            NoShellError: the login leads to no POSIX shell, whichever way it is asked.
            ProbeError, ProtocolError: what answers cannot be worked with.
            ConnectError, ConnectionLostError, ChannelError, RemoteTimeoutError: it could not be asked.
        """
        separator = "pb-extra"
        first = f"{probe_script()}\nprintf '\\n%s\\000' {separator}\n{extra}"
        async with self._places:
            shell, reply = await self._start_some_way(first)
            self._idle.append(shell)
        found, _, rest = reply.stdout.partition(f"\n{separator}\0".encode())
        return parse_probe(b"\n" + found), rest

    async def _start_some_way(self, first: str) -> tuple[ControlShell, Reply]:
        try:
            return await ControlShell.start(self._carrier, _prelude(), first, PROBE_TIMEOUT)
        except NoShellError as error:
            refusal = error
        usual = self._carrier.way
        for way in OTHER_WAYS if refusal.may_take_another_way else ():
            self._carrier.way = way
            with contextlib.suppress(NoShellError):
                return await ControlShell.start(self._carrier, _prelude(), first, PROBE_TIMEOUT)
        self._carrier.way = usual
        raise refusal

    @contextlib.asynccontextmanager
    async def lend(self) -> AsyncIterator[ControlShell]:
        """A shell of one's own for some requests; it goes back if it is still usable.

        Raises:
            ConnectError, ConnectionLostError, ChannelError, ProtocolError, RemoteTimeoutError: none could be started.
        """
        async with self._places:
            shell = self._idle.pop() if self._idle else await self._start_or_wait()
            try:
                yield shell
            finally:
                if shell.usable and not self._closed:
                    self._give_back(shell)
                elif not shell.is_kept:
                    shell.close()

    async def request(self, request: str, *, timeout: float = DEFAULT_TIMEOUT, retry: bool = False) -> Reply:
        """One request on any shell.

        Args:
            request: the script.
            timeout: seconds.
            retry: the request changes nothing, so it may be made again when an idle shell turns out to be dead.
        """
        while True:
            reused = bool(self._idle)
            try:
                async with self.lend() as shell:
                    return await shell.request(request, timeout=timeout)
            except ConnectionLostError:
                # A link that died while nobody looked is found out by the first request: all idle shells went with it.
                if not (retry and reused):
                    raise
                self._drop_idle()
                retry = False

    async def _start(self, *, wanted: bool = True) -> ControlShell:
        shell, _ = await ControlShell.start(self._carrier, _prelude(), ":", PROBE_TIMEOUT, wanted=wanted)
        return shell

    async def _start_or_wait(self) -> ControlShell:
        """A new shell, or one that comes back before there is room for a new one."""
        starting = asyncio.create_task(self._start())
        try:
            while not starting.done():
                self._returned.clear()
                returned = asyncio.create_task(self._returned.wait())
                try:
                    await asyncio.wait([starting, returned], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    returned.cancel()
                if not starting.done() and self._idle and self._carrier.crowded:
                    return self._idle.pop()
            return starting.result()
        finally:
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)

    def _give_back(self, shell: ControlShell) -> None:
        self._idle.append(shell)
        self._returned.set()

    def spare(self, last: bool) -> bool:
        """Give up an idle shell, the last one only if told so; whether there was one."""
        if len(self._idle) < (1 if last else 2):
            return False
        self._idle.pop(0).close()
        return True

    def _drop_idle(self) -> None:
        for shell in self._idle:
            shell.close()
        self._idle.clear()

    async def warm(self) -> None:
        """Have a second shell ready, so that two requests at once need no start. Failures do not matter."""
        with contextlib.suppress(RemoteError):
            if len(self._idle) < 2 and not self._closed:
                async with self._places:
                    self._give_back(await self._start(wanted=False))

    def close(self) -> None:
        """Let go of every idle shell; lent ones go when they come back."""
        self._closed = True
        self._drop_idle()


def _prelude() -> str:
    return script("prelude.sh") + "\n" + script("apply.sh")
