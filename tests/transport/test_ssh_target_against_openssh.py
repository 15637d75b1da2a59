"""What REMOTE_SSH means here, compared with what OpenSSH says it means (`ssh -G`)."""

from __future__ import annotations

import itertools
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from pybridge.errors import RemoteError
from pybridge.transport.algorithms import expand_algorithms
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_target import SshTarget, resolve_target
from tests.kit.counterparts import need
from tests.kit.ssh_command_lines import CaseMaker

pwd = pytest.importorskip("pwd", reason="compares with the ssh of a POSIX system")
HOME = Path(pwd.getpwuid(os.getuid()).pw_dir)
"""ssh looks here, whatever HOME says."""
SAMPLED, ALL = 60, 800


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    need("ssh")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/typed-agent")
    monkeypatch.setenv("PB_ONE", "1")
    monkeypatch.setenv("PB_TWO", "2")
    monkeypatch.setenv("SHELL", "/bin/sh")


class RefusedBySsh(Exception):
    """ssh ended with an error, which it told."""


class Circle(Exception):
    """The jump hosts lead in a circle, which ssh only finds when it follows them."""


def ask_ssh(words: list[str]) -> dict[str, list[str]]:
    """What `ssh -G` prints, by keyword."""
    done = subprocess.run(
        [words[0], "-G", *words[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RefusedBySsh(done.stderr)
    values: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        values.setdefault(keyword.lower(), []).append(value)
    return values


class Said:
    """ssh's answer, with the tokens in its values replaced."""

    def __init__(self, values: dict[str, list[str]], typed: str) -> None:
        self.values = values
        host, port, user = values["hostname"][0], values["port"][0], values["user"][0]
        self._tokens = {"%h": host, "%p": port, "%r": user, "%n": typed, "%u": pwd.getpwuid(os.getuid()).pw_name}
        self._tokens |= {"%%": "%", "%d": str(HOME)}

    def one(self, keyword: str, default: str = "none") -> str:
        return self.values.get(keyword, [default])[0]

    def expand(self, value: str) -> str:
        return re.sub("%.", lambda found: self._tokens[found[0]], value)

    def path(self, value: str) -> Path:
        value = self.expand(value)
        return HOME / value[2:] if value.startswith("~/") else Path(value)

    def paths(self, keyword: str) -> list[Path]:
        return [self.path(value) for value in self.values.get(keyword, []) if value.lower() != "none"]


def expected_jumps(words: list[str], jump: str, depth: int = 0) -> list[tuple[str, str, int]]:
    """The hops, asked for one by one as ssh itself would start them: the last one with the others as its -J."""
    if jump == "none":
        return []
    if depth > 8:
        raise Circle
    config = next(word for word in words if word.startswith("-F"))
    config = words[words.index("-F") + 1] if config == "-F" else config[2:]
    others, _, last = jump.rpartition(",")
    user, _, rest = last.rpartition("@")
    match = re.fullmatch(r"\[?(.*?)\]?(?::(\d+))?", rest) if "[" in rest or rest.count(":") < 2 else None
    host, port = (match[1], match[2]) if match else (rest, None)
    hop = ["ssh", "-F", config, *(["-J", others] if others else [])]
    hop += [*(["-l", user] if user else []), *(["-p", port] if port else []), host]
    try:
        said = Said(ask_ssh(hop), host)
    except RefusedBySsh as error:  # a host that is its own jump host
        raise Circle from error
    before = expected_jumps(hop, said.expand(said.one("proxyjump")), depth + 1)
    return [*before, (said.one("hostname"), said.one("user"), int(said.one("port")))]


def supported(query: str) -> list[str]:
    return subprocess.run(["ssh", "-Q", query], capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture(scope="module")
def known_algorithms() -> dict[str, tuple[list[str], list[str]]]:
    """By keyword in lower case: ssh's defaults, and all it has."""
    defaults = ask_ssh(["ssh", "-F", "none", "box"])
    queries = {"ciphers": "cipher", "macs": "mac", "kexalgorithms": "kex"}
    queries |= {name: name for name in ("hostkeyalgorithms", "pubkeyacceptedalgorithms")}
    return {name: (defaults[name][0].split(","), supported(query)) for name, query in queries.items()}


def expected_methods(said: Said) -> tuple[str, ...]:
    wanted = said.one("preferredauthentications", "publickey,keyboard-interactive,password").split(",")
    prompts = said.one("numberofpasswordprompts") != "0" and said.one("batchmode") != "yes"
    off = {name for name in wanted if name not in ("publickey", "password", "keyboard-interactive")}
    off |= {"publickey"} if said.one("pubkeyauthentication") in ("no", "false") else set()
    off |= {"password"} if said.one("passwordauthentication") == "no" or not prompts else set()
    off |= {"keyboard-interactive"} if said.one("kbdinteractiveauthentication") == "no" or not prompts else set()
    return tuple(name for name in wanted if name not in off)


def compare(
    words: list[str], said: Said, target: SshTarget, algorithms: dict[str, tuple[list[str], list[str]]]
) -> None:
    def yes(keyword: str) -> bool:
        return said.one(keyword) in ("yes", "true")

    def number(keyword: str) -> int:
        return int(said.one(keyword, "0"))

    assert (target.host, target.user, target.port) == (said.one("hostname"), said.one("user"), number("port"))
    assert list(target.identities) == list(dict.fromkeys(p for p in said.paths("identityfile") if p.exists()))
    assert list(target.certificates) == said.paths("certificatefile")
    jumps = [(hop.host, hop.user, hop.port) for hop in target.jumps]
    assert jumps == expected_jumps(words, said.expand(said.one("proxyjump")))
    proxy = said.one("proxycommand")
    assert target.proxy_command == (None if proxy == "none" else said.expand(proxy))
    assert target.proxy_sends_socket is yes("proxyusefdpass")
    ours = {"kexalgorithms": target.kex_algorithms, "ciphers": target.ciphers, "macs": target.macs}
    ours |= {"hostkeyalgorithms": target.host_key_algorithms, "pubkeyacceptedalgorithms": target.public_key_algorithms}
    for keyword, wanted in ours.items():
        defaults, known = algorithms[keyword]
        assert ",".join(expand_algorithms(wanted, defaults, known, keyword)) == said.one(keyword)
    if '"' not in (files := said.one("userknownhostsfile")) and "/a b" not in files:  # -G prints it without quotes
        assert list(target.user_known_hosts) == [said.path(name) for name in files.split() if name != "none"]
    assert [str(p) for p in target.global_known_hosts] == said.one("globalknownhostsfile").replace("none", "").split()
    strictness = {"true": "yes", "false": "no"}
    asked = said.one("stricthostkeychecking")
    assert target.strict_host_key_checking == strictness.get(asked, asked)
    assert target.host_key_alias == (None if "hostkeyalias" not in said.values else said.one("hostkeyalias"))
    assert target.connect_timeout == (15 if said.one("connecttimeout") == "none" else number("connecttimeout"))
    assert target.connection_attempts == number("connectionattempts")
    if not yes("batchmode") or number("serveraliveinterval") != 300:  # Debian's own default with BatchMode
        assert target.keepalive_seconds == (number("serveraliveinterval") or 15)
    assert target.keepalive_count == number("serveralivecountmax")
    assert target.compression is yes("compression")
    assert target.tcp_keepalive is yes("tcpkeepalive")
    assert target.identities_only is yes("identitiesonly")
    assert target.hash_known_hosts is yes("hashknownhosts")
    assert target.check_host_ip is yes("checkhostip")
    assert target.no_host_authentication_for_localhost is yes("nohostauthenticationforlocalhost")
    families = {"any": socket.AF_UNSPEC, "inet": socket.AF_INET, "inet6": socket.AF_INET6}
    assert target.address_family == families[said.one("addressfamily")]
    assert target.bind_address == said.values.get("bindaddress", [None])[0]
    assert target.bind_interface == said.values.get("bindinterface", [None])[0]
    agent = said.one("identityagent", "SSH_AUTH_SOCK")
    agents = {"none": None, "SSH_AUTH_SOCK": "/run/typed-agent"}
    expected_agent = agents[agent] if agent in agents else str(said.path(agent))
    assert target.agent_path == expected_agent
    forward = said.one("forwardagent")
    assert target.forwarded_agent == {"yes": expected_agent, "no": None}.get(forward, forward)
    assert target.authentication_methods == expected_methods(said)
    size, seconds = said.one("rekeylimit").split()
    assert (target.rekey_bytes or 0, target.rekey_seconds or 0) == (int(size), int(seconds))
    assert target.required_rsa_bits == max(number("requiredrsasize"), 1024)
    patterns = [re.escape(name).replace(r"\*", ".*").replace(r"\?", ".") for name in said.values.get("sendenv", [])]
    sent = {name for name in os.environ if any(re.fullmatch(pattern, name) for pattern in patterns)}
    assert set(target.send_environment) == sent
    assert [f"{name}={value}" for name, value in target.set_environment] == said.values.get("setenv", [])
    revoked = said.values.get("revokedhostkeys")
    assert target.revoked_host_keys == (said.path(revoked[0]) if revoked else None)


def check(seed: int, folder: Path, algorithms: dict[str, tuple[list[str], list[str]]]) -> None:
    """Compare the case of one seed. A refusal must be one on both sides."""
    folder.mkdir()
    case = CaseMaker(seed, folder).make()
    context = f"seed {seed}: {case.text}\n{(folder / 'config').read_text()}"
    try:
        said = Said(ask_ssh(case.words), parse_ssh_command(case.text).host)
    except RefusedBySsh as refused:
        try:
            resolve_target(parse_ssh_command(case.text), home=HOME)
        except RemoteError:
            return
        raise AssertionError(f"{context}\nonly ssh refuses: {refused}") from refused
    try:
        compare(case.words, said, resolve_target(parse_ssh_command(case.text), home=HOME), algorithms)
    except RemoteError as error:
        if "in a circle" not in error.message:
            raise AssertionError(f"{context}\nonly we refuse: {error}") from error
        with pytest.raises(Circle):
            way = expected_jumps(case.words, said.expand(said.one("proxyjump")))
            way.append((said.one("hostname"), said.one("user"), int(said.one("port"))))
            if any(hop == following for hop, following in itertools.pairwise(way)):
                raise Circle from error  # ssh does not see it before it replaces the token in it.
    except AssertionError as error:
        raise AssertionError(f"{context}\n{error}") from error


def test_a_sample_of_command_lines(tmp_path: Path, known_algorithms: dict[str, tuple[list[str], list[str]]]) -> None:
    for seed in range(SAMPLED):
        check(seed, tmp_path / str(seed), known_algorithms)


@pytest.mark.whole
@pytest.mark.parametrize("part", range(8))
def test_command_lines(part: int, tmp_path: Path, known_algorithms: dict[str, tuple[list[str], list[str]]]) -> None:
    for seed in range(SAMPLED + part, SAMPLED + ALL, 8):
        check(seed, tmp_path / str(seed), known_algorithms)
