"""Certificates of users, signed by an authority the server trusts: named, beside the key, in the agent, expired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pybridge.errors import AuthenticationError
from tests.kit.agent import running_agent, with_agent
from tests.kit.counterparts import need
from tests.kit.pools import open_pool, run
from tests.kit.sshd import SshServer, call, make_key, start_openssh


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture(scope="module")
def server(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """It knows no key, only the authority."""
    server = start_openssh(tmp_path_factory.mktemp("certified"), [f"TrustedUserCAKeys {authority}.pub"])
    (server.folder / "authorized_keys").write_text("")
    yield server
    server.stop()


def sign(authority: Path, key: Path, *options: str, principal: str) -> Path:
    """Certify a key; the certificate comes to lie beside it."""
    public = key.with_name(f"{key.name}.pub")
    words = ("-q", "-s", str(authority), "-I", "test", "-n", principal, *options, str(public))
    call(need("ssh-keygen"), *words)
    return key.with_name(f"{key.name}-cert.pub")


async def test_beside_the_key_and_named(server: SshServer, authority: Path, tmp_path: Path) -> None:
    key = make_key(tmp_path / "id")
    async with open_pool(server.ssh_command_with(key=key)) as pool:
        with pytest.raises(AuthenticationError):
            await pool.connect()
    certificate = sign(authority, key, principal=server.user)
    async with open_pool(server.ssh_command_with(key=key)) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"
    elsewhere = certificate.rename(tmp_path / "elsewhere.pub")
    async with open_pool(server.ssh_command_with("-o", f"CertificateFile={elsewhere}", key=key)) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"


@pytest.mark.whole
@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
async def test_other_kinds_and_a_passphrase(server: SshServer, authority: Path, tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "id", kind, passphrase="sesame")
    sign(authority, key, principal=server.user)
    async with open_pool(server.ssh_command_with(key=key), passphrase="sesame") as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"
    async with open_pool(server.ssh_command_with(key=key)) as pool:
        with pytest.raises(AuthenticationError, match="it is encrypted; set REMOTE_KEY_PASSPHRASE"):
            await pool.connect()


@pytest.mark.whole
@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_with_the_agent(server: SshServer, authority: Path, tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "id", kind)
    with running_agent() as agent:
        agent.add(key)
        certificate = sign(authority, key, principal=server.user).rename(tmp_path / "apart.pub")
        private = key.rename(tmp_path / "away")
        # The certificate is a file, its private key is in the agent only.
        named = ("-o", f"CertificateFile={certificate}")
        async with open_pool(with_agent(server.ssh_command, agent.path, *named)) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        only = ("-o", "IdentitiesOnly=yes", "-i", f"{key}.pub")
        async with open_pool(with_agent(server.ssh_command, agent.path, *only, *named)) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        private.rename(key)
    with running_agent() as agent:
        certificate.rename(tmp_path / "id-cert.pub")
        agent.add(key)  # Both are in the agent.
        key.unlink()
        (tmp_path / "id-cert.pub").unlink()
        async with open_pool(with_agent(server.ssh_command, agent.path)) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-V", "20200101:20200102"), "certificate expired"),
        pytest.param(("-V", "20900101:20900102"), "certificate not yet valid", marks=pytest.mark.whole),
        pytest.param(("-h",), "invalid certificate type", marks=pytest.mark.whole),
    ],
)
async def test_one_that_cannot_be_good_is_named(
    server: SshServer, authority: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    key = make_key(tmp_path / "id")
    certificate = sign(authority, key, *options, principal=server.user)
    for extra in ((), ("-o", f"CertificateFile={certificate}")):
        async with open_pool(server.ssh_command_with(*extra, key=key)) as pool:
            with pytest.raises(AuthenticationError, match=f"Not usable: {certificate}: {said}"):
                await pool.connect()


async def test_a_certificate_whose_key_nobody_has(server: SshServer, authority: Path, tmp_path: Path) -> None:
    certificate = sign(authority, make_key(tmp_path / "id"), principal=server.user)
    text = server.ssh_command_with("-o", f"CertificateFile={certificate}", key=make_key(tmp_path / "other"))
    async with open_pool(text) as pool:
        with pytest.raises(AuthenticationError, match="neither the agent nor an identity file has its private key"):
            await pool.connect()


async def test_for_another_user(server: SshServer, authority: Path, tmp_path: Path) -> None:
    key = make_key(tmp_path / "id")
    sign(authority, key, principal="somebody-else")
    async with open_pool(server.ssh_command_with(key=key)) as pool:
        with pytest.raises(AuthenticationError, match="no key was accepted"):
            await pool.connect()
