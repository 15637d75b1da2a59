"""Opens one authenticated SSH connection to a target, through its jump hosts or its ProxyCommand."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

from pybridge.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectTimeoutError,
    RemoteError,
)
from pybridge.transport.algorithm_errors import describe_old_signatures
from pybridge.transport.algorithms import Algorithms
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.credentials import Credentials
from pybridge.transport.handshake_errors import describe_failure
from pybridge.transport.host_keys import HostKeyVerifier
from pybridge.transport.identities import Identities, IdentityLoader
from pybridge.transport.proxy_command import ProxyCommand
from pybridge.transport.ssh_client import Client, HostKeyShown
from pybridge.transport.ssh_target import SshTarget
from pybridge.transport.tcp import open_tcp


class Connector:
    """Makes connections to one target. Keeps what is slow to learn (decrypted keys) and a refusal of credentials.

    Args:
        target: where to.
        credentials: the password is offered to the target only, never to a jump host: it is the target's.
    """

    def __init__(self, target: SshTarget, credentials: Credentials) -> None:
        self.target = target
        self._hops = [(hop, Credentials(key_passphrase=credentials.key_passphrase)) for hop in target.jumps]
        self._hops.append((target, credentials))
        self._loaders = [IdentityLoader(hop, secrets) for hop, secrets in self._hops]
        self._denied: AuthenticationError | None = None

    async def open(self) -> asyncssh.SSHClientConnection:
        """Connect and authenticate. Closing the connection closes its jump hosts' too.

        Raises:
            AuthenticationError: also from memory: after one refusal nothing is sent again.
            ConnectError: any other reason; ConnectTimeoutError when `connect_timeout` has passed in all.
            ConfigurationError: an option leaves nothing to connect with.
        """
        if self._denied is not None:
            raise self._denied
        progress = _Progress()
        try:
            async with asyncio.timeout(self.target.time_limit):
                return await self._open_route(progress)
        except TimeoutError as error:
            raise self._timed_out(progress) from error
        except AuthenticationError as error:
            self._denied = error
            raise

    async def look_at_host_key(self) -> HostKeyVerifier:
        """Let the target show its host key, and leave before it asks who we are. Its jump hosts are logged in to.

        Returns:
            what is known of the key that was shown; nothing is added to a file.

        Raises:
            RemoteError: as `open`, also for the host key of a jump host.
        """
        progress = _Progress()
        try:
            async with asyncio.timeout(self.target.time_limit):
                connection = await self._open_jumps(progress)
                try:
                    verifier = await _prepare_verifier(self.target, connection, only_looks=True)
                    progress.stage = f"connecting to {self.target}"
                    hop = replace(self.target, authentication_methods=())
                    with contextlib.suppress(HostKeyShown):
                        await _open_hop(hop, Credentials(), None, connection, progress, verifier)
                    return verifier
                finally:
                    if connection is not None:
                        connection.abort()
        except TimeoutError as error:
            raise self._timed_out(progress) from error

    def _timed_out(self, progress: _Progress) -> ConnectTimeoutError:
        return ConnectTimeoutError(
            f"{self.target} did not answer within {self.target.connect_timeout:g} s, while {progress.stage}.",
            next_step="Check host, port, VPN and firewall; -o ConnectTimeout=SECONDS in REMOTE_SSH waits longer.",
        )

    async def _open_route(self, progress: _Progress) -> asyncssh.SSHClientConnection:
        connection = await self._open_jumps(progress)
        try:
            progress.stage = f"connecting to {self.target}"
            verifier = await _prepare_verifier(self.target, connection)
            return await _open_hop(*self._hops[-1], self._loaders[-1], connection, progress, verifier)
        except BaseException:
            if connection is not None:
                connection.abort()
            raise

    async def _open_jumps(self, progress: _Progress) -> asyncssh.SSHClientConnection | None:
        connection: asyncssh.SSHClientConnection | None = None
        try:
            for (hop, credentials), loader in zip(self._hops[:-1], self._loaders[:-1], strict=True):
                progress.stage = f"connecting to {hop}"
                verifier = await _prepare_verifier(hop, connection)
                connection = await _open_hop(hop, credentials, loader, connection, progress, verifier)
        except BaseException:
            if connection is not None:
                connection.abort()
            raise
        return connection


class _Progress:
    """What is being waited for, in words for a timeout."""

    stage = "connecting"


async def _prepare_verifier(
    hop: SshTarget, previous: asyncssh.SSHClientConnection | None, *, only_looks: bool = False
) -> HostKeyVerifier:
    proxied = previous is not None or hop.proxy_command is not None
    return await HostKeyVerifier.prepare(hop, proxied=proxied, only_looks=only_looks)


async def _open_hop(
    hop: SshTarget,
    credentials: Credentials,
    loader: IdentityLoader | None,
    previous: asyncssh.SSHClientConnection | None,
    progress: _Progress,
    verifier: HostKeyVerifier,
) -> asyncssh.SSHClientConnection:
    """Connect to one server of the route.

    Raises:
        HostKeyShown: nothing more was wanted of it.
    """
    algorithms = Algorithms.choose(
        host_key=verifier.algorithms(),
        kex_algorithms=hop.kex_algorithms,
        ciphers=hop.ciphers,
        macs=hop.macs,
        signatures=hop.public_key_algorithms,
    )
    identities = await loader.load() if loader is not None else Identities()
    client = Client(credentials, verifier)
    proxy: ProxyCommand | None = None
    try:
        options = _options(hop, verifier, algorithms, identities)
        if previous is not None:
            options["tunnel"] = previous
        elif hop.proxy_command is not None:
            progress.stage = f"running the ProxyCommand for {hop}"
            proxy = await ProxyCommand.start(hop.proxy_command, sends_socket=hop.proxy_sends_socket)
            options["sock"] = proxy.socket
        else:
            options["sock"] = await open_tcp(hop.host, hop.port, hop.tcp)
        progress.stage = f"negotiating with {hop}"
        connection = await _handshake(hop, client, options)
        if previous is not None:
            connection.set_tunnel(previous)
        elif proxy is not None:
            connection.set_tunnel(proxy)
        return connection
    except (RemoteError, HostKeyShown):
        raise
    except asyncssh.ChannelOpenError as error:
        raise ConnectError(
            f"The jump host could not reach {hop}: {error.reason}.",
            next_step="Check the host and port as seen from the jump host, and that it allows forwarding.",
        ) from error
    except (asyncssh.Error, OSError) as error:
        remarks = [*identities.remarks, *describe_old_signatures(client.connection, algorithms, identities)]
        failure = describe_failure(hop, client, verifier, algorithms, remarks, error)
        if proxy is not None and not client.authenticating:
            failure = type(failure)(f"{failure.message}{await proxy.last_words()}", next_step=failure.next_step)
        raise failure from error
    except ValueError as error:
        raise ConfigurationError(f"The ssh options for {hop} cannot be used: {error}.") from error
    finally:
        identities.close()
        if proxy is not None and not client.authenticated:
            proxy.close()


async def _handshake(hop: SshTarget, client: Client, options: dict[str, Any]) -> asyncssh.SSHClientConnection:
    try:
        return await asyncssh.connect(hop.host, hop.port, client_factory=lambda: client, **options)
    except BaseException:
        sock = options.get("sock")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()
        raise


def _options(
    hop: SshTarget, verifier: HostKeyVerifier, algorithms: Algorithms, identities: Identities
) -> dict[str, Any]:
    """asyncssh's options. Its own reading of configuration files and of the agent is switched off."""
    options: dict[str, Any] = {
        "config": None,
        "username": hop.user,
        "known_hosts": ([], [], []),
        "host_key_alias": hop.host_key_alias,
        "server_host_key_algs": list(algorithms.host_key),
        "kex_algs": list(algorithms.kex),
        "encryption_algs": list(algorithms.ciphers),
        "mac_algs": list(algorithms.macs),
        "signature_algs": list(algorithms.signatures),
        "compression_algs": ["zlib@openssh.com", "none"] if hop.compression else ["none", "zlib@openssh.com"],
        "x509_trusted_certs": None,
        "client_keys": identities.pairs or None,
        "agent_path": None,
        "preferred_auth": list(hop.authentication_methods),
        "host_based_auth": False,
        "public_key_auth": "publickey" in hop.authentication_methods,
        "password_auth": "password" in hop.authentication_methods,
        "kbdint_auth": "keyboard-interactive" in hop.authentication_methods,
        "gss_host": None,
        "tcp_keepalive": hop.tcp_keepalive,
        "keepalive_interval": hop.keepalive_seconds,
        "keepalive_count_max": hop.keepalive_count,
        "connect_timeout": None,
        "login_timeout": 0,
        "env": dict(hop.set_environment) or None,
        "send_env": list(hop.send_environment) or None,
    }
    if hop.forwarded_agent and not verifier.changed_but_allowed:
        options["agent_forwarding"] = hop.forwarded_agent
    if hop.rekey_bytes:
        options["rekey_bytes"] = hop.rekey_bytes
    if hop.rekey_seconds:
        options["rekey_seconds"] = hop.rekey_seconds
    return options
