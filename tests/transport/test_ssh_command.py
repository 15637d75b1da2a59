"""D2: REMOTE_SSH is what a user would type."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.errors import CommandLineError
from pybridge.transport.ssh_command import SshCommand, parse_option, parse_ssh_command, split_destination

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "host", "user", "port"),
    [
        ("host", "host", None, None),
        ("ssh host", "host", None, None),
        ("ssh", "ssh", None, None),
        ("/usr/bin/ssh host", "host", None, None),
        (r'"C:\Windows\System32\OpenSSH\ssh.exe" u@h', "h", "u", None),
        ("ssh u@host", "host", "u", None),
        ("ssh -p22 host", "host", None, 22),
        ("ssh -p 2222 host", "host", None, 2222),
        ("ssh host -p 2222", "host", None, 2222),
        ("ssh -l joe host", "host", "joe", None),
        ("ssh -ljoe host", "host", "joe", None),
        ("ssh -l joe jim@host", "host", "joe", None),
        ("ssh jim@host -l joe", "host", "jim", None),
        ("ssh -oPort=7 -p 8 host", "host", None, 7),
        ("ssh -o User=ann host", "host", "ann", None),
        ("ssh ssh://u@host:2200", "host", "u", 2200),
        ("ssh://u@[::1]:2200", "::1", "u", 2200),
        ("ssh ssh://host/", "host", None, None),
        ("ssh -p 1 ssh://host:2", "host", None, 1),
        ("ssh [::1]", "::1", None, None),
        ("ssh user@[fe80::1%eth0]", "fe80::1%eth0", "user", None),
        ("ssh ::1", "::1", None, None),
        ("ssh 'a user'@host", "host", "a user", None),
        ("ssh u@d@host", "host", "u@d", None),
        ("ssh -vvv -T -q -x -a -k -4 host", "host", None, None),
        ("ssh -- host", "host", None, None),
        ("ssh -e none -E /tmp/log host", "host", None, None),
        ("  ssh\n  u@host \r\n", "host", "u", None),
    ],
)
def test_destination_user_and_port(text: str, host: str, user: str | None, port: int | None) -> None:
    command = parse_ssh_command(text)
    assert (command.host, command.user, command.port) == (host, user, port)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("ssh -oA=B host", [("A", "B")]),
        ("ssh -o A=B host", [("A", "B")]),
        ('ssh -o "A B" host', [("A", "B")]),
        ("ssh -o 'A = B' host", [("A", "B")]),
        ("ssh -oA=B=C host", [("A", "B=C")]),
        ("ssh host -oA=1 -o A=2", [("A", "1"), ("A", "2")]),
        ("ssh '-oProxyCommand=nc -x \"a b\" %h %p' host", [("ProxyCommand", 'nc -x "a b" %h %p')]),
        ("ssh -o 'UserKnownHostsFile=\"/a b\"' host", [("UserKnownHostsFile", '"/a b"')]),
        ("ssh -C host", [("Compression", "yes")]),
        ("ssh -6A host", [("ForwardAgent", "yes"), ("AddressFamily", "inet6")]),
        ("ssh -c aes256-ctr -mhmac-sha1 host", [("MACs", "hmac-sha1"), ("Ciphers", "aes256-ctr")]),
        ("ssh -vCp22 host", [("Compression", "yes"), ("LogLevel", "DEBUG"), ("Port", "22")]),
        (
            "ssh -oCompression=no -C -oBindAddress=::1 -b ::2 host",
            [("BindAddress", "::2"), ("Compression", "yes"), ("Compression", "no"), ("BindAddress", "::1")],
        ),
    ],
)
def test_keyword_options_are_ordered_so_that_the_first_counts(text: str, options: list[tuple[str, str]]) -> None:
    assert list(parse_ssh_command(text).options) == options


def test_everything_at_once() -> None:
    command = parse_ssh_command("ssh -i '/k 1' -i/k2 -oIdentityFile=/k3 -J a@b:1,c -F /conf -p22 -o Xy=1 me@box")
    assert command == SshCommand(
        host="box",
        user="me",
        port=22,
        identity_files=(Path("/k 1"), Path("/k2")),
        config_file=Path("/conf"),
        options=(
            ("IdentityFile", '"/k 1"'),
            ("IdentityFile", "/k2"),
            ("IdentityFile", "/k3"),
            ("ProxyJump", "a@b:1,c"),
            ("Port", "22"),
            ("Xy", "1"),
            ("User", "me"),
        ),
    )


def test_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    command = parse_ssh_command("ssh -i ~/.ssh/key -F '~/conf' host")
    assert command.identity_files == (tmp_path / ".ssh" / "key",)
    assert command.config_file == tmp_path / "conf"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ssh -L 1:a:2 host", "-L"),
        ("ssh -R1:a:2 host", "-R"),
        ("ssh -D 1080 host", "-D"),
        ("ssh -W a:1 host", "-W"),
        ("ssh -N host", "-N"),
        ("ssh -f host", "-f"),
        ("ssh -t host", "-t"),
        ("ssh -tt host", "-t"),
        ("ssh -vN host", "-N"),
        ("ssh -X host", "-X"),
        ("ssh -Z host", "-Z"),
        ("ssh --port 22 host", "--"),
        ("ssh host uptime", "uptime"),
        ("ssh host -p 22 ls -l", "ls"),
        ("ssh -p", "-p"),
        ("ssh host -i", "-i"),
        ("ssh -p abc host", "abc"),
        ("ssh -p 0 host", "'0'"),
        ("ssh -p 65536 host", "65536"),
        ("ssh -o Port host", "Port"),
        ("ssh 'unclosed", "quotation"),
        ("ssh -v", "no host"),
        ("   ", "empty"),
        ("ssh ssh://host/path", "REMOTE_WORKDIR"),
        ("ssh ssh://u:secret@host", "REMOTE_PASSWORD"),
        ("ssh host:2222", "-p 2222"),
        ("ssh @host", "user name"),
        ("ssh [::1", "bracket"),
        ("ssh 'a;b'", "a;b"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, named: str) -> None:
    with pytest.raises(CommandLineError) as caught:
        parse_ssh_command(text)
    assert named in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "=B", "A", "A="])
def test_malformed_keyword_option(text: str) -> None:
    with pytest.raises(CommandLineError):
        parse_option(text)


def test_url_with_an_empty_port_is_refused() -> None:
    with pytest.raises(CommandLineError):
        split_destination("ssh://host:")


@pytest.mark.unit
@pytest.mark.parametrize("text", ["ssh box -p", "ssh 'box"])
def test_what_is_left_unfinished_has_a_next_step(text: str) -> None:
    with pytest.raises(CommandLineError) as caught:
        parse_ssh_command(text)
    assert caught.value.next_step
    assert "(" not in caught.value.message
