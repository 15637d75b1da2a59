"""Old servers: refused as OpenSSH refuses them, with the options that let both in, all of them at once."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import asyncssh
import pytest

from pybridge.errors import AlgorithmError, AuthenticationError, ConnectError
from pybridge.transport.algorithms import Algorithms
from pybridge.transport.asyncssh_quietly import encryption, kex, mac
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.legacy_servers import (
    DSS,
    LEGACY_CONFIGURATIONS,
    SSH_5_3,
    LegacyConfiguration,
    legacy_command,
    start_dss_dropbear,
    start_legacy,
)
from tests.kit.sshd import SshServer, call, make_key, start_openssh
from tests.kit.system_ssh import ask_system_ssh
from tests.transport.test_host_keys_as_ssh import connect

BY_DEFAULT = {"-oMACs=+hmac-sha1"}
"""What OpenSSH offers by itself today, and so do we."""


def advised(error: Exception | None) -> list[str]:
    """The options that an error says to add."""
    lines = [line for line in str(error).splitlines() if line.startswith("  -o")]
    assert len(lines) == 1, error
    return shlex.split(lines[0])


async def both_get_in(server: SshServer, *options: str) -> None:
    command = server.ssh_command_with(*options)
    assert await connect(command) is None
    answer = await ask_system_ssh(command)
    assert answer.got_in, answer.said


async def test_the_error_names_all_options_at_once_and_they_let_both_in(tmp_path: Path) -> None:
    await refused_until_advised(tmp_path, SSH_5_3)


@pytest.mark.whole
@pytest.mark.parametrize("configuration", LEGACY_CONFIGURATIONS, ids=lambda each: each.name)
async def test_none_of_them_is_one_too_many(tmp_path: Path, configuration: LegacyConfiguration) -> None:
    await refused_until_advised(tmp_path, configuration, each=True)


async def refused_until_advised(folder: Path, configuration: LegacyConfiguration, *, each: bool = False) -> None:
    server = start_legacy(folder / "server", configuration)
    try:
        assert not (await ask_system_ssh(server.ssh_command)).got_in
        error = await connect(server.ssh_command)
        assert isinstance(error, AlgorithmError)
        assert advised(error) == [option for option in configuration.client if option not in BY_DEFAULT]
        await both_get_in(server, *advised(error))
        assert await connect(legacy_command(server, configuration)) is None
        for option in advised(error)[:-1] if each else ():  # The last is for the user's key.
            others = [other for other in advised(error) if other != option]
            assert advised(await connect(server.ssh_command_with(*others))) == [option]
    finally:
        server.stop()


@pytest.mark.whole
async def test_what_the_user_has_chosen_is_kept(tmp_path: Path) -> None:
    server = start_openssh(tmp_path / "server", ["Ciphers aes192-cbc", "KexAlgorithms diffie-hellman-group14-sha1"])
    try:
        chosen = ["-oCiphers=aes128-gcm@openssh.com", "-oKexAlgorithms=+diffie-hellman-group1-sha1"]
        error = await connect(server.ssh_command_with(*chosen))
        assert advised(error) == [
            "-oKexAlgorithms=+diffie-hellman-group1-sha1,diffie-hellman-group14-sha1",
            "-oCiphers=aes128-gcm@openssh.com,aes192-cbc",
        ]
        await both_get_in(server, *advised(error))
    finally:
        server.stop()


@pytest.mark.whole
async def test_what_is_not_there_points_to_the_system_ssh(tmp_path: Path) -> None:
    theirs = next(
        name for name in call("ssh", "-Q", "kex").split() if name not in Algorithms.supported("KexAlgorithms")
    )
    server = start_openssh(tmp_path / "server", [f"KexAlgorithms {theirs}"])
    try:
        assert (await ask_system_ssh(server.ssh_command)).got_in
        error = await connect(server.ssh_command)
        assert isinstance(error, AlgorithmError)
        assert theirs in error.message
        assert "REMOTE_TRANSPORT=openssh" in str(error.next_step)
    finally:
        server.stop()


@pytest.mark.whole
async def test_dropbear_with_a_dsa_key(tmp_path: Path) -> None:
    server = start_dss_dropbear(tmp_path / "server")
    try:
        assert not (await ask_system_ssh(server.ssh_command)).got_in
        assert isinstance(await connect(server.ssh_command), ConnectError)
        await both_get_in(server, "-oHostKeyAlgorithms=ssh-dss")
    finally:
        server.stop()


async def test_an_rsa_key_that_may_sign_with_sha1_only_is_named(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", "rsa", bits=2048)
    options = {"signature_algs": ["ssh-rsa"]}
    async with EmbeddedServer(
        tmp_path, use_password=False, authorized=(key.with_suffix(".pub"),), options=options
    ) as old:
        command = old.ssh_command("-i", str(key))
        assert not (await ask_system_ssh(command)).got_in
        error = await connect(command)
        assert isinstance(error, AuthenticationError)
        assert "RSA key" in str(error)
        option = "-oPubkeyAcceptedAlgorithms=+ssh-rsa"
        assert option in str(error)
        allowed = old.ssh_command("-i", str(key), option)
        assert await connect(allowed) is None
        assert (await ask_system_ssh(allowed)).got_in


async def test_old_dropbear_could_read_every_list() -> None:
    """dropbear before 2020 looks at 19 names of a list, and refuses one of more than 20 * 65 bytes."""
    everything_old = [option for each in (*LEGACY_CONFIGURATIONS, DSS) for option in each.client]
    merged: dict[str, list[str]] = {}
    for option in everything_old:
        keyword, _, name = option.removeprefix("-o").partition("=+")
        merged.setdefault(keyword, []).append(name)
    options = [f"-o{keyword}=+{','.join(dict.fromkeys(names))}" for keyword, names in merged.items()]
    for words in ([], options):
        lists = await captured_lists(words)
        assert len(lists) == 8
        for names in lists:
            assert 0 < len(names) <= 19, names
            assert len(",".join(names)) <= 20 * 65


async def captured_lists(options: list[str]) -> list[list[str]]:
    """The name lists of the key exchange message that a server gets from us (RFC 4253, 6 and 7.1)."""
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-dropbear_0.52\r\n")
        await reader.readline()
        length = int.from_bytes(await reader.readexactly(4), "big")
        got.set_result(await reader.readexactly(length))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    known = ["-oUserKnownHostsFile=none", "-oGlobalKnownHostsFile=none", "-oIdentityAgent=none"]
    words = ["ssh", "-F", "none", *known, *options, "-p", str(port), "someone@127.0.0.1"]
    await connect(shlex.join(words))
    server.close()
    packet = await got
    lists, position = [], 1 + 1 + 16  # The padding's length, the message's number, the cookie.
    for _ in range(8):
        length = int.from_bytes(packet[position : position + 4], "big")
        lists.append(packet[position + 4 : position + 4 + length].decode().split(","))
        position += 4 + length
    return lists


@pytest.mark.unit
@pytest.mark.parametrize(
    "keyword", ["KexAlgorithms", "HostKeyAlgorithms", "Ciphers", "MACs", "PubkeyAcceptedAlgorithms"]
)
def test_the_defaults_are_those_of_openssh(keyword: str) -> None:
    """Every default of ssh that is there at all is one here, and nothing weaker is."""
    pairs = (line.partition(" ") for line in call("ssh", "-G", "-F", "none", "x").splitlines())
    lines = {name: value for name, _, value in pairs}
    theirs = lines[keyword.lower()].split(",")
    if keyword == "PubkeyAcceptedAlgorithms":
        theirs = [name for name in theirs if "-cert-" not in name]  # A certificate's key counts as a key here.
    ours = Algorithms.defaults(keyword)
    assert [name for name in theirs if name in Algorithms.supported(keyword) and name not in ours] == []
    newer = {"mlkem768x25519-sha256"}  # OpenSSH 9.9
    assert set(ours) - set(theirs) <= newer


@pytest.mark.unit
def test_old_algorithms_are_still_in_the_libraries() -> None:
    """The versions that pyproject.toml allows: the end of finite-field DH in cryptography would show here."""
    for configuration in LEGACY_CONFIGURATIONS:
        for option in configuration.client:
            keyword, _, name = option.removeprefix("-o").partition("=+")
            assert name in Algorithms.supported(keyword)
    assert b"diffie-hellman-group1-sha1" in kex.get_kex_algs()
    assert b"3des-cbc" in encryption.get_encryption_algs()
    assert b"hmac-md5" in mac.get_mac_algs()
    assert asyncssh.generate_private_key("ssh-dss").get_algorithm() == "ssh-dss"
