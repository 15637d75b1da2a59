"""Commands whose connection was lost: what is known of them is said, and what still runs is ended.

A server that is cut off from us may not notice for hours, and the guard beside a command acts only when it does. So the
next command first ends those that were lost: the same work is never done by two at once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pybridge.errors import ConnectionLostError, RemoteError
from pybridge.host.process_tree import end_lost_tree
from pybridge.host.shells import ControlShells
from pybridge.host.sudo import Sudo
from pybridge.transport.process import ExitStatus

_UNKNOWN = "-"
_LOOK = "See what it has done before you run it again; the next call connects again."


@dataclass(frozen=True)
class CommandProcess:
    """The first process of a command.

    Args:
        pid: its process id on the remote.
        started: its start time in clock ticks since boot, "-" where /proc does not tell.
        sudo: what it was given for sudo.
    """

    pid: int
    started: str
    sudo: Sudo | None = None

    @property
    def can_be_told(self) -> bool:
        """Whether it can later be told from another process that got its number."""
        return self.started != _UNKNOWN


def describe_loss(
    error: ConnectionLostError, process: CommandProcess | None, status: ExitStatus | None
) -> ConnectionLostError:
    """What is known of a command whose connection was lost after it had been sent.

    Args:
        error: the loss.
        process: the command's, if it is known to have been started.
        status: how it ended, if that is known.
    """
    what = error.message.strip()
    if status is not None and (status.code is not None or status.signal is not None):
        how = f"exit code {status.code}" if status.signal is None else f"killed by signal {status.signal}"
        said = f"{what} The command had ended by then ({how}), but the end of its output may be missing."
        return ConnectionLostError(said, next_step="It was run, once; the next call connects again.")
    if process is None:
        said = f"{what} The command had been sent; whether it was started is not known."
        return ConnectionLostError(f"{said} If it was, it ends when the server notices the loss.", next_step=_LOOK)
    said = f"{what} The command had been started; whether it got to its end is not known."
    end = "the next command ends it first" if process.can_be_told else "it ends when the server notices the loss"
    return ConnectionLostError(f"{said} If it still runs, {end}.", next_step=_LOOK)


class LostCommands:
    """Those that may still run.

    Args:
        control: control shells, to end them from.
        leads: whether commands lead their sessions.
    """

    def __init__(self, control: ControlShells, leads: bool) -> None:
        self._control = control
        self._leads = leads
        self._lost: list[CommandProcess] = []
        self._one_at_a_time = asyncio.Lock()

    def add(self, process: CommandProcess) -> None:
        """This one was lost."""
        if process.can_be_told:
            self._lost.append(process)

    async def end(self) -> None:
        """End what still runs of them: one request each. What fails is tried the next time."""
        if not self._lost and not self._one_at_a_time.locked():
            return
        async with self._one_at_a_time:
            for process in tuple(self._lost):
                try:
                    await end_lost_tree(self._control, process.pid, process.started, self._leads, process.sudo)
                except RemoteError:
                    return
                self._lost.remove(process)
