"""Every keyword of OpenSSH's client, and what becomes of it here: one table.

The keywords are those of ssh_config(5) of OpenSSH 10, of Debian's and Apple's additions to it, and the old names and
obsolete keywords that OpenSSH itself still reads. docs/ssh-options.md is written from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Fate(Enum):
    """What becomes of a keyword."""

    HONOURED = "honoured"
    HARMLESS = "harmless"
    REFUSED = "refused"


@dataclass(frozen=True)
class Keyword:
    """One keyword.

    Args:
        name: as ssh_config(5) spells it.
        fate: what becomes of it where it is typed in REMOTE_SSH.
        why: a reason, or for a keyword that is honoured what is special about it; a clause without a full stop.
        in_files: what becomes of it in a configuration file, if that differs.
        next_step: what to do about a refusal.
        aliases: other names OpenSSH knows it by.
        letters: the options with a letter of their own that mean this keyword.
        harmless: values (lower case) that ask for nothing, so that they are never refused.
        arguments: how many a line may have: `one`, `many`, or `rest` for a command that extends to the end of the line.
    """

    name: str
    fate: Fate
    why: str = ""
    in_files: Fate | None = None
    next_step: str | None = None
    aliases: tuple[str, ...] = ()
    letters: str = ""
    harmless: tuple[str, ...] = ()
    arguments: Literal["one", "many", "rest"] = "one"

    def fate_in_files(self) -> Fate:
        """What becomes of it in a configuration file."""
        return self.in_files or self.fate

    def asks_for_nothing(self, value: str) -> bool:
        """Whether this value only switches off what is off here anyway."""
        return value.lower() in self.harmless


OPENSSH = "Set REMOTE_TRANSPORT=openssh: the system's own ssh then makes the connection."
_TUNNELS = "Keep the forwarding in an ssh of its own, in a terminal."
_OFF = ("no", "false", "none")

_H, _I, _R = Fate.HONOURED, Fate.HARMLESS, Fate.REFUSED
_FORWARDINGS = "it belongs to forwardings, of which none are made"
_GSSAPI = "it belongs to GSSAPI, which is not used"
_SHARED = "connections are kept and shared by pybridge itself"
_TERMINAL = "it belongs to a terminal session"
_NO_TERMINAL = "commands run without a terminal"
_OBSOLETE = "obsolete; OpenSSH ignores it too"


def _forwarding(name: str, letter: str, kind: str) -> Keyword:
    why = f"{kind} forwarding is not what REMOTE_SSH is for"
    return Keyword(name, _R, why, in_files=_I, letters=letter, next_step=_TUNNELS, arguments="many")


def _honoured(*names: str, arguments: Literal["one", "many", "rest"] = "one") -> list[Keyword]:
    return [Keyword(name, _H, arguments=arguments) for name in names]


def _ignored(why: str, *names: str, arguments: Literal["one", "many", "rest"] = "one") -> list[Keyword]:
    return [Keyword(name, _I, why, arguments=arguments) for name in names]


_TABLE: list[Keyword] = [
    # Which lines apply.
    Keyword("Host", _H, "in files", arguments="many"),
    Keyword(
        "Match", _H, "in files; the session type is exec, the command empty, the version OpenSSH_10.0", arguments="many"
    ),
    Keyword("Include", _H, "in files; also -F FILE and -F none", arguments="many"),
    *_honoured("IgnoreUnknown"),
    Keyword("Tag", _H, letters="P"),
    Keyword("RefuseConnection", _H),
    # Where to.
    *_honoured("HostName", "ConnectionAttempts"),
    Keyword("ConnectTimeout", _H, "15 s if not given"),
    Keyword("AddressFamily", _H, letters="46"),
    Keyword("BindAddress", _H, letters="b"),
    Keyword("BindInterface", _H, "not on Windows, where interfaces have no such names", letters="B"),
    Keyword("Port", _H, letters="p"),
    Keyword("User", _H, letters="l"),
    Keyword("ProxyJump", _H, "several hops, each with its own configuration", letters="J"),
    Keyword("ProxyCommand", _H, arguments="rest"),
    Keyword("ProxyUseFdpass", _H, "refused on Windows, which cannot pass file descriptors"),
    *_honoured("CanonicalizeHostname", "CanonicalizeFallbackLocal", "CanonicalizeMaxDots"),
    *_honoured("CanonicalDomains", "CanonicalizePermittedCNAMEs", arguments="many"),
    *_honoured("TCPKeepAlive", "ServerAliveCountMax"),
    Keyword("Compression", _H, letters="C"),
    Keyword("ServerAliveInterval", _H, "15 s if not given", aliases=("ProtocolKeepAlives", "SetupTimeOut")),
    *_honoured("IPQoS", "RekeyLimit", arguments="many"),
    # The host's key.
    *_honoured("StrictHostKeyChecking", "HostKeyAlias", "HashKnownHosts", "RevokedHostKeys", "CheckHostIP"),
    *_honoured("NoHostAuthenticationForLocalhost", "CASignatureAlgorithms", "RequiredRSASize"),
    *_honoured("UserKnownHostsFile", "GlobalKnownHostsFile", arguments="many"),
    Keyword("KnownHostsCommand", _H, arguments="rest"),
    # Algorithms.
    *_honoured("KexAlgorithms", "HostKeyAlgorithms"),
    Keyword("Ciphers", _H, letters="c"),
    Keyword("MACs", _H, letters="m"),
    Keyword("PubkeyAcceptedAlgorithms", _H, aliases=("PubkeyAcceptedKeyTypes",)),
    # Who the user is.
    Keyword("IdentityFile", _H, letters="i", aliases=("IdentityFile2",)),
    *_honoured("CertificateFile", "IdentitiesOnly", "IdentityAgent", "PreferredAuthentications"),
    *_honoured("PasswordAuthentication"),
    Keyword("PubkeyAuthentication", _H, aliases=("DSAAuthentication",)),
    Keyword(
        "KbdInteractiveAuthentication",
        _H,
        aliases=("ChallengeResponseAuthentication", "SkeyAuthentication", "TISAuthentication"),
    ),
    Keyword("BatchMode", _H, "with yes, no password is used"),
    Keyword("NumberOfPasswordPrompts", _H, "0 means that no password is used; else it is tried once, accounts lock"),
    Keyword("ForwardAgent", _H, letters="Aa"),
    *_honoured("SendEnv", "SetEnv", arguments="many"),
    Keyword(
        "PKCS11Provider",
        _R,
        "keys on PKCS#11 tokens are not supported",
        aliases=("SmartcardDevice",),
        letters="I",
        harmless=("none",),
        next_step=f"Add -o PKCS11Provider=none to REMOTE_SSH, with the key in ssh-agent (ssh-add -s). Or: {OPENSSH}",
    ),
    Keyword(
        "SecurityKeyProvider",
        _R,
        "security keys are used through ssh-agent only",
        in_files=_I,
        harmless=("internal", "none"),
        next_step=f"Load the key into ssh-agent. Or: {OPENSSH}",
    ),
    *(
        Keyword(name, _R, why, in_files=_I, letters=letters, harmless=_OFF, next_step=OPENSSH)
        for name, letters, why in (
            ("GSSAPIAuthentication", "K", "GSSAPI is not supported; the other ways to log in are tried"),
            ("GSSAPIDelegateCredentials", "k", "GSSAPI is not supported"),
            ("GSSAPIKeyExchange", "", "GSSAPI is not supported; the usual key exchanges are offered"),
            ("HostbasedAuthentication", "", "it needs the host's own key; the other ways to log in are tried"),
        )
    ),
    *_ignored(_GSSAPI, "GSSAPIClientIdentity", "GSSAPIServerIdentity", "GSSAPITrustDNS", "GSSAPIRenewalForcesRekey"),
    *_ignored(_GSSAPI, "GSSAPIKexAlgorithms"),
    Keyword(
        "HostbasedAcceptedAlgorithms",
        _I,
        "it belongs to host-based authentication, which is not used",
        aliases=("HostbasedKeyTypes",),
    ),
    *_ignored("it belongs to host-based authentication, which is not used", "EnableSSHKeysign"),
    *_ignored("the server chooses the devices", "KbdInteractiveDevices"),
    *_ignored("no key is added to the agent", "AddKeysToAgent", arguments="many"),
    *_ignored("Apple's keychain is not asked; set REMOTE_KEY_PASSPHRASE or use ssh-agent", "UseKeychain"),
    # What runs there.
    Keyword(
        "RemoteCommand",
        _R,
        "pybridge runs its own commands there",
        in_files=_I,
        harmless=("none",),
        arguments="rest",
        next_step="Remove it from REMOTE_SSH; the folder goes into REMOTE_WORKDIR.",
    ),
    Keyword("RequestTTY", _R, _NO_TERMINAL, in_files=_I, letters="tT", harmless=("no", "auto", "false")),
    Keyword("SessionType", _R, "commands must be able to run", in_files=_I, letters="Ns", harmless=("default",)),
    Keyword(
        "ForkAfterAuthentication",
        _R,
        "the connection is kept by pybridge itself, not in the background",
        in_files=_I,
        letters="f",
        harmless=_OFF,
    ),
    Keyword("StdinNull", _I, "commands have no input anyway", letters="n"),
    Keyword(
        "PermitLocalCommand",
        _R,
        "no command is run on this machine after connecting",
        in_files=_I,
        harmless=_OFF,
    ),
    *_ignored("no command is run on this machine after connecting", "LocalCommand", arguments="rest"),
    # Forwardings.
    _forwarding("LocalForward", "L", "local"),
    _forwarding("RemoteForward", "R", "remote"),
    _forwarding("DynamicForward", "D", "dynamic"),
    Keyword(
        "ForwardX11",
        _R,
        "X11 forwarding is not supported",
        in_files=_I,
        letters="XYx",
        harmless=_OFF,
        next_step=_TUNNELS,
    ),
    Keyword(
        "Tunnel",
        _R,
        "tunnel devices are not supported",
        letters="w",
        harmless=_OFF,
        next_step=f"Add -o Tunnel=no to REMOTE_SSH. Or: {OPENSSH}",
    ),
    *_ignored(_FORWARDINGS, "TunnelDevice", "ClearAllForwardings", "ExitOnForwardFailure", "ForwardX11Timeout"),
    *_ignored(_FORWARDINGS, "ForwardX11Trusted", "StreamLocalBindMask", "StreamLocalBindUnlink", "XAuthLocation"),
    *_ignored(_FORWARDINGS, "PermitRemoteOpen", arguments="many"),
    Keyword("GatewayPorts", _I, _FORWARDINGS, letters="g"),
    # Sharing a connection.
    Keyword("ControlMaster", _I, f"{_SHARED}; REMOTE_TRANSPORT=openssh uses a master you already have", letters="M"),
    Keyword("ControlPath", _I, f"{_SHARED}; REMOTE_TRANSPORT=openssh uses a master you already have", letters="S"),
    *_ignored(_SHARED, "ControlPersist"),
    *_ignored("channels are closed by the one who opened them", "ChannelTimeout", arguments="many"),
    # Messages.
    Keyword("EscapeChar", _I, _TERMINAL, letters="e"),
    *_ignored(_TERMINAL, "EnableEscapeCommandline", "VisualHostKey"),
    *_ignored(_TERMINAL, "ObscureKeystrokeTiming", arguments="many"),
    Keyword("LogLevel", _I, "pybridge keeps its own log", letters="qv"),
    Keyword("SyslogFacility", _I, "pybridge keeps its own log", letters="y"),
    *_ignored("pybridge keeps its own log", "LogVerbose", arguments="many"),
    *_ignored("fingerprints are shown as SHA256", "FingerprintHash"),
    *_ignored("a weak algorithm is used without a warning", "WarnWeakCrypto"),
    *_ignored("the version that is sent has no addendum", "VersionAddendum", arguments="rest"),
    *_ignored("known_hosts is not changed for keys the server offers in addition", "UpdateHostKeys"),
    *_ignored("DNS is not asked about host keys; known_hosts is", "VerifyHostKeyDNS"),
    # What OpenSSH itself only still reads.
    *_ignored(_OBSOLETE, "AFSTokenPassing", "Cipher", "CompressionLevel", "FallBackToRsh", "GlobalKnownHostsFile2"),
    *_ignored(_OBSOLETE, "KerberosAuthentication", "KerberosTgtPassing", "Protocol", "RhostsAuthentication"),
    *_ignored(_OBSOLETE, "RhostsRSAAuthentication", "RSAAuthentication", "UseBlacklistedKeys", "UsePrivilegedPort"),
    *_ignored(_OBSOLETE, "UseRoaming", "UseRsh", "UserKnownHostsFile2"),
]

KEYWORDS: dict[str, Keyword] = {keyword.name.lower(): keyword for keyword in _TABLE}
"""By name in lower case, in the order of the table."""

_BY_ANY_NAME = KEYWORDS | {alias.lower(): keyword for keyword in _TABLE for alias in keyword.aliases}


def find_keyword(name: str) -> Keyword | None:
    """The keyword of a name or an old name, whatever its case; None if OpenSSH knows no such keyword."""
    return _BY_ANY_NAME.get(name.lower())
