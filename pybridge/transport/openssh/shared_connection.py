"""Channels on a connection that an ssh process owns and shares (RFC 4254, through the socket of PROTOCOL.mux)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import struct
from collections.abc import Callable, Sequence

from pybridge.errors import ChannelError, ConnectionLostError
from pybridge.transport.openssh.channel import WINDOW, Channel
from pybridge.transport.openssh.control_socket import open_proxy
from pybridge.transport.openssh.messages import Kind, Parts, string, uint32
from pybridge.transport.process import ExitStatus
from pybridge.transport.ssh_start import ConnectionGoneError

log = logging.getLogger(__name__)

_MAX_PACKET = 32 * 1024
_LARGEST_MESSAGE = 4 * _MAX_PACKET
_OPEN_SECONDS = 30.0
"""How long the server may take to answer a channel open or an exec request."""

Variables = Sequence[tuple[str, str]]


class ChannelRefusedError(ChannelError):
    """The server opens no further channel now (MaxSessions)."""


class CommandRefusedError(ChannelError):
    """The server opened a channel and did not start the command in it."""


class SharedConnection:
    """One use of a shared connection, with any number of channels. Made by `open`.

    Args:
        name: the target in words, for errors.
        variables: environment asked for on each channel.
        forward_agent: ask for the agent on each channel.
    """

    def __init__(
        self,
        name: str,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        variables: Variables,
        forward_agent: bool,
    ) -> None:
        self._name = name
        self._reader, self._writer = streams
        self._variables = variables
        self._forward_agent = forward_agent
        self._channels: dict[int, Channel] = {}
        self._numbers = itertools.count()
        self._on_change: Callable[[], None] = lambda: None
        self._ended = False
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls, path: str, name: str, *, variables: Variables = (), forward_agent: bool = False
    ) -> SharedConnection:
        """Use the connection whose control socket is at `path`.

        Raises:
            ConnectionLostError: nothing answers there.
        """
        return cls(name, await open_proxy(path), variables, forward_agent)

    @property
    def alive(self) -> bool:
        """Whether it can still be used."""
        return not self._ended

    @property
    def channels(self) -> int:
        """How many channels are open or being opened."""
        return len(self._channels)

    @property
    def granted(self) -> int:
        """How many of them the server has opened."""
        return sum(channel.is_open for channel in self._channels.values())

    def tell(self, on_change: Callable[[], None]) -> None:
        """Have `on_change` called whenever a channel has gone, or the connection."""
        self._on_change = on_change

    async def start(self, command: str, stdin: bytes) -> Channel:
        """Open a channel and start a command in it: two round trips.

        Raises:
            ChannelRefusedError: there are too many channels.
            CommandRefusedError: the server runs no command in it.
            ChannelError: it did not answer in time.
                ConnectionGoneError: the connection had ended before the command was sent.
            ConnectionLostError: it ended; the command may have run.
        """
        if self._ended:
            raise self._gone_error()
        number = next(self._numbers)
        channel = Channel(self._name, number, self._send, self._drain, lambda: self._gone(number))
        self._channels[number] = channel
        self._send(bytes([Kind.OPEN]) + string(b"session") + uint32(number) + uint32(WINDOW) + uint32(_MAX_PACKET))
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                await asyncio.shield(channel.opened)
                self._ask(channel, command, stdin)
                if not await asyncio.shield(channel.accepted):
                    channel.close()
                    raise CommandRefusedError(
                        f"{self._name} opened a channel, but refused to run a command in it.",
                        next_step="The account may be restricted (ForceCommand), or the host is out of processes.",
                    )
        except ConnectionLostError as error:
            if channel.is_open:
                raise
            raise self._gone_error() from error
        except TimeoutError as error:
            self._let_go(channel)
            raise ChannelError(
                f"{self._name} did not answer the request to start a command within {_OPEN_SECONDS:g} s.",
                next_step="The host may be overloaded. Try again.",
            ) from error
        except asyncio.CancelledError:
            self._let_go(channel)
            raise
        return channel

    def _ask(self, channel: Channel, command: str, stdin: bytes) -> None:
        for name, value in self._variables:
            pair = string(name.encode()) + string(value.encode("utf-8", "surrogateescape"))
            channel.request("env", reply=False, rest=pair)
        if self._forward_agent:
            channel.request("auth-agent-req@openssh.com", reply=False)
        channel.request("exec", reply=True, rest=string(command.encode("utf-8", "surrogateescape")))
        channel.give(stdin)

    def _let_go(self, channel: Channel) -> None:
        """Nobody waits for it any more: close it as soon as it is open, so that it does not stay on the server."""
        channel.opened.add_done_callback(lambda opened: None if opened.cancelled() else channel.close())

    async def close(self) -> None:
        """End every channel and this use of the connection; the connection itself is its owner's."""
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading
        self._end()

    async def _read(self) -> None:
        try:
            while True:
                (length,) = struct.unpack(">I", await self._reader.readexactly(4))
                if not 2 <= length <= _LARGEST_MESSAGE:
                    raise ValueError(f"a message of {length} bytes")
                message = await self._reader.readexactly(length)
                self._take(message[1:])  # behind the padding length, which is 0
        except (OSError, EOFError):
            pass
        except ValueError as error:
            log.warning("the shared connection to %s sent what cannot be understood: %s", self._name, error)
        finally:
            self._end()

    def _take(self, message: bytes) -> None:
        parts = Parts(message)
        kind = parts.byte()
        if kind == Kind.GLOBAL_REQUEST:
            parts.string()
            if parts.byte():
                self._send(bytes([Kind.REQUEST_FAILURE]))
            return
        if not Kind.OPEN_CONFIRMATION <= kind <= Kind.FAILURE:
            return
        channel = self._channels.get(parts.number())
        if channel is None:
            return
        if kind == Kind.REQUEST:
            self._answer(channel, parts)
        elif kind == Kind.OPEN_FAILURE:
            self._refuse(channel, parts)
        else:
            _pass_on(channel, kind, parts)

    def _answer(self, channel: Channel, parts: Parts) -> None:
        request, reply = parts.string(), parts.byte()
        if request == b"exit-status":
            channel.exit(ExitStatus(code=parts.number()))
        elif request == b"exit-signal":
            channel.exit(ExitStatus(signal=parts.string().decode("ascii", "replace").removeprefix("SIG")))
        if reply:  # the server looks whether we are there (keepalive@openssh.com): any answer will do
            channel.refuse_request()

    def _refuse(self, channel: Channel, parts: Parts) -> None:
        parts.number()
        why = parts.string().decode("utf-8", "replace")
        if not channel.opened.done():
            channel.opened.set_exception(ChannelRefusedError(f"{self._name} refused to open another channel: {why}."))
            channel.opened.exception()
        self._gone(channel.number)

    def _gone_error(self) -> ConnectionGoneError:
        return ConnectionGoneError(f"The connection to {self._name} was lost before the command was sent.")

    def _gone(self, number: int) -> None:
        self._channels.pop(number, None)
        self._on_change()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._writer.close()
        for channel in tuple(self._channels.values()):
            channel.lose()
        self._on_change()

    def _send(self, message: bytes) -> None:
        if not self._ended:
            self._writer.write(struct.pack(">IB", len(message) + 1, 0) + message)

    async def _drain(self) -> None:
        with contextlib.suppress(OSError):
            await self._writer.drain()


def _pass_on(channel: Channel, kind: int, parts: Parts) -> None:
    match kind:
        case Kind.OPEN_CONFIRMATION:
            channel.confirm(parts.number(), parts.number(), parts.number())
        case Kind.WINDOW_ADJUST:
            channel.widen(parts.number())
        case Kind.DATA:
            channel.receive(parts.string())
        case Kind.EXTENDED_DATA:
            code = parts.number()
            channel.receive(parts.string(), code)
        case Kind.EOF:
            channel.end_output()
        case Kind.CLOSE:
            channel.end()
        case Kind.SUCCESS | Kind.FAILURE:
            channel.answer(kind == Kind.SUCCESS)
