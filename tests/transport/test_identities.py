"""Keys, as ssh takes them: every type and format, in its order; and those that cannot be used, with the true reason."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pybridge.errors import AuthenticationError
from pybridge.transport.asyncssh_quietly import asyncssh, public_key
from pybridge.transport.credentials import Credentials
from pybridge.transport.identities import IdentityLoader
from pybridge.transport.key_files import KeyOpener
from pybridge.transport.secret_sources import SecretSources
from pybridge.transport.ssh_target import SshTarget
from tests.kit.agent import running_agent, with_agent
from tests.kit.counterparts import need
from tests.kit.pools import open_pool, run
from tests.kit.sshd import SshServer, call, make_key, start_dropbear, start_openssh

SECRET = "pass word'\"£"


@contextlib.asynccontextmanager
async def nobody(_what: str) -> AsyncIterator[None]:
    yield


async def remarks(path: Path, passphrase: str) -> list[str]:
    """What is said of a key file, once it was to sign something."""
    target = SshTarget(alias="box", host="box", port=22, user="a", identities=(path,))
    opener = KeyOpener(SecretSources(Credentials(key_passphrase=passphrase)))
    found = await IdentityLoader(target, opener).load(nobody)
    while (pair := await found.next()) is not None:
        with contextlib.suppress(ValueError):
            await pair.sign_async(b"data")  # type: ignore[attr-defined]
    return found.remarks


def locked_key(path: Path) -> Path:
    return make_key(path, passphrase="right")


def authorize(server: SshServer, *keys: Path) -> None:
    """Let the server take these keys too."""
    authorized = server.folder / "authorized_keys"
    text = authorized.read_text() + "".join(key.with_name(f"{key.name}.pub").read_text() for key in keys)
    authorized.write_text(text)
    dropbears = server.home / ".ssh" / "authorized_keys"
    if dropbears.exists():
        dropbears.write_text(text)


@pytest.fixture(scope="module", params=["openssh", "dropbear"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    start = start_openssh if request.param == "openssh" else start_dropbear
    server = start(tmp_path_factory.mktemp(request.param))
    yield server
    server.stop()


@pytest.mark.unit
def test_bcrypt_is_a_dependency() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert any(line.startswith("asyncssh[bcrypt]") for line in project["dependencies"])


@pytest.mark.unit
async def test_wrong_passphrase(tmp_path: Path) -> None:
    path = locked_key(tmp_path / "id")
    assert await remarks(path, "right") == []
    assert "REMOTE_KEY_PASSPHRASE does not open it" in (await remarks(path, "wrong"))[0]


@pytest.mark.parametrize("style", ["PEM", "PKCS8"])
async def test_wrong_passphrase_of_an_old_format(tmp_path: Path, style: str) -> None:
    path = tmp_path / "id"
    call(need("ssh-keygen"), "-q", "-t", "ecdsa", "-m", style, "-N", "right", "-f", str(path))
    path.with_name("id.pub").unlink()
    assert await remarks(path, "right") == []
    assert await remarks(path, "wrong") == [f"{path}: REMOTE_KEY_PASSPHRASE does not open it"]


@pytest.mark.unit
async def test_bcrypt_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = locked_key(tmp_path / "id")
    monkeypatch.setattr(public_key, "_bcrypt_available", False)
    [remark] = await remarks(path, "right")
    assert "cannot be decrypted here" in remark and "bcrypt" in remark
    assert "REMOTE_KEY_PASSPHRASE" not in remark


@pytest.mark.unit
async def test_a_public_half_of_another_key_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "id"
    call(need("ssh-keygen"), "-q", "-t", "ecdsa", "-m", "PEM", "-N", "right", "-f", str(path))
    asyncssh.generate_private_key("ssh-ed25519").write_public_key(tmp_path / "id.pub")
    [remark] = await remarks(path, "right")
    assert f"{path}.pub is of another key" in remark


@pytest.mark.whole
@pytest.mark.parametrize(
    ("kind", "style"), list(itertools.product(["ed25519", "ecdsa", "rsa"], ["RFC4716", "PEM", "PKCS8"]))
)
async def test_every_kind_and_format(server: SshServer, tmp_path: Path, kind: str, style: str) -> None:
    for passphrase, public_half in itertools.product(["", SECRET], [True, False]):
        path = tmp_path / f"{kind}-{bool(passphrase)}-{public_half}"
        call(need("ssh-keygen"), "-q", "-t", kind, "-m", style, "-N", passphrase, "-f", str(path))
        authorize(server, path)
        if not public_half:
            path.with_name(f"{path.name}.pub").unlink()
        async with open_pool(server.ssh_command_with(key=path), passphrase=SECRET) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n", path


async def test_one_of_several_fits(server: SshServer, tmp_path: Path) -> None:
    first, locked, second = make_key(tmp_path / "a"), make_key(tmp_path / "b", passphrase="x"), make_key(tmp_path / "c")
    authorize(server, second)
    text = server.ssh_command_with("-i", str(locked), "-i", str(second), key=first)
    async with open_pool(text) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"


async def test_a_key_that_others_may_read_is_not_used(openssh: SshServer, tmp_path: Path) -> None:
    """As ssh itself: it is asked, too."""
    key = make_key(tmp_path / "open")
    authorize(openssh, key)
    key.chmod(0o640)
    text = openssh.ssh_command_with(key=key)
    theirs = subprocess.run(
        [*text.replace("ssh ", f"{need('ssh')} -oBatchMode=yes ", 1).split(), "true"], capture_output=True, text=True
    )
    assert theirs.returncode == 255 and "UNPROTECTED PRIVATE KEY FILE" in theirs.stderr
    async with open_pool(text) as pool:
        with pytest.raises(AuthenticationError, match=f"its mode is 0640.*chmod 600 {key}"):
            await pool.connect()
    key.chmod(0o600)
    async with open_pool(text) as pool:
        await pool.connect()


async def test_files_that_are_no_keys(openssh: SshServer, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not a key\n")
    wrong.chmod(0o600)
    async with open_pool(openssh.ssh_command_with(key=wrong)) as pool:
        with pytest.raises(AuthenticationError, match=f"Not usable: {wrong}: "):
            await pool.connect()
    async with open_pool(openssh.ssh_command_with("-i", str(wrong))) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"  # the good one comes after it


@pytest.mark.whole
async def test_the_agent_in_every_way(server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = make_key(tmp_path / "stranger")
    rsa = make_key(tmp_path / "rsa", "rsa", bits=2048)
    authorize(server, rsa)
    with running_agent() as agent:
        agent.add(stranger)
        agent.add(rsa)
        async with open_pool(with_agent(server.ssh_command, agent.path)) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        only = ("-o", "IdentitiesOnly=yes")
        async with open_pool(with_agent(server.ssh_command, agent.path, *only, "-i", str(stranger))) as pool:
            with pytest.raises(AuthenticationError):
                await pool.connect()
        rsa.unlink()  # Its private half is in the agent alone.
        async with open_pool(with_agent(server.ssh_command, agent.path, *only, "-i", f"{rsa}.pub")) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.path))
        async with open_pool(with_agent(server.ssh_command, "SSH_AUTH_SOCK")) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        monkeypatch.setenv("MY_AGENT", str(agent.path))
        async with open_pool(with_agent(server.ssh_command, "$MY_AGENT")) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        async with open_pool(with_agent(server.ssh_command, "none")) as pool:
            with pytest.raises(AuthenticationError):
                await pool.connect()


@pytest.mark.parametrize("socket", ["none", "/no/such/socket", ""])
async def test_an_agent_that_is_not_there(openssh: SshServer, monkeypatch: pytest.MonkeyPatch, socket: str) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", socket)
    text = with_agent(openssh.ssh_command, "SSH_AUTH_SOCK", "-i", str(openssh.key))
    async with open_pool(text) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"


@pytest.mark.whole
async def test_more_keys_in_the_agent_than_the_server_lets_one_try(tmp_path: Path) -> None:
    server = start_openssh(tmp_path / "server", ["MaxAuthTries 2"])
    try:
        with running_agent() as agent:
            for number in range(4):
                agent.add(make_key(tmp_path / f"key{number}"))
            text = with_agent(server.ssh_command, agent.path)
            theirs = subprocess.run(
                [*text.replace("ssh ", f"{need('ssh')} ", 1).split(), "true"], capture_output=True, text=True
            )
            assert "Too many authentication failures" in theirs.stderr
            async with open_pool(text) as pool:
                with pytest.raises(AuthenticationError, match="-o IdentitiesOnly=yes"):
                    await pool.connect()
            only = with_agent(server.ssh_command, agent.path, "-o", "IdentitiesOnly=yes", "-i", str(server.key))
            async with open_pool(only) as pool:
                assert (await run(pool, "echo in")).stdout == b"in\n"
    finally:
        server.stop()


@pytest.mark.whole
async def test_the_agent_asks_before_it_signs(openssh: SshServer, tmp_path: Path) -> None:
    """`ssh-add -c`; the answer comes after the connect timeout."""
    confirm = tmp_path / "confirm"
    confirm.write_text("#!/bin/sh\nsleep 2\n")
    confirm.chmod(0o700)
    with running_agent({"SSH_ASKPASS": str(confirm), "DISPLAY": ":0"}) as agent:
        agent.add(openssh.key, "-c")
        async with open_pool(with_agent(openssh.ssh_command, agent.path, "-oConnectTimeout=1")) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        confirm.write_text("#!/bin/sh\nexit 1\n")
        async with open_pool(with_agent(openssh.ssh_command, agent.path)) as pool:
            with pytest.raises(AuthenticationError):
                await pool.connect()
