"""The key pairs to offer for public key authentication, in OpenSSH's order: certificates, agent, identity files."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pybridge.transport.asyncssh_quietly import asyncssh, public_key
from pybridge.transport.key_files import FileKeyPair, KeyFile, KeyOpener, KeyUnusableError, read_key_file
from pybridge.transport.rsa_size import too_short
from pybridge.transport.ssh_target import SshTarget

_AGENT_SECONDS = 10.0

Patience = Callable[[str], contextlib.AbstractAsyncContextManager[None]]
"""Given what is waited for, a block in which the time for connecting stands still: a person may be asked."""


@dataclass(frozen=True)
class Offer:
    """A key pair to be had from `get`, which raises KeyUnusableError. `public` is its public half where that shows,
    `sure` whether it is to be tried, whatever methods the server names, and signs without asking anybody anew."""

    get: Callable[[], Awaitable[asyncssh.SSHKeyPair]]
    public: bytes | None = None
    sure: bool = False


@dataclass
class Identities:
    """Key pairs for one connection. `pairs` are those offered so far, `remarks` on those that could not be used.

    `agent` must stay open until authentication is done.
    """

    offers: list[Offer] = field(default_factory=list)
    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    agent: asyncssh.SSHAgentClient | None = None

    async def next(self) -> asyncssh.SSHKeyPair | None:
        """The next key pair to offer, None after the last. A passphrase is asked for only if it cannot be offered
        without."""
        while self.offers:
            try:
                pair = await self.offers.pop(0).get()
            except KeyUnusableError as error:
                self.remark(str(error))
                continue
            self.pairs.append(pair)
            return pair
        return None

    async def next_if_sure(self) -> asyncssh.SSHKeyPair | None:
        """The next key pair, if it is a sure one."""
        return await self.next() if self.offers and self.offers[0].sure else None

    def take_back(self) -> None:
        """The last key pair that was offered is the next one again."""
        pair = self.pairs.pop()

        async def offer() -> asyncssh.SSHKeyPair:
            return pair

        self.offers.insert(0, Offer(offer, pair.public_data))

    def prefer(self, accepted: bytes) -> None:
        """Offer the key with this public half first: the server took it before."""
        first = [replace(offer, sure=True) for offer in self.offers if offer.public == accepted]
        self.offers = first + [offer for offer in self.offers if offer.public != accepted]

    def keep_only(self, accepted: bytes | None) -> bool:
        """Offer no other key than the one with this public half, or none; whether that is to be had."""
        self.offers = [offer for offer in self.offers if accepted is not None and offer.public == accepted]
        return accepted is None or bool(self.offers)

    def remark(self, text: str) -> None:
        """Note what is wrong with an identity, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def close(self) -> None:
        """Let go of the agent."""
        if self.agent is not None:
            self.agent.close()
            self.agent = None


class IdentityLoader:
    """Reads a target's identity files once, and asks the agent for each connection.

    Args:
        target: whose identities.
        opener: of encrypted files, shared by all that may name the same file.

    Attributes:
        accepted: the public half of the key that let us in last time.
    """

    def __init__(self, target: SshTarget, opener: KeyOpener) -> None:
        self.accepted: bytes | None = None
        self._target = target
        self._opener = opener
        self._files: _Files | None = None

    async def load(self, patience: Patience) -> Identities:
        """The key pairs for one connection.

        Args:
            patience: entered while the agent or a person is asked for a signature.
        """
        if self._files is None:
            self._files = await asyncio.to_thread(_read_files, self._target)
        found = Identities(remarks=list(self._files.remarks))
        in_agent = await self._ask_agent(found, patience)
        _Ordering(self._target, self._files, in_agent, self._opener, patience, found).fill()
        if self.accepted is not None:
            found.prefer(self.accepted)
        return found

    async def _ask_agent(self, found: Identities, patience: Patience) -> list[asyncssh.SSHKeyPair]:
        if not self._target.agent_path:
            return []
        try:
            found.agent = asyncssh.SSHAgentClient(self._target.agent_path)
            async with asyncio.timeout(_AGENT_SECONDS):
                await found.agent.connect()
                pairs = list(await found.agent.get_keys())
        except TimeoutError:
            found.close()
            found.remark(f"the agent at {self._target.agent_path} does not answer")
            return []
        except (OSError, ValueError, asyncssh.Error):
            found.close()  # As ssh does: what is not there is passed over.
            return []
        return [_patient(pair, patience) for pair in pairs]


@dataclass
class _Files:
    """What the identity and certificate files hold. `public_data` also has keys whose private half only the agent has.

    `listed` are the certificates named by CertificateFile, `beside` those found beside an identity file.
    """

    keys: list[KeyFile] = field(default_factory=list)
    listed: list[asyncssh.SSHCertificate] = field(default_factory=list)
    beside: list[asyncssh.SSHCertificate] = field(default_factory=list)
    public_data: set[bytes] = field(default_factory=set)
    remarks: list[str] = field(default_factory=list)


@dataclass
class _Ordering:
    """Puts the key pairs of one connection in order; as ssh does it, see pubkey_prepare there.

    First the certificates that are named, then the agent's keys that are named, its others, and the files.
    """

    target: SshTarget
    files: _Files
    in_agent: list[asyncssh.SSHKeyPair]
    opener: KeyOpener
    patience: Patience
    found: Identities

    def fill(self) -> None:
        """Fill in the offers."""
        self.in_agent = [pair for pair in self.in_agent if self._long_enough(pair.public_data, "a key of the agent")]
        for certificate in self.files.listed:
            self._offer_certificate(certificate, needed=True)
        named = self.files.public_data
        for pair in [pair for pair in self.in_agent if pair.public_data in named]:
            self._offer(pair)
        for pair in [pair for pair in self.in_agent if pair.public_data not in named]:
            if not self.target.identities_only:
                self._offer(pair)
        held = {pair.public_data for pair in self.in_agent}
        for file in self.files.keys:
            if file.public is None:
                self.found.offers.append(Offer(self._opened_first(file)))
            elif file.public.public_data not in held and self._long_enough(file.public.public_data, str(file.path)):
                self._offer_file(file)
        for certificate in self.files.beside:
            if certificate.public_data not in held:
                self._offer_certificate(certificate, needed=False)

    def _long_enough(self, public: bytes, name: str) -> bool:
        """Whether RequiredRSASize lets a key be used; ssh passes over one that is too short."""
        fault = too_short(public, self.target.required_rsa_bits)
        if fault:
            self.found.remark(f"{name}: {fault}")
        return fault is None

    def _offer(self, pair: asyncssh.SSHKeyPair, *, sure: bool = False) -> None:
        async def offer() -> asyncssh.SSHKeyPair:
            return pair

        self.found.offers.append(Offer(offer, pair.public_data, sure))

    def _offer_file(self, file: KeyFile, certificate: asyncssh.SSHCertificate | None = None) -> None:
        assert file.public is not None
        is_open = file.private is not None
        pair = FileKeyPair(file.public, self._opening(file), certificate, is_open=is_open)
        # One that was named is meant for this server; others lie there for whatever server.
        named = file.path in self.target.named_identities or self.target.identities_only
        self._offer(pair, sure=is_open and named)

    def _offer_certificate(self, certificate: asyncssh.SSHCertificate, *, needed: bool) -> None:
        public = certificate.key.public_data
        for pair in self.in_agent:
            if pair.public_data == public:
                certified = copy.copy(pair)
                certified.set_certificate(certificate)
                self._offer(_patient(certified, self.patience))
                return
        for file in self.files.keys:
            if file.public is not None and file.public.public_data == public:
                self._offer_file(file, certificate)
                return
        if needed:
            name = certificate.get_comment() or "without a name"
            self.found.remark(f"the certificate {name}: neither the agent nor an identity file has its private key")

    def _opening(self, file: KeyFile) -> Callable[[], Awaitable[asyncssh.SSHKey]]:
        async def open_key() -> asyncssh.SSHKey:
            try:
                async with self.patience(f"waiting for the passphrase of {file.path}"):
                    return await self.opener.open(file)
            except KeyUnusableError as error:
                self.found.remark(str(error))
                raise

        return open_key

    def _opened_first(self, file: KeyFile) -> Callable[[], Awaitable[asyncssh.SSHKeyPair]]:
        """An encrypted file in an old format, with no public half beside it: nothing shows before it is open."""

        async def offer() -> asyncssh.SSHKeyPair:
            key = await self._opening(file)()
            if not self._long_enough(key.public_data, str(file.path)):
                raise KeyUnusableError(f"{file.path}: {too_short(key.public_data, self.target.required_rsa_bits)}")
            return FileKeyPair(key.convert_to_public(), self._opening(file))

        return offer


def _patient(pair: asyncssh.SSHKeyPair, patience: Patience) -> asyncssh.SSHKeyPair:
    """The agent's key pair; it may ask a person before it signs."""
    ask_agent = type(pair).sign_async  # type: ignore[attr-defined]

    async def sign(data: bytes) -> bytes:
        async with patience("waiting for the agent to sign"):
            return await ask_agent(pair, data)

    pair.__dict__["sign_async"] = sign
    return pair


def _read_files(target: SshTarget) -> _Files:
    files = _Files()
    for path in target.named_identities:
        if not path.exists() and not path.with_name(path.name + ".pub").exists():
            files.remarks.append(f"{path}: there is no such file")
    for path in target.identities:
        if path.suffix == ".pub" or not path.exists():
            public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
            with contextlib.suppress(OSError, ValueError):
                files.public_data.add(asyncssh.read_public_key(public).public_data)
            continue
        try:
            file = read_key_file(path)
        except KeyUnusableError as error:
            files.remarks.append(str(error))
            with contextlib.suppress(OSError, ValueError):  # The agent may have it.
                files.public_data.add(asyncssh.read_public_key(path.with_name(path.name + ".pub")).public_data)
            continue
        files.keys.append(file)
        if file.public is not None:
            files.public_data.add(file.public.public_data)
    for path in target.certificates:
        _read_certificate(path, files, files.listed)
    if not target.certificates:
        for path in target.identities:
            beside = path.with_name(path.name.removesuffix(".pub") + "-cert.pub")
            if beside.exists():
                _read_certificate(beside, files, files.beside)
    return files


def _read_certificate(path: Path, files: _Files, into: list[asyncssh.SSHCertificate]) -> None:
    """Add a user's certificate, or a remark on why it would be refused."""
    try:
        certificate = asyncssh.read_certificate(path)
        validate = getattr(certificate, "validate", None)  # X.509 certificates are chains, and left to the server.
        if validate is not None:
            validate(public_key.CERT_TYPE_USER, None)
    except OSError as error:
        files.remarks.append(f"{path}: {error.strerror or error}")
    except ValueError as error:
        files.remarks.append(f"{path}: {str(error)[:1].lower()}{str(error)[1:]}")
    else:
        into.append(certificate)
        files.public_data.add(certificate.public_data)
