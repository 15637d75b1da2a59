"""The table of keywords, and that the code does what it says."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pybridge.errors import ConfigurationError, RemoteError
from pybridge.transport import ssh_options_page
from pybridge.transport.ssh_command import REFUSED_LETTERS, parse_ssh_command
from pybridge.transport.ssh_keywords import KEYWORDS, Fate, Keyword, find_keyword
from pybridge.transport.ssh_target import SshTarget, resolve_target
from tests.kit.counterparts import need

pytestmark = pytest.mark.unit

HONOURED = {
    "AddressFamily": "inet6",
    "BatchMode": "yes",
    "BindAddress": "127.0.0.9",
    "BindInterface": "lo",
    "CASignatureAlgorithms": "ssh-ed25519",
    "CertificateFile": "/c",
    "CheckHostIP": "yes",
    "Ciphers": "aes128-ctr",
    "Compression": "yes",
    "ConnectTimeout": "3",
    "ConnectionAttempts": "4",
    "ForwardAgent": "/agent",
    "GlobalKnownHostsFile": "/g",
    "HashKnownHosts": "yes",
    "HostKeyAlgorithms": "ssh-ed25519",
    "HostKeyAlias": "alias",
    "HostName": "real",
    "IPQoS": "af21",
    "IdentitiesOnly": "yes",
    "IdentityAgent": "/agent",
    "IdentityFile": "none",
    "KbdInteractiveAuthentication": "no",
    "KexAlgorithms": "curve25519-sha256",
    "KnownHostsCommand": "/bin/known %H",
    "MACs": "hmac-sha2-256",
    "NoHostAuthenticationForLocalhost": "yes",
    "NumberOfPasswordPrompts": "0",
    "PasswordAuthentication": "no",
    "Port": "2022",
    "PreferredAuthentications": "password",
    "ProxyCommand": "nc %h %p",
    "ProxyJump": "gate",
    "ProxyUseFdpass": "yes",
    "PubkeyAcceptedAlgorithms": "ssh-ed25519",
    "PubkeyAuthentication": "no",
    "RekeyLimit": "1M 1h",
    "RequiredRSASize": "3072",
    "RevokedHostKeys": "/r",
    "SendEnv": "PB_*",
    "ServerAliveCountMax": "9",
    "ServerAliveInterval": "99",
    "SetEnv": "A=1",
    "StrictHostKeyChecking": "yes",
    "TCPKeepAlive": "no",
    "User": "ann",
    "UserKnownHostsFile": "/k",
}
"""A value that is not the default."""

IN_CONTEXT = {
    "Host": ("Host box\n Port 7\n", "Host other\n Port 7\n"),
    "Match": ("Match host box\n Port 7\n", "Match host other\n Port 7\n"),
    "Include": ("Include ports.conf\n", ""),
    "IgnoreUnknown": ("IgnoreUnknown Nov*\nNovel yes\nPort 7\n", ""),
    "Tag": ("Tag blue\nMatch tagged blue\n Port 7\n", "Match tagged blue\n Port 7\n"),
    "CanonicalizeHostname": ("CanonicalizeHostname yes\nMatch canonical\n Port 7\n", "Match canonical\n Port 7\n"),
    "RefuseConnection": ('RefuseConnection "ask first"\n', ""),
    "CanonicalDomains": ("CanonicalDomains a.invalid", "CanonicalDomains none"),
    "CanonicalizeFallbackLocal": ("CanonicalizeFallbackLocal no\n", ""),
    "CanonicalizeMaxDots": ("CanonicalizeMaxDots 0\n", ""),
    "CanonicalizePermittedCNAMEs": ("CanonicalizePermittedCNAMEs *:*\n", ""),
}
"""Files with and without a keyword whose effect shows only together with others."""
WITH_A_RESOLVER = ("CanonicalDomains", "CanonicalizeMaxDots", "CanonicalizePermittedCNAMEs")
"""What they do is shown by test_ssh_canonical.py."""

EXAMPLES = {"RemoteCommand": "uptime", "ControlPath": "/sock", "LocalForward": "1 box:2", "Tunnel": "ethernet"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_text("")
    (tmp_path / ".ssh" / "ports.conf").write_text("Port 7\n")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/typed-agent")
    monkeypatch.setenv("PB_ONE", "1")
    return tmp_path


def resolve(home: Path, text: str, lines: str = "") -> SshTarget:
    config = home / ".ssh" / "config"
    config.write_text(lines)
    target = resolve_target(parse_ssh_command(f"ssh -F {config} {text}"), home=home)
    return replace(target, jumps=tuple(replace(hop, alias="") for hop in target.jumps))


def by_fate(fate: Fate, *, in_files: bool) -> list[str]:
    return [k.name for k in KEYWORDS.values() if (k.fate_in_files() if in_files else k.fate) is fate]


def test_every_honoured_keyword_has_an_example_here() -> None:
    assert {*HONOURED, *IN_CONTEXT} == set(by_fate(Fate.HONOURED, in_files=False))
    assert set(by_fate(Fate.HONOURED, in_files=True)) == set(by_fate(Fate.HONOURED, in_files=False))


@pytest.mark.parametrize("name", HONOURED)
def test_what_is_honoured_changes_the_target(name: str, home: Path) -> None:
    # A command is needed before it can send a socket.
    before = "Host box\n" + "ProxyCommand nc %h\n" * (name == "ProxyUseFdpass")
    plain = resolve(home, "box", before)
    for spelling in (name, *KEYWORDS[name.lower()].aliases):
        typed = resolve(home, f"'-o{spelling}={HONOURED[name]}' box", before)
        assert typed != plain
        assert resolve(home, "box", f"{before}{spelling} {HONOURED[name]}\n") == typed


@pytest.mark.parametrize("name", [name for name in IN_CONTEXT if name not in WITH_A_RESOLVER])
def test_what_is_honoured_changes_which_lines_apply(name: str, home: Path) -> None:
    def outcome(lines: str) -> object:
        try:
            return resolve(home, "-o CanonicalizeHostname=yes box" if "Fallback" in name else "box", lines)
        except RemoteError as error:
            return error.message

    with_it, without_it = IN_CONTEXT[name]
    assert outcome(with_it) != outcome(without_it)


@pytest.mark.parametrize("name", by_fate(Fate.REFUSED, in_files=False))
def test_what_is_refused_is_named(name: str, home: Path) -> None:
    value = EXAMPLES.get(name, "yes")
    with pytest.raises(ConfigurationError) as caught:
        resolve(home, f"'-o{name}={value}' box")
    assert name in caught.value.message
    assert KEYWORDS[name.lower()].why in caught.value.message
    assert caught.value.next_step
    for harmless in KEYWORDS[name.lower()].harmless:
        assert resolve(home, f"-o{name}={harmless} box") == resolve(home, "box")


@pytest.mark.parametrize("name", by_fate(Fate.REFUSED, in_files=True))
def test_what_is_refused_in_a_file_is_named_with_its_line(name: str, home: Path) -> None:
    value = EXAMPLES.get(name, "yes")
    with pytest.raises(ConfigurationError, match=f"config line 2: .*{name}") as caught:
        resolve(home, "box", f"Host *\n {name} {value}\nHost other\n Port 1\n")
    assert caught.value.next_step
    resolve(home, "box", f"Host other\n {name} {value}\n")  # It is not asked for here.
    resolve(home, f"-o {name}={KEYWORDS[name.lower()].harmless[0]} box", f"Host *\n {name} {value}\n")


@pytest.mark.parametrize("name", by_fate(Fate.HARMLESS, in_files=True))
def test_what_is_harmless_changes_nothing(name: str, home: Path) -> None:
    keyword = KEYWORDS[name.lower()]
    value = EXAMPLES.get(name, "yes")
    plain = resolve(home, "box")
    assert keyword.why
    assert resolve(home, "box", f"{name} {value}\n") == plain
    if keyword.fate is Fate.HARMLESS:
        assert resolve(home, f"'-o{name}={value}' box") == plain


def test_the_keywords_of_this_system_s_ssh_are_in_the_table(tmp_path: Path) -> None:
    """Every word in its program file is given to it as a keyword; it names those it does not know."""
    program = need("ssh")
    words = set(re.findall(rb"(?<=\x00)[a-z][a-z0-9]{2,40}(?=\x00)", Path(program).resolve().read_bytes()))
    left, known, unknown, said = sorted(word.decode() for word in words), set[str](), set[str](), ""
    config = tmp_path / "config"
    while "terminating" not in said:  # A value that cannot be may end it at once; go on without that keyword.
        config.write_text("".join(f"{word} yes\n" for word in left))
        said = subprocess.run([program, "-G", "-F", config, "box"], capture_output=True, text=True, check=False).stderr
        unknown = set(re.findall(r"Bad configuration option: (\S+)", said))
        number = re.findall(r"line (\d+)", said)[-1]
        known |= {word for word in left[: int(number)] if word not in unknown}
        left = [word for word in left if word not in known]
    known |= set(left) - unknown
    assert {"ciphers", "hostkeyalias", "serveraliveinterval"} <= known, said
    assert [word for word in sorted(known) if find_keyword(word) is None] == []


def test_the_letters_of_this_system_s_ssh_are_known() -> None:
    usage = subprocess.run([need("ssh")], capture_output=True, text=True, check=False).stderr
    letters = set(re.findall(r"\[-(\w)\s", usage)) | set(re.findall(r"\[-(\w{5,})\]", usage)[0])
    keyword_letters = "".join(keyword.letters for keyword in KEYWORDS.values())
    assert letters <= {*keyword_letters, *REFUSED_LETTERS, *"EFo"}, usage


@pytest.mark.parametrize(
    ("letter", "keyword"), [(letter, keyword) for keyword in KEYWORDS.values() for letter in keyword.letters]
)
def test_a_letter_has_the_fate_of_its_keyword(letter: str, keyword: Keyword, home: Path) -> None:
    value = {"i": str(home / ".ssh" / "ports.conf"), "c": "aes128-ctr", "p": "7", "e": "none", "w": "0"}.get(
        letter, "x"
    )
    text = f"-{letter} {value} box" if letter in "bBceDIiJLlmpPRSw" else f"-{letter} box"
    if keyword.fate is Fate.REFUSED and letter not in "xTk":  # These three switch it off.
        with pytest.raises(ConfigurationError, match=f"-{letter} .*{keyword.name}"):
            resolve(home, text)
    else:
        changes = resolve(home, text, "Match tagged x\n Port 7\n") != resolve(home, "box")
        assert changes is (keyword.fate is Fate.HONOURED and letter != "a")


def test_the_page_is_the_table(tmp_path: Path) -> None:
    assert ssh_options_page.is_current()
    (tmp_path / "page").write_text("old")
    assert not ssh_options_page.is_current(tmp_path / "page")
    page = ssh_options_page.PATH.read_text()
    for keyword in KEYWORDS.values():
        for name in (keyword.name, *keyword.aliases):
            assert f"`{name}`" in page


def test_the_page_needs_to_be_told_what_to_do() -> None:
    assert ssh_options_page.main([]) == 2
    assert ssh_options_page.main(["--check"]) == 0
