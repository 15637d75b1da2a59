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
from pybridge.transport.asyncssh_options import asyncssh_options
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.credentials import Credentials
from pybridge.transport.denial import describe_denial
from pybridge.transport.handshake_errors import describe_failure
from pybridge.transport.head_start import HeadStart
from pybridge.transport.host_keys import HostKeyVerifier
from pybridge.transport.identities import Identities, IdentityLoader
from pybridge.transport.ignore_packets import leave_out_ignores
from pybridge.transport.key_files import KeyOpener
from pybridge.transport.login import Login
from pybridge.transport.progress import Progress
from pybridge.transport.proxy_command import ProxyCommand
from pybridge.transport.secret_sources import SecretSources
from pybridge.transport.ssh_client import Client, HostKeyShown
from pybridge.transport.ssh_target import SshTarget
from pybridge.transport.tcp import open_tcp

_ASKED_SECONDS = 0.2
"""An agent that signs sooner has asked nobody: no person answers within that."""

_APPROVED_SECONDS = 3.0
"""A connection that took longer may have waited for somebody to approve it elsewhere."""


class Connector:
    """Makes connections to one target. Keeps what it had to ask for (passwords, opened keys) and a refusal of them.

    Args:
        target: where to.
        credentials: the password is offered to the target only, never to a jump host: it is the target's.
        head_start: towards the target, for the first connection; closed along with this.
    """

    def __init__(self, target: SshTarget, credentials: Credentials, head_start: HeadStart | None = None) -> None:
        self.target = target
        # In batch mode nobody is asked anything.
        self._sources = SecretSources(replace(credentials, askpass=None) if target.batch_mode else credentials)
        self._opener = KeyOpener(self._sources)
        self._identities = [(hop, IdentityLoader(hop, self._opener)) for hop in (*target.jumps, target)]
        self._denied: RemoteError | None = None
        self._one_by_one: set[SshTarget] = set()
        self._head_start = head_start
        self.asks_nobody = False
        """Whether the last connection was made without a password and, as far as can be told, without a person."""

    async def open(self, *, unattended: bool = False) -> asyncssh.SSHClientConnection:
        """Connect and authenticate. Closing the connection closes its jump hosts' too.

        Args:
            unattended: with the keys that were accepted before and nothing else; a refusal of them is not remembered.

        Raises:
            AuthenticationError: also from memory: after one refusal nothing is sent again.
            ConnectError: any other reason; ConnectTimeoutError when `connect_timeout` has passed in all.
            ConfigurationError: an option leaves nothing to connect with.
        """
        if self._denied is not None:
            raise self._denied
        progress = Progress(unattended=unattended)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            async with asyncio.timeout(self.target.time_limit) as progress.limit:
                connection = await self._open_route(progress)
        except TimeoutError as error:
            late = self._timed_out(progress)
            if isinstance(late, AuthenticationError):
                self._denied = late
            raise late from error
        except RemoteError as error:
            if not unattended and (isinstance(error, AuthenticationError) or self._sources.failure is not None):
                self._denied = error
            raise
        seconds = loop.time() - begun
        self.asks_nobody = not (
            progress.needed_a_person
            or progress.waited > _ASKED_SECONDS
            or seconds > _APPROVED_SECONDS
            or any(hop.proxy_command is not None for hop, _ in self._identities)  # it may ask whom it likes
        )
        return connection

    async def close(self) -> None:
        """Give up what a person is still being asked."""
        if self._head_start is not None:
            self._head_start.close()
        await self._opener.close()
        await self._sources.close()

    async def look_at_host_key(self) -> HostKeyVerifier:
        """Let the target show its host key, and leave before it asks who we are. Its jump hosts are logged in to.

        Returns:
            what is known of the key that was shown; nothing is added to a file.

        Raises:
            RemoteError: as `open`, also for the host key of a jump host.
        """
        progress = Progress()
        try:
            async with asyncio.timeout(self.target.time_limit) as progress.limit:
                connection = await self._open_jumps(progress)
                try:
                    verifier = await _prepare_verifier(self.target, connection, only_looks=True)
                    progress.stage = f"connecting to {self.target}"
                    hop = replace(self.target, authentication_methods=())
                    login = Login(hop, self._sources, Identities(), is_jump_host=False, patience=progress.patiently)
                    with contextlib.suppress(HostKeyShown):
                        await _open_hop(hop, Client(login, verifier), connection, progress)
                    return verifier
                finally:
                    if connection is not None:
                        connection.abort()
        except TimeoutError as error:
            raise self._timed_out(progress) from error

    def _timed_out(self, progress: Progress) -> RemoteError:
        late = f"did not answer within {self.target.connect_timeout:g} s"
        if progress.login is not None and progress.login.password is not None:
            return describe_denial(progress.login.server, progress.login, how=f", or the server {late}")
        return ConnectTimeoutError(
            f"{self.target} {late}, while {progress.stage}.",
            next_step="Check host, port, VPN and firewall; -o ConnectTimeout=SECONDS in REMOTE_SSH waits longer.",
        )

    async def _open_route(self, progress: Progress) -> asyncssh.SSHClientConnection:
        connection = await self._open_jumps(progress)
        try:
            return await self._open_next(*self._identities[-1], connection, progress)
        except BaseException:
            if connection is not None:
                connection.abort()
            raise

    async def _open_jumps(self, progress: Progress) -> asyncssh.SSHClientConnection | None:
        connection: asyncssh.SSHClientConnection | None = None
        try:
            for hop, loader in self._identities[:-1]:
                connection = await self._open_next(hop, loader, connection, progress)
        except BaseException:
            if connection is not None:
                connection.abort()
            raise
        return connection

    async def _open_next(
        self,
        hop: SshTarget,
        loader: IdentityLoader,
        previous: asyncssh.SSHClientConnection | None,
        progress: Progress,
    ) -> asyncssh.SSHClientConnection:
        progress.stage = f"connecting to {hop}"
        verifier = await _prepare_verifier(hop, previous)
        while True:
            identities = await loader.load(progress.patiently)
            if progress.unattended and not identities.keep_only(loader.accepted):
                identities.close()
                raise AuthenticationError(f"The key that {hop} accepted before is not to be had any more.")
            login = Login(
                hop,
                self._sources,
                identities,
                is_jump_host=hop is not self.target,
                patience=progress.patiently,
                unattended=progress.unattended,
            )
            progress.login = login
            client = Client(login, verifier, one_by_one=hop in self._one_by_one)
            try:
                head_start = self._head_start if hop is self.target else None
                connection = await _open_hop(hop, client, previous, progress, head_start)
            except RemoteError:
                if not client.unanswered:
                    raise
                # It may take only one thing at a time, or let one try so few keys that the one sent early was too many.
                # Nothing else has been sent meanwhile: no password.
                self._one_by_one.add(hop)
                continue
            except asyncio.CancelledError:
                if client.unanswered:
                    self._one_by_one.add(hop)  # for the next attempt, after the time was up
                raise
            finally:
                login.identities.close()
            loader.accepted = login.accepted_key
            progress.needed_a_person |= login.needs_a_person
            progress.login = None
            return connection


async def _prepare_verifier(
    hop: SshTarget, previous: asyncssh.SSHClientConnection | None, *, only_looks: bool = False
) -> HostKeyVerifier:
    proxied = previous is not None or hop.proxy_command is not None
    return await HostKeyVerifier.prepare(hop, proxied=proxied, only_looks=only_looks)


async def _open_hop(
    hop: SshTarget,
    client: Client,
    previous: asyncssh.SSHClientConnection | None,
    progress: Progress,
    head_start: HeadStart | None = None,
) -> asyncssh.SSHClientConnection:
    """Connect to one server of the route.

    Raises:
        HostKeyShown: nothing more was wanted of it.
    """
    verifier = client.verifier
    algorithms = Algorithms.choose(
        host_key=verifier.algorithms(),
        kex_algorithms=hop.kex_algorithms,
        ciphers=hop.ciphers,
        macs=hop.macs,
        signatures=hop.public_key_algorithms,
    )
    proxy: ProxyCommand | None = None
    try:
        options = asyncssh_options(hop, verifier, algorithms)
        if previous is not None:
            options["tunnel"] = previous
        elif hop.proxy_command is not None:
            progress.stage = f"running the ProxyCommand for {hop}"
            proxy = await ProxyCommand.start(hop.proxy_command, sends_socket=hop.proxy_sends_socket)
            options["sock"] = proxy.socket
        else:
            begun = None if head_start is None else await head_start.take()
            if begun is None:
                options["sock"] = await open_tcp(hop.host, hop.port, hop.tcp)
            else:
                options["sock"] = begun.sock
            if begun is not None and begun.version is not None:
                options["client_version"] = begun.version
                client.version_is_sent = True
        progress.stage = f"negotiating with {hop}"
        connection = await _handshake(hop, client, options)
        leave_out_ignores(connection)
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
        remarks = describe_old_signatures(client.connection, algorithms, client.login.identities)
        failure = describe_failure(hop, client, verifier, algorithms, remarks, error)
        if proxy is not None and not client.authenticating:
            failure = type(failure)(f"{failure.message}{await proxy.last_words()}", next_step=failure.next_step)
        raise failure from error
    except ValueError as error:
        raise ConfigurationError(f"The ssh options for {hop} cannot be used: {error}.") from error
    finally:
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
