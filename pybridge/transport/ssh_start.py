"""Starts a process on an SSH channel: exec with its first input in the same flight (RFC 4254, section 6.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pybridge.errors import ChannelError, ConnectionLostError
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.pulse import Pulse
from pybridge.transport.receive_window import FIRST_BYTES
from pybridge.transport.ssh_process import SshProcess

MAX_PACKET = 64 * 1024
"""Bytes of a packet that the server may send: each costs us time of its own."""

OPEN_SECONDS = 30.0
"""How long the server may take to answer a channel open or an exec request."""


class ChannelRefusedError(ChannelError):
    """The server opens no further channel on this connection (MaxSessions); another may do."""


class CommandRefusedError(ChannelError):
    """The server opened a channel and closed it again before it took the command: nothing was started."""


class ConnectionGoneError(ConnectionLostError):
    """The connection had ended before the command was sent: nothing happened on the remote."""


async def start_ssh_process(
    connection: asyncssh.SSHClientConnection,
    name: str,
    command: str,
    stdin: bytes,
    on_closed: Callable[[], None],
    on_abandoned: Callable[[], None],
    pulse: Pulse | None = None,
    *,
    on_requested: Callable[[], None] | None = None,
) -> SshProcess:
    """Open a channel and start a command in it: two round trips. The first input travels with the request.

    Args:
        name: the target in words, for errors.
        on_closed: called once when the channel no longer counts against the server's limit, also after an error.
        on_abandoned: called when we close the channel before the server does.
        pulse: of the connection.
        on_requested: called when the channel has been asked for, before the reply.

    Raises:
        ChannelRefusedError: the server opens no more channels here.
        CommandRefusedError: it closed the channel before it took the command; another attempt may do.
        ChannelError: it opened one and refused to run the command in it, or did not answer in time.
        ConnectionGoneError: the connection had ended already, or does not answer; nothing was started.
        ConnectionLostError: the connection ended or fell silent while starting; the command may have run.
    """
    process = SshProcess(name, stdin, on_closed, on_abandoned, pulse)
    if not await _answers(pulse, on_closed):
        raise ConnectionGoneError(f"The connection to {name} does not answer. Nothing was sent.")
    opening = asyncio.ensure_future(_open(connection, process, command))
    if on_requested is not None:
        asyncio.get_running_loop().call_soon(on_requested)  # right after the first step of what has just begun
    await finish_start(connection, process, opening, on_closed)
    return process


async def finish_start(
    connection: asyncssh.SSHClientConnection,
    process: SshProcess,
    opening: asyncio.Future[None],
    on_closed: Callable[[], None],
) -> None:
    """Wait until the server has answered.

    Args:
        opening: comes to an end when it has.
        on_closed: as for `start_ssh_process`.

    Raises:
        RemoteError: as `start_ssh_process`.
    """
    silence = asyncio.ensure_future(process.link_falls_silent())
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            await asyncio.wait([opening, silence], return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            _let_go(opening, process, on_closed)
            raise process.lost_error()
        opening.result()
    except asyncio.CancelledError:
        _let_go(opening, process, on_closed)
        raise
    except TimeoutError as error:
        _let_go(opening, process, on_closed)
        raise ChannelError(
            f"{process.name} did not answer the request to start a command within {OPEN_SECONDS:g} s.",
            next_step="The host may be overloaded. Try again.",
        ) from error
    except (asyncssh.Error, OSError) as error:
        if not process.was_opened:
            on_closed()
        raise _describe_refusal(connection, process, error) from error
    finally:
        silence.cancel()


async def _answers(pulse: Pulse | None, on_closed: Callable[[], None]) -> bool:
    if pulse is None:
        return True
    answers = False
    try:
        answers = await pulse.answers()
    finally:
        if not answers:
            on_closed()
    return answers


async def _open(connection: asyncssh.SSHClientConnection, process: SshProcess, command: str) -> None:
    await connection.create_session(
        lambda: process, command, encoding=None, window=FIRST_BYTES, max_pktsize=MAX_PACKET, request_pty=False
    )


def _let_go(opening: asyncio.Future[None], process: SshProcess, on_closed: Callable[[], None]) -> None:
    """Nobody waits for the channel any more: close it as soon as it is open, so that it does not stay on the server."""

    def finish(done: asyncio.Future[None]) -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and not process.was_opened:
            on_closed()
        process.close()

    opening.add_done_callback(finish)


def _describe_refusal(
    connection: asyncssh.SSHClientConnection, process: SshProcess, error: Exception
) -> ChannelError | ConnectionLostError:
    name = process.name
    if not process.was_opened:
        refused = isinstance(error, asyncssh.ChannelOpenError) and error.reason != "SSH connection closed"
        if not refused or connection.is_closed():
            return ConnectionGoneError(f"The connection to {name} was lost before the command was sent.")
        return ChannelRefusedError(f"{name} refused to open another channel: {error}.")
    if process.lost or connection.is_closed():
        return process.lost_error()
    # A server answers requests in order, so a channel closed without an answer has not run the command.
    kind = CommandRefusedError if process.closed else ChannelError
    return kind(
        f"{name} opened a channel, but refused to run a command in it.",
        next_step="The account may be restricted (ForceCommand, SFTP only), or the host is out of processes.",
    )
