"""Logs in without waiting where there is nothing to learn: three round trips fewer for each connection.

A client asks for the service, then what methods there are, then whether a key would do, and only then signs. RFC 4252
(section 5) lets it send all of that at once, and a signature without asking first (section 7). A key is signed for
unasked only where nobody is asked for it; it is sent before the methods are known only where it is sure to be tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any, cast

from pybridge.transport.asyncssh_quietly import asyncssh, packet
from pybridge.transport.key_files import FileKeyPair

_NONE = b"none"
_PUBLIC_KEY = b"publickey"
_ONLY_ASKED = packet.Boolean(False)
_SIGNED = packet.Boolean(True)


class EarlyLogin:
    """What is said on one connection before it is asked for. To be made before the key exchange.

    Args:
        connection: not authenticated.
        first_key: gives the key to sign for before the methods are known, if any. It counts as offered.
        on_untimely: called when it was refused where no key was asked for; one may be asked for later.
    """

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        first_key: Callable[[], Awaitable[asyncssh.SSHKeyPair | None]],
        on_untimely: Callable[[], None],
    ) -> None:
        self._connection: Any = connection
        self._first_key = first_key
        self._on_untimely = on_untimely
        self._methods: list[bytes] = []
        self._said = self._answers = 0
        self._settled = asyncio.Event()
        self._offered: asyncssh.SSHKeyPair | None = None
        self._request_service = connection.send_service_request
        self._request = connection.send_userauth_request
        self._go_on = connection.try_next_auth
        connection.send_service_request = self._say_at_once
        connection.send_userauth_request = self._say
        connection.try_next_auth = self._note_answer

    @property
    def unanswered(self) -> bool:
        """Whether the server has left something unanswered (so far) that was said early."""
        return self._answers < self._said

    async def settled(self) -> None:
        """Return when the server has refused the key that was signed for before; at once where there is none.

        What is asked of the client meanwhile is an answer to something older, and it is asked again.
        """
        await self._settled.wait()

    def offers(self, pair: asyncssh.SSHKeyPair) -> None:
        """Take note of the key that asyncssh is about to ask for."""
        self._offered = pair

    def _say_at_once(self, service: bytes) -> None:
        self._request_service(service)
        self._said = 2  # the service, and "none"
        self._connection.create_task(self._say_all())

    async def _say_all(self) -> None:
        await self._say_early()
        _acknowledge_at_once(self._connection)

    async def _say_early(self) -> None:
        try:
            await self._request(_NONE)
            pair = await self._first_key()
            # An RSA key needs to know what the server takes, which it says along with its new keys, or never.
            if pair is None:
                return self._settled.set()
            if not self._connection._choose_signature_alg(pair):
                self._on_untimely()
                return self._settled.set()
            with contextlib.suppress(ValueError):  # The key cannot be used after all.
                await self._sign(pair)
                self._said += 1
                return None
        except BaseException:
            self._settled.set()
            raise
        self._settled.set()

    async def _say(self, method: bytes, *args: bytes, **options: Any) -> None:
        """In the place of asyncssh's own: what has been said is not said twice, and who can sign does not ask."""
        if method == _NONE:
            return
        pair = self._offered
        if method == _PUBLIC_KEY and args[0] == _ONLY_ASKED and isinstance(pair, FileKeyPair) and pair.is_open:
            await self._sign(pair)
        else:
            await self._request(method, *args, **options)

    async def _sign(self, pair: asyncssh.SSHKeyPair) -> None:
        algorithm, public = packet.String(pair.algorithm), packet.String(pair.public_data)
        await self._request(_PUBLIC_KEY, _SIGNED, algorithm, public, key=cast(Any, pair), trivial=False)

    def _note_answer(self, *, next_method: bool = False) -> None:
        """The service was accepted, or a method refused: the first two refusals are of "none" and of the first key."""
        self._answers += not next_method
        if self._answers == 2:
            self._methods = list(self._connection._auth_methods)
        if self._answers > 2 and not self._settled.is_set():
            if _PUBLIC_KEY not in self._methods:
                self._on_untimely()
            self._settled.set()
        self._go_on(next_method=next_method)


def _acknowledge_at_once(connection: Any) -> None:
    """Have the system acknowledge what the server says next without delay.

    sshd holds back its second answer until its first is acknowledged (Nagle's algorithm is on until the login), and the
    system would wait with that for up to 40 ms for something of ours to send along.
    """
    sock = connection._transport.get_extra_info("socket") if connection._transport is not None else None
    if sock is not None and hasattr(socket, "TCP_QUICKACK"):
        with contextlib.suppress(OSError):  # it is no TCP connection, or has ended
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
