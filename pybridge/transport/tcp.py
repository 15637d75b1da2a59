"""Opens a TCP connection to a name: every address is tried, the first to answer wins (RFC 8305, in short)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from pybridge.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionRefusedByHostError,
    ConnectTimeoutError,
    UnknownHostError,
)
from pybridge.transport.local_addresses import local_addresses

_STAGGER_SECONDS = 0.25
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


@dataclass(frozen=True)
class TcpOptions:
    """What ssh options say about the connection.

    Args:
        family: of the addresses to use, a constant of the socket module.
        bind_address: the local address to come from.
        bind_interface: the local network interface whose address to come from.
        service_class: the type of service byte of the IP header; None leaves it alone.
        attempts: how often to try all addresses, one second apart.
        attempt_seconds: for one attempt; None for no limit of its own.
    """

    family: int = socket.AF_UNSPEC
    bind_address: str | None = None
    bind_interface: str | None = None
    service_class: int | None = None
    attempts: int = 1
    attempt_seconds: float | None = None


async def open_tcp(host: str, port: int, options: TcpOptions = TcpOptions()) -> socket.socket:
    """Connect, and return the non-blocking socket.

    Raises:
        ConfigurationError: the interface to come from is none.
        UnknownHostError: the name does not resolve.
        ConnectionRefusedByHostError: nothing listens there.
        ConnectTimeoutError: the system gave up waiting.
        ConnectError: it cannot be reached for another reason.
    """
    loop = asyncio.get_running_loop()
    sources = _sources(options)
    try:
        addresses = await loop.getaddrinfo(host, port, family=options.family, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "it is not a host name"
        raise UnknownHostError(
            f"The host {host!r} is unknown: {reason}.",
            next_step="Check its spelling in REMOTE_SSH, the Host entries of ~/.ssh/config, and the network.",
        ) from error
    outcome: socket.socket | list[OSError] = []
    for attempt in range(options.attempts):
        if attempt:
            await asyncio.sleep(1)
        try:
            async with asyncio.timeout(options.attempt_seconds):
                outcome = await _race(addresses, sources, options.service_class)
        except TimeoutError as error:
            outcome = [error]
        if isinstance(outcome, socket.socket):
            return outcome
    raise _describe(host, port, outcome)


def _sources(options: TcpOptions) -> list[str] | None:
    """The local addresses to come from, None for any. Of an interface, those that reach beyond it come first."""
    if options.bind_address:
        return [options.bind_address]
    if not options.bind_interface:
        return None
    found = [ipaddress.ip_address(address) for name, address in local_addresses() if name == options.bind_interface]
    if not found:
        known = sorted({name for name, _ in local_addresses() if name})
        raise ConfigurationError(
            f"BindInterface {options.bind_interface}: there is no such network interface with an address.",
            next_step=f"There are: {', '.join(known)}." if known else "Use BindAddress; interfaces have no names here.",
        )
    return [str(address) for address in sorted(found, key=lambda a: a.is_loopback or a.is_link_local)]


async def _race(
    addresses: Sequence[tuple], sources: Sequence[str] | None, service_class: int | None
) -> socket.socket | list[OSError]:
    """The first connection that is made to one of the addresses, or the reasons why there is none."""
    tasks = [
        asyncio.create_task(_connect(address, index * _STAGGER_SECONDS, sources, service_class))
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
    return errors


async def _connect(
    address: tuple, delay: float, sources: Sequence[str] | None, service_class: int | None
) -> socket.socket:
    await asyncio.sleep(delay)
    family, kind, protocol, _, endpoint = address
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        if sources is not None:
            source = next((source for source in sources if (":" in source) == (family == socket.AF_INET6)), sources[0])
            connection.bind((source, 0))
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if service_class is not None:
            _set_service_class(connection, family, service_class)
        await asyncio.get_running_loop().sock_connect(connection, endpoint)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_service_class(connection: socket.socket, family: int, service_class: int) -> None:
    """A system that does not let us is no reason not to connect; OpenSSH only notes it too."""
    with contextlib.suppress(OSError, AttributeError):
        if family == socket.AF_INET6:
            connection.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, service_class)
        else:
            connection.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, service_class)


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
