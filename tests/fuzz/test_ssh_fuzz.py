"""The ssh command line, the configuration files and everything ssh reads beside them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import strategies as st

from pybridge.errors import RemoteError
from pybridge.transport.key_files import KeyUnusableError, read_key_file
from pybridge.transport.known_hosts import parse_known_hosts
from pybridge.transport.krl import KeyRevocationList, KrlError
from pybridge.transport.openssh import messages
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_destination import split_destination, split_jump_host
from pybridge.transport.ssh_target import resolve_target
from pybridge.transport.ssh_words import (
    match_pattern,
    match_pattern_list,
    parse_port,
    parse_seconds,
    quote_argument,
    split_arguments,
)
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.spoiling import spoiled, spoiled_text

pytestmark = pytest.mark.unit

COMMANDS = (
    "ssh -p 2222 -i ~/.ssh/id user@host",
    "ssh -J first@a:22,[::1]:23 -o 'ConnectTimeout=5' -o IPQoS=af21 ssh://user%41@host:22",
    'ssh -vCo ServerAliveInterval=1m30s -oUser="a b" -L 1:b:2 [fe80::1%eth0]',
    "-F none -l user -o StrictHostKeyChecking=accept-new -o 'SendEnv=A* -B*' -o RekeyLimit='1G 1h' host",
    r"C:\Windows\ssh.exe -o SetEnv=A=b -o ProxyCommand='nc %h %p' host",
)
CONFIGS = (
    "Host *\n  User me\n  Port 22\n  IdentityFile ~/.ssh/%h-%r\nMatch host a,!b user c\n  Compression yes\n",
    "Include config\nInclude *\nHost a?b !c*\n  HostName %h.example\n  ConnectTimeout 99999999999\n",
    'Host "a b" host\n\tIPQoS 08\n  RekeyLimit 1K 9w\nMatch all\n  SendEnv LC_* -LC_ALL\n  ProxyJump a,b:99,ssh://c\n',
    "Match localnetwork 10.0.0.0/8 final\n IdentityAgent $X\n CanonicalizeHostname yes\n CanonicalDomains a b\n",
    "Match originalhost * tagged x version OpenSSH_* command *\n Tag x\n ForwardAgent ${HOME}\n",
    "IgnoreUnknown Foo*\nFooBar 1\nUserKnownHostsFile none /x\nHostKeyAlias %n\nPreferredAuthentications a,password\n",
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a `.ssh`; nobody's agent, and no look-up of names."""
    (tmp_path / ".ssh").mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr("pybridge.transport.ssh_canonical.socket.getaddrinfo", _no_names)
    monkeypatch.setattr("pybridge.transport.ssh_match._run", lambda command: False)
    return tmp_path


def _no_names(*_: object, **__: object) -> None:
    raise OSError("no names here")


def test_a_command_line_is_read_or_refused(request: pytest.FixtureRequest, home: Path) -> None:
    def check(text: str) -> None:
        try:
            command = parse_ssh_command(text)
            assert command.host and not command.host.startswith("-")
            resolve_target(command, home=home)
        except RemoteError as error:
            assert str(error)

    fuzz(request, "ssh command lines", spoiled_text(*COMMANDS), check, 700)


def test_a_configuration_is_read_or_refused(request: pytest.FixtureRequest, home: Path) -> None:
    config = home / ".ssh" / "config"

    def check(data: bytes) -> None:
        config.write_bytes(data)
        config.chmod(0o600)
        try:
            resolve_target(parse_ssh_command("ssh host"), home=home)
        except RemoteError as error:
            assert str(error)

    written = spoiled(*(text.encode() for text in CONFIGS))
    fuzz(request, "ssh configuration files", written, check, 400)


def test_an_include_of_itself_ends(home: Path) -> None:
    config = home / ".ssh" / "config"
    config.write_text("Include config\nInclude ~/.ssh/conf*\n" * 20)
    with pytest.raises(RemoteError, match="circle"):
        resolve_target(parse_ssh_command("ssh host"), home=home)


def test_a_destination_is_read_or_refused(request: pytest.FixtureRequest) -> None:
    texts = spoiled_text("user@host", "ssh://u%20ser@host:22/", "[::1]:22", "a@b@c", "host:22", "ssh://[fe80::1]:2")

    def check(text: str) -> None:
        for read in (split_destination, split_jump_host):
            try:
                user, host, port = read(text)
            except RemoteError:
                continue
            assert host and not host.startswith("-") and not set(host) & set(" ;|&$`'\"\n\0")
            assert user is None or (user and not user.startswith("-"))
            assert port is None or 0 < port < 65536

    fuzz(request, "ssh destinations", texts, check, 800)


def test_words_come_back_as_they_were(request: pytest.FixtureRequest) -> None:
    def check(word: str) -> None:
        if "\n" not in word:
            assert split_arguments(quote_argument(word)) == [word]
        with contextlib.suppress(ValueError):
            split_arguments(word)
        port, seconds = parse_port(word), parse_seconds(word)
        assert port is None or 0 < port < 65536
        assert seconds is None or 0 <= seconds < 2**63

    fuzz(request, "ssh words", spoiled_text('a \'b c\' "d\\"e" f\\ g', "1m30s", "2w1d", "22", "ssh", "#x"), check, 800)


def test_patterns_match_as_their_definition_says(request: pytest.FixtureRequest) -> None:
    alphabet = st.sampled_from("ab*?")

    def check(value: tuple[str, str]) -> None:
        pattern, text = value
        assert match_pattern(pattern, text) is _matches(pattern, text)

    words = st.tuples(st.text(alphabet, max_size=8), st.text(st.sampled_from("ab"), max_size=8))
    fuzz(request, "ssh patterns", words, check, 600)


def _matches(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_matches(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in (text[0], "?") and _matches(pattern[1:], text[1:])


def test_a_pattern_of_many_stars_is_no_trap() -> None:
    # Backtracking would go on for years here; what is counted is processor time, and generously.
    begun = time.process_time()
    assert not match_pattern("*a" * 40 + "b", "a" * 4000)
    assert not match_pattern_list(",".join(["*a" * 40 + "b"] * 20), "a" * 400)
    assert time.process_time() - begun < 20


KNOWN = (
    b"host ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmq5V5gMoXVb1eXJ6xY0Ix7SLJrR8NXO7AoKi3rlgJz\n",
    b"@revoked *.host,!b ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== comment\n",
    b"|1|MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=|MTIzNDU2Nzg5MDEyMzQ1Njc4OTA= ssh-ed25519 AAAA\n",
    b"@cert-authority [host]:22 ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA==\n",
)


def test_known_hosts_are_read_or_passed_over(request: pytest.FixtureRequest) -> None:
    def check(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        for name in ("host", "[host]:22", "h\udcffst"):
            for found in parse_known_hosts(text, name):
                assert found.line > 0 and found.key.public_data

    fuzz(request, "known_hosts", spoiled(*KNOWN, most=6), check, 600)


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


_SERIALS = (
    b"\x20" + _string((7).to_bytes(8, "big")) + b"\x21" + _string((1).to_bytes(8, "big") + (9).to_bytes(8, "big"))
)
_BITMAP = b"\x22" + _string((3).to_bytes(8, "big") + _string(b"\x05")) + b"\x23" + _string(_string(b"key id"))
KRL = (
    b"SSHKRL\n\0" + (1).to_bytes(4, "big") + bytes(24) + _string(b"") + _string(b"comment")
    + b"\1" + _string(_string(b"authority") + _string(b"") + _SERIALS + _BITMAP)
    + b"\2" + _string(_string(b"a key")) + b"\3" + _string(_string(bytes(20))) + b"\5" + _string(_string(bytes(32)))
)  # fmt: skip


def test_a_revocation_list_is_read_whole_or_refused(request: pytest.FixtureRequest) -> None:
    def check(data: bytes) -> None:
        try:
            revoked = KeyRevocationList.parse(data)
        except KrlError:
            return
        revoked.revokes_key(b"a key")
        for serial in (0, 1, 7, 2**64 - 1):
            revoked.revokes_certificate(b"authority", serial, b"key id")

    fuzz(request, "key revocation lists", spoiled(KRL), check, 1200)


def _keys() -> tuple[bytes, ...]:
    import asyncssh

    keys = []
    for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"):
        rsa = kind == "ssh-rsa"
        key = asyncssh.generate_private_key(kind, key_size=1024) if rsa else asyncssh.generate_private_key(kind)
        keys += [key.export_private_key("openssh"), key.export_private_key("pkcs8-pem"), key.export_public_key()]
        if kind != "ssh-ed25519":
            keys += [key.export_private_key("pkcs1-pem"), key.export_private_key("pkcs8-der")]
    keys.append(asyncssh.generate_private_key("ssh-ed25519").export_private_key("openssh", "secret"))
    return tuple(keys)


def test_a_key_file_is_read_or_named_unusable(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    file = tmp_path / "id"

    def check(data: bytes) -> None:
        file.write_bytes(data)
        file.chmod(0o600)
        (tmp_path / "id.pub").write_bytes(data[: len(data) // 2])
        try:
            assert read_key_file(file).path == file
        except KeyUnusableError as error:
            assert str(file) in str(error)

    fuzz(request, "key files", spoiled(*_keys()), check, 500)


def test_a_message_of_ssh_is_read_or_too_short(request: pytest.FixtureRequest) -> None:
    def check(data: bytes) -> None:
        parts = messages.Parts(data)
        try:
            assert 0 <= parts.byte() < 256
            assert 0 <= parts.number() < 2**32
            while True:
                assert len(parts.string()) <= len(data)
                if parts._at == len(data):
                    break
        except ValueError:
            pass

    fuzz(request, "ssh messages", spoiled(b"\x5a\0\0\0\1" + _string(b"session") + _string(b"")), check, 600)


def test_the_home_of_these_tests_is_not_the_users(home: Path) -> None:
    assert Path(os.environ["HOME"]) == home
