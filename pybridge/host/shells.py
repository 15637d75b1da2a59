"""A few control shells per host, lent out one request at a time, and the first one's probe.

Small requests come back within a round trip, so a few shells serve very many. Where slow ones hold them all, further
shells are started, and given up again afterwards; and neither slow requests nor one caller may hold all there can be.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from pybridge.errors import ConnectionLostError, RemoteError
from pybridge.host.control_shell import DEFAULT_TIMEOUT, ControlShell
from pybridge.host.facts import Facts, parse_probe, probe_script, script
from pybridge.host.fairness import FairQueue, Places, current_caller
from pybridge.host.framing import Reply
from pybridge.host.login_shell import OTHER_WAYS, NoShellError
from pybridge.host.shell_carrier import NoRoomError, ShellCarrier

T = TypeVar("T")

PRELUDE = ("prelude.sh", "apply.sh", "apply_together.sh", "apply_alone.sh", "fetch_together.sh")
"""The scripts whose functions every control shell knows."""

PROBE_TIMEOUT = 20.0
USUAL_SHELLS = 3
"""Started as soon as they are needed, and kept."""

MOST_SHELLS = 8
MOST_OF_ONE_CALLER = 6
MOST_SLOW = 4
"""Shells for what may take long: changes, which wait for their turn and for uploads, and parts of huge files."""

_PATIENCE_SECONDS = 0.3
"""How long somebody waits for one of the usual shells to come back before a further one is started."""


class ControlShells:
    """Lends control shells: an idle one at once, a new one while there are few, else the next to come free.

    Args:
        carrier: where they are started; the first start finds out which way its login shell takes.
        most: how many there may be.
    """

    def __init__(self, carrier: ShellCarrier, most: int = MOST_SHELLS) -> None:
        self._carrier = carrier
        self._at_most = most
        self._places = Places(lambda: self._most, lambda: min(MOST_OF_ONE_CALLER, self._most - 1))
        self._slow = Places(lambda: min(MOST_SLOW, self._most - 1), lambda: None)
        self._idle: list[ControlShell] = []
        self._lent = 0
        self._starting: set[asyncio.Task[None]] = set()
        self._waiting: FairQueue[ControlShell] = FairQueue()
        self._impatient: asyncio.TimerHandle | None = None
        self._closed = False
        carrier.spares.append(self.spare)

    @property
    def _most(self) -> int:
        """How many there may be now: fewer where channels are few, or where opening one is delicate."""
        places = self._carrier.places
        room = self._at_most if places is None else places // 2
        most = USUAL_SHELLS if self._carrier.opening_is_delicate else min(self._at_most, room)
        return max(USUAL_SHELLS, most)

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
        async with self._places.held():
            shell, reply = await self._start_some_way(first)
            self._give_back(shell)
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
    async def lend(self, *, slow: bool = False) -> AsyncIterator[ControlShell]:
        """A shell of one's own for some requests; it goes back if it is still usable.

        Args:
            slow: it may be kept for long, so that some are left for those who want one for a moment.

        Raises:
            ConnectError, ConnectionLostError, ChannelError, ProtocolError, RemoteTimeoutError: none could be started.
        """
        async with contextlib.AsyncExitStack() as held:
            if slow:
                await held.enter_async_context(self._slow.held())
            await held.enter_async_context(self._places.held())
            shell = await self._take()
            try:
                yield shell
            finally:
                self._lent -= 1
                if shell.usable:
                    self._give_back(shell)
                else:
                    if not shell.is_kept:
                        shell.close()
                    self._grow()  # its place may be taken by a new one

    async def request(
        self, request: str, *, timeout: float = DEFAULT_TIMEOUT, retry: bool = False, slow: bool = False
    ) -> Reply:
        """One request on any shell.

        Args:
            request: the script.
            timeout: seconds.
            retry: the request changes nothing, so it is made again, once, when the link is lost or does not answer.
            slow: it may take long; see `lend`.
        """
        if not retry:
            return await self._request(request, timeout, harmless=False, slow=slow)
        return await self.once_more_if_lost(lambda: self._request(request, timeout, harmless=True, slow=slow))

    async def once_more_if_lost(self, action: Callable[[], Awaitable[T]]) -> T:
        """The result of something that changes nothing; it is done again, once, when the link is lost over it."""
        try:
            return await action()
        except ConnectionLostError:
            if self._closed:
                raise
            self._drop_idle()  # all of them went with the link
            return await action()

    async def _request(self, request: str, timeout: float, *, harmless: bool, slow: bool) -> Reply:
        async with self.lend(slow=slow) as shell:
            return await shell.request(request, timeout=timeout, harmless=harmless)

    async def _take(self) -> ControlShell:
        """An idle shell that can be reached, else the next to come back or to be started; it counts as lent."""
        while self._idle:
            shell = self._idle.pop()
            self._lent += 1
            answers = False
            try:
                answers = await shell.answers()
            finally:
                if not answers:
                    self._lent -= 1
                    shell.close()
            if answers:
                return shell
        if self._closed:
            raise _closing()
        caller = current_caller()
        waiter = self._waiting.join(caller)
        self._grow()
        return await self._waiting.served(caller, waiter, self._unlent)

    def _unlent(self, shell: ControlShell) -> None:
        self._lent -= 1
        self._give_back(shell)

    def _give_back(self, shell: ControlShell) -> None:
        """Hand a shell on to the next one who waits; else keep it, if few are kept."""
        self._be_patient()
        if not self._closed and (following := self._waiting.pop()) is not None:
            self._lent += 1
            following[1].set_result(shell)
        elif not self._closed and len(self._idle) < USUAL_SHELLS:
            self._idle.append(shell)
        else:
            shell.close()
        self._grow()

    def _grow(self, *, beyond_usual: bool = False) -> None:
        """Start what those who wait need: the usual shells at once, one more when none comes back for a while."""
        if self._closed:
            return
        count = self._lent + len(self._idle) + len(self._starting)
        most = min(self._most, count + 1) if beyond_usual else USUAL_SHELLS
        missing = min(len(self._waiting) - len(self._starting), most - count)
        for _ in range(missing):
            task = asyncio.create_task(self._add())
            self._starting.add(task)
        if len(self._waiting) > len(self._starting) and self._impatient is None:
            loop = asyncio.get_running_loop()
            self._impatient = loop.call_later(_PATIENCE_SECONDS, self._lose_patience)

    def _be_patient(self) -> None:
        if self._impatient is not None:
            self._impatient.cancel()
            self._impatient = None

    def _lose_patience(self) -> None:
        self._impatient = None
        self._grow(beyond_usual=True)

    async def _add(self) -> None:
        """Start a shell for whoever waits first by then."""
        try:
            shell = await self._start(lambda: bool(self._waiting))
        except NoRoomError:
            shell = None  # nobody waited for it any more
        except Exception as error:
            shell = None
            if (following := self._waiting.pop()) is not None:
                following[1].set_exception(error)
        finally:
            self._starting.discard(asyncio.current_task())  # type: ignore[arg-type]
        if shell is not None:
            self._give_back(shell)
        else:
            self._grow()

    async def _start(self, wanted: Callable[[], bool]) -> ControlShell:
        for last_try in (False, True):
            try:
                shell, _ = await ControlShell.start(self._carrier, _prelude(), ":", PROBE_TIMEOUT, wanted=wanted)
            except ConnectionLostError:
                if last_try or not wanted() or self._closed:
                    raise  # else a link died over it, and starting a shell changes nothing
            else:
                return shell
        raise AssertionError("the last try returns or raises")

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
                self._give_back(await self._start(lambda: False))

    def close(self) -> None:
        """Let go of every idle shell; lent ones go when they come back, and nobody waits for one any longer."""
        self._closed = True
        self._be_patient()
        self._drop_idle()
        for starting in self._starting:
            starting.cancel()
        while (following := self._waiting.pop()) is not None:
            following[1].set_exception(_closing())


def _closing() -> ConnectionLostError:
    return ConnectionLostError("The connection is being closed.")


def _prelude() -> str:
    return "\n".join(script(name) for name in PRELUDE)
