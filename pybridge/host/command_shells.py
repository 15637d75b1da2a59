"""Idle shells waiting for a command: each takes one, becomes it, and is replaced in the background.

So a command costs one round trip, has its own channel, and its exit status is the channel's own.

Where the carrier says that opening is delicate, shells are only started while no command runs, and no command starts
while one is being started; only when no running command ends for a while do those that wait get their shells at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from weakref import WeakSet

from pybridge.errors import ConnectionLostError, RemoteError
from pybridge.host.crowd import Crowd
from pybridge.host.fairness import FairQueue, Places, current_caller
from pybridge.host.framing import encode_text
from pybridge.host.guard import guard_functions
from pybridge.host.login_shell import START_COMMAND
from pybridge.host.shell_carrier import NoRoomError, ShellCarrier
from pybridge.transport.process import ByteProcess, Carrier, may_be_used

READY = 2
READY_WHERE_DELICATE = 4
PATIENCE = 1.0
"""Seconds without a command's end before the shells of those that wait are started all the same."""
LEFT_TO_OTHERS = 4
"""Places that one caller, whatever it asks for, leaves to the others where the server allows only so many."""
STARTS = 3
"""How often a shell is started for a command that waits: nothing of the command has been sent by then."""


class CommandShells:
    """Keeps a few shells ready.

    Args:
        carrier: where they are started.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier if isinstance(carrier, ShellCarrier) else ShellCarrier(carrier)
        self._carrier.spares.insert(0, self.spare)
        self._delicate = carrier.opening_is_delicate
        self._ready = READY_WHERE_DELICATE if self._delicate else READY
        self._running = 0
        self._impatient: asyncio.TimerHandle | None = None
        self._idle: deque[ByteProcess] = deque()
        self._bare: WeakSet[ByteProcess] = WeakSet()
        """Shells that were started before the environment was known."""
        self._waiting: FairQueue[ByteProcess] = FairQueue()
        self._shares = Places(lambda: None, self._share)
        self._crowd = Crowd(self._prepare, self._drop_surplus)
        self._opening: set[asyncio.Task[None]] = set()
        self._exports = ""
        self._closed = False

    def start_early(self) -> None:
        """Have a shell started while the environment is not known yet: it is told of it later, see `use_environment`.

        One only, since nobody knows yet how few the server allows; none where opening is delicate.
        """
        if not self._delicate and not self._opening and not self._idle:
            self._begin_opening()

    def use_environment(self, exports: str) -> None:
        """Give commands this environment: shells are started with it from now on. Called once, before any command.

        One that has been started early is sent it ahead of its command, which costs no round trip.

        Args:
            exports: POSIX sh text that sets it.
        """
        self._exports = exports
        self._bare.update(self._idle)

    def ahead_of_command(self, process: ByteProcess) -> bytes:
        """What a shell that was taken is to be sent ahead of its command, in one piece with it."""
        if process not in self._bare:
            return b""
        self._bare.discard(process)
        return encode_text(f"{self._exports}\n")

    async def take(self) -> ByteProcess:
        """A shell that reads POSIX sh from its standard input, with the guard's functions and, once it was sent
        `ahead_of_command`, in the login environment. Waits while the caller holds as many as one may; it counts until
        `ended`.

        Raises:
            ConnectError, ConnectionLostError, ChannelError: none could be started.
        """
        caller = current_caller()
        await self._shares.take(caller)
        try:
            return await self._take(caller)
        except BaseException:
            self._shares.give_back(caller)
            raise

    async def _take(self, caller: str) -> ByteProcess:
        while self._delicate and self._opening and not self._running:
            await asyncio.wait(self._opening)
        while self._idle:
            process = self._idle.popleft()
            if process.exit_status is None and await self._reaches(process):
                self._running += 1
                self._crowd.running(self._running)
                self.refill()
                return process
            process.close()
        waiter = self._waiting.join(caller)
        self._crowd.running(self._running + len(self._waiting))
        self.refill()
        return await self._waiting.served(caller, waiter, self._not_run)

    def _not_run(self, process: ByteProcess) -> None:
        self._running -= 1
        self._hand_on(process)

    def _share(self) -> int | None:
        """How many one caller may hold at once: a few places are left to the others."""
        places = self._carrier.places
        return None if places is None else max(1, places - max(1, min(LEFT_TO_OTHERS, places // 4)))

    @staticmethod
    async def _reaches(process: ByteProcess) -> bool:
        try:
            return await may_be_used(process)
        except asyncio.CancelledError:
            process.close()
            raise

    def ended(self) -> None:
        """A shell that the current caller was given has ended, or was let go of."""
        self._running -= 1
        self._shares.give_back(current_caller())
        self._be_patient()
        self.refill()
        if not self._running and not self._waiting:
            self._crowd.over()

    def refill(self, *, now: bool = False) -> None:
        """Start what is missing, in the background.

        Args:
            now: also while commands run.
        """
        if self._closed:
            return
        if self._delicate and self._running and not now:
            if self._waiting and self._impatient is None:
                self._impatient = asyncio.get_running_loop().call_later(PATIENCE, self._lose_patience)
            return
        missing = len(self._waiting) + self._ready - len(self._idle) - len(self._opening)
        for _ in range(missing):
            self._begin_opening()

    def _begin_opening(self) -> None:
        self._opening.add(asyncio.create_task(self._open()))

    async def _open(self) -> None:
        exports = self._exports
        try:
            process = await self._start_one(exports)
        except NoRoomError:
            if self._waiting and not self._closed:
                self._begin_opening()
            return
        except RemoteError as error:
            self._fail_one(error)
            return
        except asyncio.CancelledError:
            self._fail_one(RemoteError("the connection is being closed"))
            raise
        if self._closed:
            process.close()
            return
        if exports is not self._exports:
            self._bare.add(process)
        self._hand_on(process)

    def _hand_on(self, process: ByteProcess) -> None:
        """Give a shell to the next one who waits, else keep it."""
        if (following := self._waiting.pop()) is None:
            self._idle.append(process)
            return
        self._running += 1
        following[1].set_result(process)

    async def _start_one(self, exports: str) -> ByteProcess:
        try:
            return await self._start(exports)
        finally:
            # Before anybody is served: one who comes again at once would count on it as on one that is to come.
            self._opening.discard(asyncio.current_task())  # type: ignore[arg-type]

    async def _start(self, exports: str) -> ByteProcess:
        for attempt in range(1, STARTS + 1):
            try:
                return await self._carrier.start(
                    START_COMMAND,
                    # A start-up file that reads a line from standard input gets the empty one.
                    stdin=encode_text(f"\n{guard_functions()}\n{exports}\n"),
                    reconnect=bool(self._waiting),
                    wanted=lambda: bool(self._waiting),
                )
            except ConnectionLostError:
                # A dropbear whose connection breaks over this (see the module's text) takes a new one.
                if attempt == STARTS or not self._waiting or self._closed:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _be_patient(self) -> None:
        if self._impatient is not None:
            self._impatient.cancel()
            self._impatient = None

    def _lose_patience(self) -> None:
        self._impatient = None
        if self._waiting:
            self.refill(now=True)

    def _fail_one(self, error: RemoteError) -> None:
        if (following := self._waiting.pop()) is not None:
            following[1].set_exception(error)

    def _prepare(self, count: int) -> None:
        """Have as many shells ready as have been used at once, but a third of what the server allows is for others."""
        places = self._carrier.places
        if self._closed or self._delicate or self._running or self._waiting or places is None:
            return
        for _ in range(min(count, places * 2 // 3) - len(self._idle) - len(self._opening)):
            self._begin_opening()

    def _drop_surplus(self) -> None:
        """Let go of the shells that are more than are always ready."""
        while len(self._idle) > self._ready:
            self._idle.pop().close()

    def spare(self, last: bool) -> bool:
        """Give up an idle shell, with all that are there only for a crowd; whether there was one."""
        if not self._idle or self._waiting:
            return False
        self._idle.popleft().close()
        self._drop_surplus()
        return True

    def drop_idle(self) -> None:
        """Let go of the shells that wait: they are of no use any more."""
        while self._idle:
            self._idle.popleft().close()

    def close(self) -> None:
        """Let go of every idle shell and stop starting new ones."""
        self._closed = True
        self._be_patient()
        self._crowd.close()
        for task in self._opening:
            task.cancel()
        self.drop_idle()
