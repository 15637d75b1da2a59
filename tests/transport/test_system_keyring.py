"""The system's keyring: which entry is for which login, when it is looked into, what is said where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.errors
import pytest
from keyrings.alt.file import PlaintextKeyring

from pybridge.errors import AuthenticationError
from pybridge.transport import system_keyring
from pybridge.transport.credentials import Credentials
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_target import resolve_target
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.login_pools import open_pool_with
from tests.kit.pools import run
from tests.kit.sshd import SshServer, make_key

SECRET = "pass word'\"£"


class FileKeyring(PlaintextKeyring):
    """The plain file, in a folder of the test's own."""

    file_path: str = ""  # type: ignore[assignment]


class LockedKeyring(PlaintextKeyring):
    """One that nobody unlocks."""

    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.KeyringLocked("the collection is locked")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[PlaintextKeyring]:
    before = keyring.get_keyring()
    backend = FileKeyring()
    backend.file_path = str(tmp_path / "keyring")
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def test_the_entry_is_named_as_the_configuration_resolves_the_login(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host box\n HostName Box.Example.org\n User me\n Port 2222\n")

    def account(text: str) -> str:
        return system_keyring.account_of(resolve_target(parse_ssh_command(f"-F {config} {text}")))

    assert account("box") == "me@box.example.org:2222"
    assert account("ssh://you@[::1]:23") == "you@[::1]:23"
    assert account("root@1.2.3.4") == "root@1.2.3.4:22"


async def test_a_password_kept_there_is_used_last(tmp_path: Path, backend: PlaintextKeyring) -> None:
    async with EmbeddedServer(tmp_path, password=SECRET, use_interactive=True) as server:
        text = server.ssh_command()
        system_keyring.store(system_keyring.account_of(resolve_target(parse_ssh_command(text))), SECRET)
        async with open_pool_with(text, Credentials(keyring=True)) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        assert server.answers == [[SECRET]]
        for first in (
            Credentials(password="wrong", keyring=True),
            Credentials(password_command="echo wrong", keyring=True),
        ):
            async with open_pool_with(text, first) as pool:
                with pytest.raises(AuthenticationError):
                    await pool.connect()
        async with open_pool_with(text, Credentials()) as pool:
            with pytest.raises(AuthenticationError, match="pybridge password set"):
                await pool.connect()
        assert server.answers == [[SECRET], ["wrong"], ["wrong"]]


async def test_a_wrong_one_says_how_to_correct_it(tmp_path: Path, backend: PlaintextKeyring) -> None:
    async with EmbeddedServer(tmp_path, password=SECRET) as server:
        account = system_keyring.account_of(resolve_target(parse_ssh_command(server.ssh_command())))
        system_keyring.store(account, "wrong one")
        async with open_pool_with(server.ssh_command(), Credentials(keyring=True)) as pool:
            with pytest.raises(AuthenticationError, match=f"Run `pybridge password set` again for {account}") as caught:
                await pool.connect()
    assert "wrong one" not in str(caught.value)


async def test_a_passphrase(openssh: SshServer, tmp_path: Path, backend: PlaintextKeyring) -> None:
    key = make_key(tmp_path / "locked", passphrase=SECRET)
    authorized = openssh.folder / "authorized_keys"
    authorized.write_text(authorized.read_text() + key.with_suffix(".pub").read_text())
    system_keyring.store(system_keyring.account_of_key(key), SECRET)
    async with open_pool_with(openssh.ssh_command_with(key=key), Credentials(keyring=True)) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"


async def test_a_jump_host_has_an_entry_of_its_own(tmp_path: Path, backend: PlaintextKeyring) -> None:
    """The target's password, from wherever, is never offered to it."""
    for name in ("gate", "far"):
        (tmp_path / name).mkdir()
    async with (
        EmbeddedServer(tmp_path / "gate", password="gate's own") as gate,
        EmbeddedServer(tmp_path / "far", password=SECRET) as far,
    ):
        config = tmp_path / "config"
        known = tmp_path / "known"
        known.write_text(gate.known_hosts.read_text() + far.known_hosts.read_text())
        config.write_text(
            f"Host gate\n Port {gate.port}\nHost far\n Port {far.port}\n ProxyJump gate\n"
            f"Host *\n HostName 127.0.0.1\n User tester\n IdentityFile none\n IdentityAgent none\n"
            f" UserKnownHostsFile {known}\n"
        )
        text = f"ssh -F {config} far"
        for credentials in (Credentials(password=SECRET), Credentials(password_command=f"echo {SECRET!r}")):
            async with open_pool_with(text, credentials) as pool:
                with pytest.raises(AuthenticationError, match="REMOTE_PASSWORD is for the target only"):
                    await pool.connect()
        assert gate.passwords == [] and far.passwords == []
        system_keyring.store(f"tester@127.0.0.1:{gate.port}", "gate's own")
        async with open_pool_with(text, Credentials(password=SECRET, keyring=True)) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        assert (gate.passwords, far.passwords) == (["gate's own"], [SECRET])


async def test_a_locked_one_is_said_to_be(tmp_path: Path, backend: PlaintextKeyring) -> None:
    keyring.set_keyring(LockedKeyring())
    async with (
        EmbeddedServer(tmp_path, password=SECRET) as server,
        open_pool_with(server.ssh_command(), Credentials(keyring=True)) as pool,
    ):
        with pytest.raises(AuthenticationError, match="the collection is locked"):
            await pool.connect()


async def test_none_on_this_system(tmp_path: Path, backend: PlaintextKeyring) -> None:
    keyring.set_keyring(keyring.backends.fail.Keyring())
    assert system_keyring.find("me@box:22") is None
    for work in (system_keyring.check, lambda: system_keyring.store("me@box:22", SECRET)):
        with pytest.raises(system_keyring.KeyringError, match="no keyring that can be used"):
            work()


async def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(system_keyring.KeyringError, match=r"pip install 'pybridge\[keyring\]'"):
        system_keyring.find("me@box:22")
    async with (
        EmbeddedServer(tmp_path, password=SECRET) as server,
        open_pool_with(server.ssh_command(), Credentials(keyring=True)) as pool,
    ):
        with pytest.raises(AuthenticationError, match="Set REMOTE_PASSWORD"):
            await pool.connect()
