"""The command line together with configuration files."""

from __future__ import annotations

import getpass
import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from pybridge.errors import ConfigurationError
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_target import SshTarget, resolve_target

pytestmark = pytest.mark.unit


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".ssh").mkdir()
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


def resolve(home: Path, text: str, config: str = "") -> SshTarget:
    (home / ".ssh" / "config").write_text(config)
    return resolve_target(parse_ssh_command(text), home=home)


def test_defaults(home: Path) -> None:
    target = resolve(home, "ssh box")
    assert (target.host, target.port, target.user) == ("box", 22, getpass.getuser())
    assert target.strict_host_key_checking == "ask"
    assert target.user_known_hosts == (home / ".ssh/known_hosts", home / ".ssh/known_hosts2")
    assert target.connect_timeout == 15
    assert target.identities == ()


def test_alias_of_the_configuration_file(home: Path) -> None:
    config = '# mine\nHost box other\n  HostName=10.0.0.5\n\tPort 2022\n  User "ann"\nHost *\n  User bob\n  Port 1\n'
    target = resolve(home, "ssh box", config)
    assert (target.alias, target.host, target.port, target.user) == ("box", "10.0.0.5", 2022, "ann")


def test_command_line_wins_over_the_file(home: Path) -> None:
    config = "Host box\n  Port 1\n  User a\n  StrictHostKeyChecking yes\n  ConnectTimeout 3\n"
    target = resolve(home, "ssh -p 2 -oStrictHostKeyChecking=accept-new b@box", config)
    assert (target.port, target.user, target.strict_host_key_checking) == (2, "b", "accept-new")
    assert target.connect_timeout == 3


@pytest.mark.parametrize(
    ("block", "applies"),
    [
        ("Host b?x", True),
        ("Host BOX", False),
        ("Host * !box", False),
        ("Host !box *", False),
        ("Host [b]ox", False),
        ("Match all", True),
        ("Match host real", True),
        ("Match originalhost box", True),
        ("Match host box", False),
        ("Match user ann", True),
        ("Match !user ann", False),
        ("Match host real user bob", False),
        ('Match exec "test %h = real"', True),
        ("Match exec false", False),
        ("Match final host real", True),
        ("Match host=real", True),
    ],
)
def test_blocks(home: Path, block: str, applies: bool) -> None:
    config = f"Host box\n HostName real\n User ann\n{block}\n Port 99\n"
    assert (resolve(home, "ssh box", config).port == 99) is applies


def test_included_files_obey_the_block_they_are_in(home: Path) -> None:
    (home / ".ssh" / "conf.d").mkdir()
    (home / ".ssh" / "conf.d" / "one").write_text("Host box\n User one\nHost *\n Port 11\n")
    included = "Host nothing\n Include conf.d/*\nHost *\n User two\n"
    target = resolve(home, "ssh box", included)
    assert (target.user, target.port) == ("two", 22)
    target = resolve(home, "ssh box", "Include conf.d/*\nHost *\n User two\n")
    assert (target.user, target.port) == ("one", 11)


def test_named_configuration_file_replaces_the_usual_ones(home: Path) -> None:
    other = home / "other"
    other.write_text("Host *\n User other\n")
    config = "Host *\n Port 99\n"
    target = resolve(home, f"ssh -F '{other}' box", config)
    assert (target.user, target.port) == ("other", 22)
    assert resolve(home, "ssh -F none box", config).port == 22
    with pytest.raises(ConfigurationError, match="does not exist"):
        resolve(home, f"ssh -F {home}/missing box")


def test_identities(home: Path) -> None:
    key, second = home / "key one", home / ".ssh" / "id_ed25519"
    key.write_text("")
    second.write_text("")
    assert resolve(home, "ssh box").identities == (second,)
    assert resolve(home, f"ssh -i '{key}' box", "IdentityFile ~/.ssh/id_ed25519").identities == (key, second)
    assert resolve(home, "ssh box", f'IdentityFile "{key}"').identities == (key,)
    assert resolve(home, "ssh box", "IdentityFile ~/.ssh/%h-missing").identities == ()
    assert resolve(home, "ssh -oIdentityFile=none box").identities == ()
    absent = resolve(home, f"ssh -i {home}/absent box")  # OpenSSH only warns of it.
    assert (absent.identities, absent.named_identities) == ((second,), (home / "absent",))


def test_jump_hosts_are_resolved_with_their_own_configuration(home: Path) -> None:
    config = (
        "Host gate\n HostName g.example\n User guard\n Port 2200\n ProxyJump outer\n"
        "Host box\n ProxyJump gate,ann@[::1]:3\n"
    )
    jumps = resolve(home, "ssh box", config).jumps
    assert [(hop.host, hop.user, hop.port) for hop in jumps] == [
        ("outer", getpass.getuser(), 22),
        ("g.example", "guard", 2200),
        ("::1", "ann", 3),
    ]
    assert resolve(home, "ssh -J none box", config).jumps == ()
    with pytest.raises(ConfigurationError, match="circle"):
        resolve(home, "ssh a", "Host a\n ProxyJump b\nHost b\n ProxyJump a\n")


def test_proxy_command_tokens_and_precedence(home: Path) -> None:
    config = 'Host box\n HostName real\n User ann\n ProxyCommand nc "%h" %p %r %n 100%%\n ProxyJump gate\n'
    target = resolve(home, "ssh -p 5 box", config)
    assert target.proxy_command == 'nc "real" 5 ann box 100%'
    assert target.jumps == ()
    assert resolve(home, "ssh -J gate box", config).proxy_command is None


def test_known_hosts_files(home: Path) -> None:
    target = resolve(home, "ssh -o 'UserKnownHostsFile=~/a \"/b c\"' -oGlobalKnownHostsFile=none box")
    assert target.user_known_hosts == (home / "a", Path("/b c"))
    assert target.global_known_hosts == ()


@pytest.mark.parametrize(("text", "seconds"), [("7", 7), ("1m30s", 90), ("2h", 7200), ("none", 15)])
def test_times(home: Path, text: str, seconds: float) -> None:
    assert resolve(home, f"ssh -oConnectTimeout={text} box").connect_timeout == seconds


@pytest.mark.parametrize(
    "option",
    [
        "StrictHostKeyChecking=maybe",
        "ConnectTimeout=soon",
        "Compression=perhaps",
        "AddressFamily=ipx",
        "ServerAliveCountMax=x",
    ],
)
def test_values_that_cannot_be_used_are_named(home: Path, option: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(home, f"ssh -o {option} box")
    assert option.partition("=")[2] in str(caught.value)


def test_authentication_methods(home: Path) -> None:
    assert resolve(home, "ssh box").authentication_methods == ("publickey", "keyboard-interactive", "password")
    target = resolve(home, "ssh -oPreferredAuthentications=password,publickey -oPubkeyAuthentication=no box")
    assert target.authentication_methods == ("password",)


def test_a_bad_line_is_named(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 2"):
        resolve(home, "ssh box", 'Host *\n User "unclosed\n')


def test_slugs_differ_where_targets_differ_and_are_safe_names(home: Path) -> None:
    base = resolve(home, "ssh ann@box")
    others = [
        base,
        replace(base, user="bob"),
        replace(base, user="Ann"),
        replace(base, host="box2"),
        replace(base, port=2222),
        replace(base, jumps=(replace(base, host="gate"),)),
        replace(base, jumps=(replace(base, host="gate", user="x"),)),
        replace(base, user="ann-box", alias="", host=""),
        replace(base, alias="::1", host="::1"),
        replace(base, alias="x" * 300, host="x" * 300),
        replace(base, user="../..", host="CON"),
    ]
    for one, other in itertools.combinations(others, 2):
        assert one.slug.lower() != other.slug.lower()
    for target in others:
        assert len(target.slug) < 80
        assert set(target.slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")
        assert target.slug[0] not in ".-"
    assert base.slug == resolve(home, "ssh -l ann box").slug
