"""Law 5: the host key is always verified as OpenSSH would, against a real sshd."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from pybridge.errors import (
    AuthenticationError,
    ConfigurationError,
    HostKeyChangedError,
    HostKeyError,
    HostKeyUnknownError,
)
from pybridge.transport.connect import Connector
from pybridge.transport.credentials import Credentials
from pybridge.transport.host_keys import HostKeyVerifier
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_target import SshTarget, resolve_target
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.counterparts import need
from tests.kit.pools import open_pool, run
from tests.kit.sshd import SshServer, call, make_key, start_openssh
from tests.kit.system_ssh import ask_system_ssh


def known_as(server: SshServer, file: Path, public: Path, *, name: str = "", marker: str = "") -> Path:
    words = " ".join(public.read_text().split()[:2])
    file.write_text(f"{marker}{name or f'[127.0.0.1]:{server.port}'} {words}\n")
    return file


def public_key(server: SshServer, kind: str) -> Path:
    return server.folder / f"host_{kind}.pub"


@pytest.fixture
def other_key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "other").with_suffix(".pub")


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
async def test_a_host_known_by_one_type_of_key_verifies(openssh: SshServer, tmp_path: Path, kind: str) -> None:
    known = known_as(openssh, tmp_path / "known", public_key(openssh, kind))
    async with open_pool(openssh.ssh_command_with(known_hosts=known)) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"


async def test_hashed_entry(openssh: SshServer, tmp_path: Path) -> None:
    known = known_as(openssh, tmp_path / "known", public_key(openssh, "ed25519"))
    call(need("ssh-keygen"), "-q", "-H", "-f", str(known))
    async with open_pool(openssh.ssh_command_with(known_hosts=known)) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"


async def test_key_known_without_the_port(openssh: SshServer, tmp_path: Path) -> None:
    known = known_as(openssh, tmp_path / "known", public_key(openssh, "ed25519"), name="127.0.0.1")
    async with open_pool(openssh.ssh_command_with(known_hosts=known)) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"


async def test_host_key_alias(openssh: SshServer, tmp_path: Path) -> None:
    known = known_as(openssh, tmp_path / "known", public_key(openssh, "ed25519"), name="alias")
    async with open_pool(openssh.ssh_command_with("-oHostKeyAlias=alias", known_hosts=known)) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"
    async with open_pool(openssh.ssh_command_with("-oHostKeyAlias=else", known_hosts=known)) as pool:
        with pytest.raises(HostKeyUnknownError):
            await pool.connect()


@pytest.mark.parametrize("strict", ["yes", "ask"])
async def test_unknown_key_is_refused_with_its_fingerprint_and_a_command_that_accepts_it(
    openssh: SshServer, tmp_path: Path, strict: str
) -> None:
    known = tmp_path / "known"
    async with open_pool(openssh.ssh_command_with(known_hosts=known, strict=strict)) as pool:
        with pytest.raises(HostKeyUnknownError) as caught:
            await pool.connect()
        fingerprint = call(need("ssh-keygen"), "-lf", str(public_key(openssh, "ed25519"))).split()[1]
        assert fingerprint in str(caught.value)
        assert not known.exists()
        # The command shown really accepts the key, as typed and logs in.
        command = next(line for line in str(caught.value).splitlines() if line.startswith("  ssh "))
        call("sh", "-c", command.replace("ssh", "ssh -F none -oIdentityAgent=none", 1))
        await pool.connect()


async def test_accept_new_adds_an_unknown_key_and_refuses_a_changed_one(openssh: SshServer, tmp_path: Path) -> None:
    known = tmp_path / "ssh" / "known"
    text = openssh.ssh_command_with(known_hosts=known, strict="accept-new")
    async with open_pool(text) as pool:
        await pool.connect()
    assert public_key(openssh, "ed25519").read_text().split()[1] in known.read_text()
    assert known.stat().st_mode & 0o777 == 0o600
    async with open_pool(openssh.ssh_command_with(known_hosts=known)) as pool:
        await pool.connect()


@pytest.mark.parametrize("strict", ["yes", "ask", "accept-new"])
async def test_changed_key_is_refused_naming_file_and_line(
    openssh: SshServer, tmp_path: Path, other_key: Path, strict: str
) -> None:
    known = known_as(openssh, tmp_path / "known", other_key)
    known.write_text("# first line\n" + known.read_text())
    before = known.read_text()
    async with open_pool(openssh.ssh_command_with(known_hosts=known, strict=strict)) as pool:
        with pytest.raises(HostKeyChangedError) as caught:
            await pool.connect()
    assert f"{known} line 2" in str(caught.value)
    assert "ssh-keygen -R" in str(caught.value)
    assert known.read_text() == before


async def test_strict_no_adds_an_unknown_key_and_lets_a_changed_one_pass(
    openssh: SshServer, tmp_path: Path, other_key: Path
) -> None:
    known = tmp_path / "known"
    async with open_pool(openssh.ssh_command_with(known_hosts=known, strict="no")) as pool:
        await pool.connect()
    assert known.read_text().startswith(f"[127.0.0.1]:{openssh.port} ssh-ed25519 ")
    known_as(openssh, known, other_key)
    async with open_pool(openssh.ssh_command_with(known_hosts=known, strict="no")) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"


async def test_revoked_key_is_refused_even_where_it_is_also_known(openssh: SshServer, tmp_path: Path) -> None:
    known = known_as(openssh, tmp_path / "known", public_key(openssh, "ed25519"))
    revoked = known_as(openssh, tmp_path / "revoked", public_key(openssh, "ed25519"), marker="@revoked ", name="*")
    known.write_text(known.read_text() + revoked.read_text())
    async with open_pool(openssh.ssh_command_with(known_hosts=known, strict="accept-new")) as pool:
        with pytest.raises(HostKeyChangedError, match=f"revoked in {known} line 2"):
            await pool.connect()


async def test_revoked_host_keys_file(openssh: SshServer, tmp_path: Path) -> None:
    revoked = tmp_path / "revoked"
    revoked.write_text(public_key(openssh, "ed25519").read_text())
    async with open_pool(openssh.ssh_command_with(f"-oRevokedHostKeys={revoked}")) as pool:
        with pytest.raises(HostKeyChangedError, match="revoked"):
            await pool.connect()
    async with open_pool(openssh.ssh_command_with(f"-oRevokedHostKeys={tmp_path / 'missing'}")) as pool:
        with pytest.raises(ConfigurationError, match="missing"):
            await pool.connect()


async def test_host_certificate(tmp_path: Path) -> None:
    authority = make_key(tmp_path / "authority")
    folder = tmp_path / "server"
    folder.mkdir()
    host_key = make_key(folder / "host_ed25519").with_suffix(".pub")
    call(need("ssh-keygen"), "-q", "-s", str(authority), "-I", "id", "-h", "-n", "127.0.0.1", str(host_key))
    server = start_openssh(folder, [f"HostCertificate {folder / 'host_ed25519-cert.pub'}"])
    try:
        known = known_as(server, tmp_path / "known", authority.with_suffix(".pub"), marker="@cert-authority ")
        async with open_pool(server.ssh_command_with(known_hosts=known)) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        other = make_key(tmp_path / "other_authority").with_suffix(".pub")
        known_as(server, known, other, marker="@cert-authority ")
        async with open_pool(server.ssh_command_with(known_hosts=known)) as pool:
            with pytest.raises(HostKeyUnknownError, match="no @cert-authority line"):
                await pool.connect()
    finally:
        server.stop()


async def test_host_key_algorithms_of_the_user_are_kept(openssh: SshServer, tmp_path: Path) -> None:
    known = known_as(openssh, tmp_path / "known", public_key(openssh, "ed25519"))
    text = openssh.ssh_command_with("-oHostKeyAlgorithms=rsa-sha2-256", known_hosts=known)
    async with open_pool(text) as pool:
        with pytest.raises(HostKeyChangedError, match="ssh-rsa"):
            await pool.connect()


async def test_five_connections_at_once_add_a_new_key_once(openssh: SshServer, tmp_path: Path) -> None:
    known = tmp_path / "known"
    text = openssh.ssh_command_with(known_hosts=known, strict="accept-new")
    connector = Connector(resolve_target(parse_ssh_command(text)), Credentials())
    for connection in await asyncio.gather(*(connector.open() for _ in range(5))):
        connection.abort()
    assert len(known.read_text().splitlines()) == 1


@pytest.mark.parametrize("marker", ["", "@revoked "])
async def test_a_changed_or_revoked_host_never_sees_the_password(tmp_path: Path, other_key: Path, marker: str) -> None:
    async with EmbeddedServer(tmp_path, password="secret") as server:
        public = other_key if not marker else tmp_path / "host.pub"
        public.write_text(public.read_text() if not marker else server.known_hosts.read_text().partition(" ")[2])
        words = " ".join(public.read_text().split()[:2])
        server.known_hosts.write_text(f"{marker}[127.0.0.1]:{server.port} {words}\n")
        command = server.ssh_command().replace("StrictHostKeyChecking=yes", "StrictHostKeyChecking=no")
        async with open_pool(command, password="secret") as pool:
            with pytest.raises(AuthenticationError):
                await pool.connect()
        assert server.auth_begun == 1
        assert server.passwords == []


HOST, ADDRESS = "box.example", "192.0.2.7"


def judge(target: SshTarget, key: asyncssh.SSHKey, address: str, *, proxied: bool = False) -> HostKeyError | None:
    """The verdict on a key shown by an address; a second showing, as when keys are renewed, must end the same."""
    verifier = HostKeyVerifier(target, proxied=proxied)
    for _ in range(2):
        with contextlib.suppress(asyncssh.HostKeyNotVerifiable):
            verifier.accept(key.public_data, address)
    return verifier.error


@pytest.mark.unit
def test_check_host_ip(tmp_path: Path) -> None:
    known = tmp_path / "known"
    key, other = (asyncssh.generate_private_key("ssh-ed25519").convert_to_public() for _ in range(2))
    shown, wrong = (" ".join(each.export_public_key("openssh").decode().split()[:2]) for each in (key, other))
    target = SshTarget(HOST, HOST, 2222, "me", user_known_hosts=(known,), check_host_ip=True)
    lax = replace(target, strict_host_key_checking="no")
    for at, name in ((f"[{ADDRESS}]:2222", ADDRESS), ("[2001:db8::7]:2222", "2001:db8::7")):
        known.write_text(f"[{HOST}]:2222 {shown}\n{at} {wrong}\n")
        error = judge(target, key, name)
        assert isinstance(error, HostKeyChangedError)
        assert f"{known} line 2" in str(error)
        assert at in str(error.next_step)
        assert judge(lax, key, name) is None
        assert judge(target, key, name, proxied=True) is None
        assert judge(replace(target, check_host_ip=False), key, name) is None
        known.write_text(f"[{HOST}]:2222 {shown}\n")
        assert judge(target, key, name) is None
        assert known.read_text().splitlines()[1:] == [f"{at} {shown}"]
        known.write_text("")
        assert judge(replace(target, strict_host_key_checking="accept-new"), key, name) is None
        assert known.read_text() == f"[{HOST}]:2222 {shown}\n{at} {shown}\n"
    known.write_text(f"[{HOST}]:2222 {shown}\n[127.0.0.1]:2222 {wrong}\n")
    assert judge(target, key, "127.0.0.1") is None


@pytest.mark.whole
async def test_jump_hosts_are_judged_by_their_own_options(openssh: SshServer, tmp_path: Path) -> None:
    inner = start_openssh(tmp_path / "inner")
    try:
        known_as(openssh, tmp_path / "for_jump", public_key(openssh, "ed25519"), name="jump-alias")
        known_as(inner, tmp_path / "for_inner", public_key(inner, "ed25519"))
        config = tmp_path / "config"
        common = "  GlobalKnownHostsFile none\n  IdentityAgent none\n  HostName 127.0.0.1\n"
        config.write_text(
            f"Host jump\n  Port {openssh.port}\n  UserKnownHostsFile {tmp_path / 'for_jump'}\n{common}"
            f"  HostKeyAlias jump-alias\n  IdentityFile {openssh.key}\n"
            f"Host inner\n  Port {inner.port}\n  UserKnownHostsFile {tmp_path / 'for_inner'}\n{common}"
            f"  ProxyJump jump\n  IdentityFile {inner.key}\n"
        )
        command = f"ssh -F {config} -oStrictHostKeyChecking=yes inner"
        assert (await ask_system_ssh(command)).got_in
        async with open_pool(command) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        known_as(openssh, tmp_path / "for_jump", public_key(inner, "ed25519"), name="jump-alias")
        assert not (await ask_system_ssh(command)).got_in
        async with open_pool(command) as pool:
            with pytest.raises(HostKeyChangedError, match=f":{openssh.port} is not the one that is known"):
                await pool.connect()
    finally:
        inner.stop()
