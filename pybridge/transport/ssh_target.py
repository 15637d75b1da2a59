"""The SSH target in effect: the command line and the configuration files, resolved for one host and its jump hosts."""

from __future__ import annotations

import hashlib
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from pybridge.errors import ConfigurationError
from pybridge.transport.ssh_canonical import Rules, canonical_address, canonical_name, lookup_name
from pybridge.transport.ssh_command import SshCommand
from pybridge.transport.ssh_config import DEFAULT_PORT, SshConfig
from pybridge.transport.ssh_destination import split_jump_host
from pybridge.transport.ssh_tokens import Tokens
from pybridge.transport.ssh_values import METHODS, StrictHostKeyChecking, Values
from pybridge.transport.ssh_words import quote_argument
from pybridge.transport.tcp import TcpOptions

DEFAULT_CONNECT_TIMEOUT = 15.0
DEFAULT_KEEPALIVE_SECONDS = 15
DEFAULT_KEEPALIVE_COUNT = 3
DEFAULT_RSA_BITS = 1024
_MAX_JUMPS = 8
_DEFAULT_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa")
_PROXY_TOKENS = "hnprku"
_CANONICALIZE = {"no": "no", "false": "no", "yes": "yes", "true": "yes", "always": "always"}


@dataclass(frozen=True)
class SshTarget:
    """Everything needed to connect to one SSH server, as OpenSSH would. Holds no secret.

    `alias` is the host as typed, `host` the name or address to connect to,
    `named_identities` the identity files of -i (also in `identities`, unless they are missing). Times are in seconds.
    `forwarded_agent` is the socket of the agent to forward, None for none. `connection_attempts` are one a second.
    `proxy_sends_socket`: the ProxyCommand does not carry the connection, it sends a connected socket (ProxyUseFdpass).
    `service_class` is the byte of the IP header that IPQoS sets.
    Algorithm lists are as in ssh_config(5), with `+`, `-`, `^` forms; None means the default.
    `known_hosts_command` still has its tokens for what is known only while connecting: %H %I %t %f %K.
    """

    alias: str
    host: str
    port: int
    user: str
    identities: tuple[Path, ...] = ()
    named_identities: tuple[Path, ...] = ()
    identities_only: bool = False
    certificates: tuple[Path, ...] = ()
    agent_path: str | None = None
    forwarded_agent: str | None = None
    jumps: tuple[SshTarget, ...] = ()
    proxy_command: str | None = None
    proxy_sends_socket: bool = False
    user_known_hosts: tuple[Path, ...] = ()
    global_known_hosts: tuple[Path, ...] = ()
    revoked_host_keys: Path | None = None
    known_hosts_command: str | None = None
    check_host_ip: bool = False
    no_host_authentication_for_localhost: bool = False
    ca_signature_algorithms: str | None = None
    host_key_alias: str | None = None
    hash_known_hosts: bool = False
    batch_mode: bool = False
    required_rsa_bits: int = DEFAULT_RSA_BITS
    strict_host_key_checking: StrictHostKeyChecking = "ask"
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT
    host_key_algorithms: str | None = None
    kex_algorithms: str | None = None
    ciphers: str | None = None
    macs: str | None = None
    public_key_algorithms: str | None = None
    authentication_methods: tuple[str, ...] = METHODS
    compression: bool = False
    keepalive_seconds: int = DEFAULT_KEEPALIVE_SECONDS
    keepalive_count: int = DEFAULT_KEEPALIVE_COUNT
    tcp_keepalive: bool = True
    address_family: int = socket.AF_UNSPEC
    bind_address: str | None = None
    bind_interface: str | None = None
    connection_attempts: int = 1
    service_class: int | None = None
    rekey_bytes: int | None = None
    rekey_seconds: int | None = None
    set_environment: tuple[tuple[str, str], ...] = ()
    send_environment: tuple[str, ...] = ()

    @property
    def tcp(self) -> TcpOptions:
        """What matters for the TCP connection."""
        return TcpOptions(
            family=self.address_family,
            bind_address=self.bind_address,
            bind_interface=self.bind_interface,
            service_class=self.service_class,
            attempts=self.connection_attempts,
            attempt_seconds=self.connect_timeout,
        )

    @property
    def time_limit(self) -> float:
        """For connecting in all, in seconds: each of the attempts has the connect timeout, with a second in between."""
        return self.connect_timeout * self.connection_attempts + self.connection_attempts - 1

    @property
    def slug(self) -> str:
        """A name for folders: safe on every file system, different for different (user, host, port, jump hosts)."""
        route = [(hop.user, hop.host.lower(), hop.port) for hop in (*self.jumps, self)]
        digest = hashlib.sha256(repr((route, self.proxy_command)).encode("utf-8", "surrogateescape")).hexdigest()[:10]
        port = "" if self.port == DEFAULT_PORT else f"-{self.port}"
        readable = re.sub(r"[^a-z0-9.-]+", "-", f"{self.user}-{self.alias}{port}".lower()).strip("-.")
        return f"{readable[:60].strip('-.')}-{digest}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" + ("" if self.port == DEFAULT_PORT else f":{self.port}")


def resolve_target(command: SshCommand, *, home: Path | None = None) -> SshTarget:
    """Resolve a command line against the user's and the system's ssh configuration.

    Args:
        command: the parsed command line.
        home: where `.ssh` is looked for; the user's own home folder if not given.

    Raises:
        CommandLineError: an option of the command line has a value that cannot be used.
        ConfigurationError: a configuration file cannot be read or understood, or names what cannot be used.
    """
    return _Resolver(home or Path.home(), command.config_file).resolve(command, depth=0)


class _Resolver:
    def __init__(self, home: Path, config_file: Path | None) -> None:
        self._home = home
        self._config_file = config_file

    def resolve(self, command: SshCommand, *, depth: int) -> SshTarget:
        if depth > _MAX_JUMPS:
            raise ConfigurationError(
                f"The jump hosts of {command.host} lead in a circle.", next_step="Correct ProxyJump for one of them."
            )
        config = SshConfig(command.host, _existing(command), self._home)
        self._read_files(config)
        host, canonicalized = self._host(config)
        if canonicalized or config.wants_final:
            config.begin_final_pass(host)
            self._read_files(config)
        config.refuse_unusable()
        tokens = config.tokens(host)
        values = Values(config, tokens, self._home)
        jump, has_proxy = values.way()
        agent = values.agent()
        rekey_bytes, rekey_seconds = values.rekey_limit()
        return SshTarget(
            alias=command.host,
            host=host,
            port=values.port(DEFAULT_PORT),
            user=tokens.expand("%r"),
            identities=self._identities(values),
            named_identities=command.identity_files,
            identities_only=values.flag("IdentitiesOnly"),
            certificates=tuple(values.collected_paths("CertificateFile")),
            agent_path=agent,
            forwarded_agent=values.forwarded_agent(agent),
            jumps=self._jumps(jump, tokens, depth, (host, values.port(DEFAULT_PORT), tokens.expand("%r"))),
            proxy_command=values.command("ProxyCommand", only=_PROXY_TOKENS) if has_proxy else None,
            proxy_sends_socket=values.flag("ProxyUseFdpass") and jump is None,
            user_known_hosts=values.paths("UserKnownHostsFile", ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")),
            global_known_hosts=values.paths(
                "GlobalKnownHostsFile", ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
            ),
            revoked_host_keys=values.path("RevokedHostKeys"),
            known_hosts_command=values.command("KnownHostsCommand", later="HItfK"),
            check_host_ip=values.flag("CheckHostIP"),
            no_host_authentication_for_localhost=values.flag("NoHostAuthenticationForLocalhost"),
            ca_signature_algorithms=config.get("CASignatureAlgorithms"),
            host_key_alias=values.text("HostKeyAlias"),
            hash_known_hosts=values.flag("HashKnownHosts"),
            batch_mode=values.flag("BatchMode"),
            required_rsa_bits=max(values.number("RequiredRSASize", DEFAULT_RSA_BITS), DEFAULT_RSA_BITS),
            strict_host_key_checking=values.strictness(),
            connect_timeout=float(values.seconds("ConnectTimeout", int(DEFAULT_CONNECT_TIMEOUT))),
            host_key_algorithms=config.get("HostKeyAlgorithms"),
            kex_algorithms=config.get("KexAlgorithms"),
            ciphers=config.get("Ciphers"),
            macs=config.get("MACs"),
            public_key_algorithms=config.get("PubkeyAcceptedAlgorithms"),
            authentication_methods=values.methods(),
            compression=values.flag("Compression"),
            keepalive_seconds=values.seconds("ServerAliveInterval", DEFAULT_KEEPALIVE_SECONDS),
            keepalive_count=values.number("ServerAliveCountMax", DEFAULT_KEEPALIVE_COUNT) or 1,
            tcp_keepalive=values.flag("TCPKeepAlive", default=True),
            address_family=values.address_family(),
            bind_address=values.text("BindAddress"),
            bind_interface=values.text("BindInterface"),
            connection_attempts=values.number("ConnectionAttempts", 1, least=1),
            service_class=values.service_class(),
            rekey_bytes=rekey_bytes,
            rekey_seconds=rekey_seconds,
            set_environment=values.set_environment(),
            send_environment=values.send_environment(),
        )

    def _read_files(self, config: SshConfig) -> None:
        if self._config_file is None:
            config.read(self._home / ".ssh" / "config")
            config.read(Path("/etc/ssh/ssh_config"), system=True)
        elif str(self._config_file).lower() != "none":
            config.read(self._config_file, required=True)

    def _host(self, config: SshConfig) -> tuple[str, bool]:
        """The name or address to connect to, and whether the files must be read again with it."""
        host = config.target()
        values = Values(config, config.tokens(host), self._home)
        family = values.address_family()
        address = canonical_address(host, family)
        mode = values.one_of("CanonicalizeHostname", _CANONICALIZE, "no")
        if address is not None:
            return address, mode != "no"
        domains, cnames = config.setting("CanonicalDomains"), config.setting("CanonicalizePermittedCNAMEs")
        pairs = [word.partition(":") for word in cnames.arguments] if cnames else []
        rules = Rules(
            mode=mode,
            domains=domains.arguments if domains else (),
            max_dots=values.number("CanonicalizeMaxDots", 1),
            fallback=values.flag("CanonicalizeFallbackLocal", default=True),
            cnames=tuple((sources, targets) for sources, colon, targets in pairs if colon),
        )
        direct = values.way() == (None, False)
        return canonical_name(host.lower(), rules, direct=direct, lookup=lookup_name(family)), mode != "no"

    def _identities(self, values: Values) -> tuple[Path, ...]:
        """Identity files to try: those named, else the default names; of each, the file or its public half exists."""
        named = values.collected_paths("IdentityFile")
        if not values.config.settings("IdentityFile"):
            named = [self._home / ".ssh" / name for name in _DEFAULT_IDENTITIES]
        return tuple(
            dict.fromkeys(path for path in named if path.exists() or path.with_name(path.name + ".pub").exists())
        )

    def _jumps(self, jump: str | None, tokens: Tokens, depth: int, end: tuple[str, int, str]) -> tuple[SshTarget, ...]:
        """The jump hosts in the order they are passed. Only the first one's own way to go counts, as in OpenSSH.

        Args:
            end: host, port and user they lead to.
        """
        if jump is None:
            return ()
        hops: list[SshTarget] = []
        typed: tuple[str | None, str, int | None] | None = None
        for index, text in enumerate(jump.split(",")):
            previous, typed = typed, split_jump_host(tokens.expand(text, only=_PROXY_TOKENS))
            user, host, port = typed
            options = [("User", quote_argument(user))] if user else []
            options += [("Port", str(port))] if port else []
            # A later hop is reached through the one before it; ssh gives it that as its ProxyJump.
            options += [("ProxyJump", "none"), ("ProxyCommand", "none")] if index else []
            hop = self.resolve(SshCommand(host=host, user=user, port=port, options=tuple(options)), depth=depth + 1)
            _check_circle(previous, (hop.host, hop.port, hop.user))
            hops += [*hop.jumps, hop]
        _check_circle(typed, end)
        return tuple(hops)


def _check_circle(jump: tuple[str | None, str, int | None] | None, end: tuple[str, int, str]) -> None:
    """Refuse a jump host that leads to itself, as OpenSSH does."""
    if jump is not None and (jump[1].lower(), jump[2] or DEFAULT_PORT, jump[0] or end[2]) == (end[0].lower(), *end[1:]):
        raise ConfigurationError(
            f"The jump hosts lead in a circle: {jump[1]} is to be reached through itself.",
            next_step="Correct ProxyJump or -J.",
        )


def _existing(command: SshCommand) -> list[tuple[str, str]]:
    """The options, without the identity files of -i that do not exist: ssh only warns of them."""
    missing = {quote_argument(str(path)) for path in command.identity_files if not path.exists()}
    return [(name, rest) for name, rest in command.options if name != "IdentityFile" or rest not in missing]
