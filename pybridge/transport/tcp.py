"""Opens a TCP connection to a name: every address is tried, the first to answer wins (RFC 8305, in short)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Sequence

from pybridge.errors import ConnectError, ConnectionRefusedByHostError, ConnectTimeoutError, UnknownHostError

_STAGGER_SECONDS = 0.25
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


async def open_tcp(
    host: str, port: int, *, family: int = socket.AF_UNSPEC, bind_address: str | None = None
) -> socket.socket:
    """Connect, and return the non-blocking socket.

    Raises:
        UnknownHostError: the name does not resolve.
        ConnectionRefusedByHostError: nothing listens there.
        ConnectTimeoutError: the system gave up waiting.
        ConnectError: it cannot be reached for another reason.
    """
    loop = asyncio.get_running_loop()
    try:
        addresses = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "it is not a host name"
        raise UnknownHostError(
            f"The host {host!r} is unknown: {reason}.",
            next_step="Check its spelling in REMOTE_SSH, the Host entries of ~/.ssh/config, and the network.",
        ) from error
    tasks = [
        asyncio.create_task(_connect(address, index * _STAGGER_SECONDS, bind_address))
        for index, address in enumerate(addresses)
    ]
    errors: list[OSError] = []
    winner: socket.socket | None = None
    try:
        for done in asyncio.as_completed(tasks):
            try:
                winner = await done
                return winner
            except OSError as error:
                errors.append(error)
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, socket.socket) and result is not winner:
                result.close()
    raise _describe(host, port, errors)


async def _connect(address: tuple, delay: float, bind_address: str | None) -> socket.socket:
    await asyncio.sleep(delay)
    family, kind, protocol, _, endpoint = address
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        if bind_address:
            connection.bind((bind_address, 0))
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, endpoint)
    except BaseException:
        connection.close()
        raise
    return connection


def _describe(host: str, port: int, errors: Sequence[OSError]) -> ConnectError:
    place = f"{host} port {port}"
    if any(isinstance(error, ConnectionRefusedError) for error in errors):
        return ConnectionRefusedByHostError(
            f"{place} refused the connection: no SSH server listens there.",
            next_step="Check the port in REMOTE_SSH (-p) and that sshd runs on the host.",
        )
    if any(isinstance(error, TimeoutError) for error in errors):
        return ConnectTimeoutError(
            f"{place} did not answer.", next_step="Check that the host is up, and VPN, firewall and port."
        )
    first = errors[0] if errors else OSError("it has no address")
    if first.errno in _UNREACHABLE:
        return ConnectError(
            f"{place} cannot be reached: {first.strerror}.", next_step="Check your network and VPN connection."
        )
    return ConnectError(f"{place} cannot be reached: {first.strerror or first}.", next_step="Check REMOTE_SSH.")
