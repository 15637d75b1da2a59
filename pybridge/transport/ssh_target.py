"""The SSH target in effect: the command line and the configuration files, resolved for one host and its jump hosts."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from pybridge.errors import CommandLineError, ConfigurationError
from pybridge.transport.ssh_command import SshCommand, split_destination
from pybridge.transport.ssh_config import SshConfig, split_words

DEFAULT_PORT = 22
DEFAULT_CONNECT_TIMEOUT = 15.0
DEFAULT_KEEPALIVE_SECONDS = 15
DEFAULT_KEEPALIVE_COUNT = 3
_MAX_JUMPS = 8
_DEFAULT_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa")
_DEFAULT_METHODS = ("publickey", "keyboard-interactive", "password")

StrictHostKeyChecking = Literal["yes", "ask", "accept-new", "no"]


@dataclass(frozen=True)
class SshTarget:
    """Everything needed to connect to one SSH server, as OpenSSH would. Holds no secret.

    `alias` is the host as typed, `host` the name or address to connect to,
    `named_identities` the identity files of the command line (also in `identities`). Times are in seconds.
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
    forward_agent: bool = False
    jumps: tuple[SshTarget, ...] = ()
    proxy_command: str | None = None
    user_known_hosts: tuple[Path, ...] = ()
    global_known_hosts: tuple[Path, ...] = ()
    revoked_host_keys: Path | None = None
    known_hosts_command: str | None = None
    check_host_ip: bool = False
    no_host_authentication_for_localhost: bool = False
    ca_signature_algorithms: str | None = None
    host_key_alias: str | None = None
    hash_known_hosts: bool = False
    strict_host_key_checking: StrictHostKeyChecking = "ask"
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT
    host_key_algorithms: str | None = None
    kex_algorithms: str | None = None
    ciphers: str | None = None
    macs: str | None = None
    public_key_algorithms: str | None = None
    authentication_methods: tuple[str, ...] = _DEFAULT_METHODS
    compression: bool = False
    keepalive_seconds: int = DEFAULT_KEEPALIVE_SECONDS
    keepalive_count: int = DEFAULT_KEEPALIVE_COUNT
    tcp_keepalive: bool = True
    address_family: int = socket.AF_UNSPEC
    bind_address: str | None = None
    set_environment: tuple[tuple[str, str], ...] = ()
    send_environment: tuple[str, ...] = field(default=())

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
            raise ConfigurationError(f"The jump hosts of {command.host} lead in a circle.")
        config = self._load(command)
        host = (config.get("HostName") or "%h").replace("%%", "\0").replace("%h", command.host).replace("\0", "%")
        user = config.get("User") or getpass.getuser()
        port = _number(config, "Port", DEFAULT_PORT)
        tokens = self._tokens(command.host, host, port, user)
        values = _Values(config, tokens, self._home)
        jump = config.get("ProxyJump")
        proxy = config.get("ProxyCommand")
        if proxy is not None and proxy.lower() == "none":
            proxy = None
        if jump is not None and jump.lower() == "none":
            jump = None
        if command.jump is not None:  # The command line's own choice wins over the file's ProxyCommand.
            proxy = None
        elif jump is not None and proxy is not None:
            jump = None
        server_alive = _number(config, "ServerAliveInterval", 0)
        return SshTarget(
            alias=command.host,
            host=host,
            port=port,
            user=user,
            identities=self._identities(command, values),
            named_identities=command.identity_files,
            identities_only=values.flag("IdentitiesOnly"),
            certificates=tuple(map(values.path, config.get_all("CertificateFile"))),
            agent_path=self._agent(values),
            forward_agent=(config.get("ForwardAgent") or "no").lower() != "no",
            jumps=self._jumps(jump, depth),
            proxy_command=values.expand(proxy) if proxy else None,
            user_known_hosts=values.paths("UserKnownHostsFile", "~/.ssh/known_hosts ~/.ssh/known_hosts2"),
            global_known_hosts=values.paths(
                "GlobalKnownHostsFile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
            ),
            revoked_host_keys=next(iter(values.paths("RevokedHostKeys", "none")), None),
            known_hosts_command=values.command("KnownHostsCommand", later="HItfK"),
            check_host_ip=values.flag("CheckHostIP"),
            no_host_authentication_for_localhost=values.flag("NoHostAuthenticationForLocalhost"),
            ca_signature_algorithms=config.get("CASignatureAlgorithms"),
            host_key_alias=values.text("HostKeyAlias"),
            hash_known_hosts=values.flag("HashKnownHosts"),
            strict_host_key_checking=_strictness(config.get("StrictHostKeyChecking")),
            connect_timeout=_seconds(config.get("ConnectTimeout"), DEFAULT_CONNECT_TIMEOUT),
            host_key_algorithms=config.get("HostKeyAlgorithms"),
            kex_algorithms=config.get("KexAlgorithms"),
            ciphers=config.get("Ciphers"),
            macs=config.get("MACs"),
            public_key_algorithms=config.get("PubkeyAcceptedAlgorithms") or config.get("PubkeyAcceptedKeyTypes"),
            authentication_methods=_methods(values),
            compression=values.flag("Compression"),
            keepalive_seconds=server_alive or DEFAULT_KEEPALIVE_SECONDS,
            keepalive_count=_number(config, "ServerAliveCountMax", DEFAULT_KEEPALIVE_COUNT) or 1,
            tcp_keepalive=values.flag("TCPKeepAlive", default=True),
            address_family=_address_family(config.get("AddressFamily")),
            bind_address=values.text("BindAddress"),
            set_environment=_environment(config.get("SetEnv")),
            send_environment=tuple(name for value in config.get_all("SendEnv") for name in split_words(value)),
        )

    def _load(self, command: SshCommand) -> SshConfig:
        options = list(command.options)
        if command.user is not None:
            options.append(("User", command.user))
        if command.port is not None:
            options.append(("Port", str(command.port)))
        if command.jump is not None:
            options.append(("ProxyJump", command.jump))
        config = SshConfig(command.host, options)
        for _ in range(2):
            if self._config_file is None:
                config.read(self._home / ".ssh" / "config", include_folder=self._home / ".ssh")
                config.read(Path("/etc/ssh/ssh_config"), include_folder=Path("/etc/ssh"))
            elif str(self._config_file) != "none":
                config.read(self._config_file, required=True, include_folder=self._home / ".ssh")
            if not config.wants_final:
                break
            config.begin_final_pass()
        return config

    def _tokens(self, alias: str, host: str, port: int, user: str) -> dict[str, str]:
        local = socket.gethostname()
        joined = hashlib.sha1(f"{local}{host}{port}{user}".encode(), usedforsecurity=False)
        tokens = {"%": "%", "h": host, "n": alias, "k": alias, "p": str(port), "r": user, "u": getpass.getuser()}
        tokens |= {"d": str(self._home), "l": local, "L": local.partition(".")[0], "C": joined.hexdigest(), "j": ""}
        if hasattr(os, "getuid"):
            tokens["i"] = str(os.getuid())
        return tokens

    def _identities(self, command: SshCommand, values: _Values) -> tuple[Path, ...]:
        """Identity files to try: those named, which on the command line must exist, else the default names."""
        named = list(command.identity_files)
        for path in named:
            if not path.exists() and not path.with_name(path.name + ".pub").exists():
                raise CommandLineError(
                    f"The identity file {path} named in REMOTE_SSH does not exist.",
                    next_step="Correct the path after -i, or remove it.",
                )
        configured = values.config.get_all("IdentityFile")
        named += [values.path(value) for value in configured if value.lower() != "none"]
        if not named and not configured:
            named = [self._home / ".ssh" / name for name in _DEFAULT_IDENTITIES]
        return tuple(
            dict.fromkeys(path for path in named if path.exists() or path.with_name(path.name + ".pub").exists())
        )

    def _agent(self, values: _Values) -> str | None:
        value = values.config.get("IdentityAgent")
        if value is None or value == "SSH_AUTH_SOCK":
            found = os.environ.get("SSH_AUTH_SOCK")
            return found or (r"\\.\pipe\openssh-ssh-agent" if os.name == "nt" else None)
        if value.lower() == "none":
            return None
        return os.environ.get(value[1:]) if re.fullmatch(r"\$\w+", value) else str(values.path(value))

    def _jumps(self, jump: str | None, depth: int) -> tuple[SshTarget, ...]:
        """The jump hosts in the order they are passed. A hop that names jump hosts itself is resolved with them."""
        if jump is None:
            return ()
        hops: list[SshTarget] = []
        for index, text in enumerate(jump.split(",")):
            text = text.strip()
            try:
                user, host, port = split_destination(text if text.lower().startswith("ssh://") else f"ssh://{text}")
            except CommandLineError as error:
                raise CommandLineError(f"The jump host {text!r} cannot be read: {error.message}") from error
            hop = self.resolve(SshCommand(host=host, user=user, port=port), depth=depth + 1)
            # Only the first hop is reached from here; a later one is reached through the one before it.
            hops += [*hop.jumps, hop] if index == 0 else [hop]
        return tuple(hops)


class _Values:
    """Typed access to the values in effect, with tokens and home folders expanded."""

    def __init__(self, config: SshConfig, tokens: dict[str, str], home: Path) -> None:
        self.config = config
        self._tokens = tokens
        self._home = home

    def expand(self, value: str, *, later: str = "") -> str:
        """The value with its tokens replaced, except those of `later` and, with them, `%%`."""

        def replace(match: re.Match[str]) -> str:
            if later and match[1] in f"%{later}":
                return match[0]
            if match[1] not in self._tokens:
                raise ConfigurationError(f"ssh configuration: %{match[1]} in {value!r} is not known.")
            return self._tokens[match[1]]

        return re.sub(r"%(.)", replace, value)

    def path(self, value: str) -> Path:
        value = re.sub(r"\$\{(\w+)\}", lambda match: os.environ.get(match[1], ""), self.expand(value))
        return self._home / value[2:] if value.startswith("~/") else Path(value).expanduser()

    def paths(self, keyword: str, default: str) -> tuple[Path, ...]:
        words = split_words(self.config.get(keyword) or default)
        return () if [word.lower() for word in words] == ["none"] else tuple(map(self.path, words))

    def text(self, keyword: str) -> str | None:
        return self.config.get(keyword)

    def command(self, keyword: str, *, later: str) -> str | None:
        """A command, None if it is not given or `none`; tokens of `later` stay in it."""
        value = self.config.get(keyword)
        return None if value is None or value.lower() == "none" else self.expand(value, later=later)

    def flag(self, keyword: str, *, default: bool = False) -> bool:
        value = self.config.get(keyword)
        if value is None:
            return default
        if value.lower() not in ("yes", "true", "no", "false"):
            raise ConfigurationError(f"ssh option {keyword}={value}: the value must be yes or no.")
        return value.lower() in ("yes", "true")


def _number(config: SshConfig, keyword: str, default: int) -> int:
    value = config.get(keyword)
    if value is None:
        return default
    if keyword == "ServerAliveInterval":
        return int(_seconds(value, 0))
    if not value.isascii() or not value.isdigit() or (keyword == "Port" and not 0 < int(value) < 65536):
        raise ConfigurationError(f"ssh option {keyword}={value}: the value must be a number.")
    return int(value)


def _seconds(value: str | None, default: float) -> float:
    """A time of ssh_config(5): seconds, or a sequence such as 1m30s."""
    if value is None or value.lower() == "none":
        return default
    parts = re.findall(r"(\d+)([smhdw]?)", value.lower())
    if not parts or "".join(map("".join, parts)) != value.lower():
        raise ConfigurationError(f"ssh option with the time {value!r}: it must be a number of seconds.")
    units = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    return float(sum(int(number) * units[unit] for number, unit in parts)) or default


def _strictness(value: str | None) -> StrictHostKeyChecking:
    known = {"yes": "yes", "true": "yes", "no": "no", "off": "no", "false": "no", "ask": "ask"}
    known["accept-new"] = "accept-new"
    if value is None:
        return "ask"
    if value.lower() not in known:
        raise ConfigurationError(f"StrictHostKeyChecking={value}: the value must be yes, ask, accept-new or no.")
    return cast(StrictHostKeyChecking, known[value.lower()])


def _address_family(value: str | None) -> int:
    families = {"any": socket.AF_UNSPEC, "inet": socket.AF_INET, "inet6": socket.AF_INET6}
    if value is not None and value.lower() not in families:
        raise ConfigurationError(f"AddressFamily={value}: the value must be any, inet or inet6.")
    return families[(value or "any").lower()]


def _methods(values: _Values) -> tuple[str, ...]:
    preferred = values.text("PreferredAuthentications")
    methods: Sequence[str] = preferred.split(",") if preferred else _DEFAULT_METHODS
    switched_off = {
        "publickey": not values.flag("PubkeyAuthentication", default=True),
        "password": not values.flag("PasswordAuthentication", default=True),
        "keyboard-interactive": not values.flag(
            "KbdInteractiveAuthentication", default=values.flag("ChallengeResponseAuthentication", default=True)
        ),
    }
    return tuple(name for name in map(str.strip, methods) if name in _DEFAULT_METHODS and not switched_off[name])


def _environment(value: str | None) -> tuple[tuple[str, str], ...]:
    pairs = (word.partition("=") for word in split_words(value or ""))
    return tuple((name, content) for name, equals, content in pairs if equals)
