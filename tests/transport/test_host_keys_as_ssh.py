"""Law 5, case by case: the same files and options, given to the system's ssh and to us, must end the same."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.errors import HostKeyChangedError, HostKeyError, HostKeyUnknownError, RemoteError
from pybridge.transport.connect import Connector
from pybridge.transport.credentials import Credentials
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_target import resolve_target
from tests.kit.counterparts import need
from tests.kit.sshd import SshServer, make_key
from tests.kit.system_ssh import ask_system_ssh


@dataclass(frozen=True)
class Case:
    """One situation.

    `lines` is what known_hosts has, None for no file; `options` are words of the command. In both, {name} is the
    server's name in known_hosts, {port} its port, {folder} a folder of the case, and {ed} {rsa} {ecdsa} {other}
    {other_rsa} are keys: the server's three, and two that are not its own. `error` is what we raise, None if both get
    in. `adds` is whether the file then has a line more.
    """

    name: str
    lines: str | None
    options: tuple[str, ...] = ()
    error: type[RemoteError] | None = None
    adds: bool = False
    strict: str = "yes"


UNKNOWN, CHANGED = HostKeyUnknownError, HostKeyChangedError
QUICK = [
    Case("known", "{name} {ed}\n"),
    Case("unknown", "", error=UNKNOWN),
    Case("ask without a terminal", "", strict="ask", error=UNKNOWN),
    Case("accept-new", None, strict="accept-new", adds=True),
    Case("changed with accept-new", "{name} {other}\n", strict="accept-new", error=CHANGED),
    Case("another type of key is known", "{name} {rsa}\n"),
]
MORE = [
    Case("no with a new key", "", strict="no", adds=True),
    Case("off with a new key", "# a comment\n", strict="off", adds=True),
    Case("no with a changed key", "{name} {other}\n", strict="no"),
    Case("changed", "# one\n{name} {other}\n", error=CHANGED),
    Case("two keys are known, one is right", "{name} {other}\n{name} {ed}\n"),
    Case("the right key is known for another host", "other.example {ed}\n", error=UNKNOWN),
    Case("a key of another type is wrong", "{name} {other_rsa}\n", strict="accept-new", error=CHANGED),
    Case(
        "the type that is known is not offered",
        "{name} {ed}\n",
        ("-oHostKeyAlgorithms=rsa-sha2-256",),
        strict="accept-new",
        error=CHANGED,
    ),
    Case(
        "HostKeyAlgorithms with - keeps the order of what is known", "{name} {rsa}\n", ("-oHostKeyAlgorithms=-ecdsa*",)
    ),
    Case(
        "HostKeyAlgorithms with ^ is an order", "{name} {rsa}\n", ("-oHostKeyAlgorithms=^ssh-ed25519",), error=CHANGED
    ),
    Case("a wildcard", "[127.0.0.*]:{port} {ed}\n"),
    Case("a negated pattern", "[127.0.0.*]:{port},!{name} {ed}\n", error=UNKNOWN),
    Case("a list of names", "a,{name},b {ed}\n"),
    Case("known at port 22", "127.0.0.1 {ed}\n"),
    Case("known by a pattern without a port", "127.* {ed}\n"),
    Case("another key is known at port 22", "127.0.0.1 {other}\n", strict="accept-new", adds=True),
    Case("revoked", "{name} {ed}\n@revoked * {ed}\n", error=CHANGED),
    Case("revoked with no", "@revoked {name} {ed}\n", strict="no"),
    Case("revoked at port 22 only", "@revoked 127.0.0.1 {ed}\n{name} {ed}\n"),
    Case("revoked for another host", "@revoked other.example {ed}\n{name} {ed}\n"),
    Case("lines that make no sense", "{name}\n{name} ssh-ed25519 ???\n@what {name} {ed}\n{name} {ed}\r\n"),
    Case("HostKeyAlias", "alias {ed}\n", ("-oHostKeyAlias=Alias",)),
    Case("HostKeyAlias of nobody", "{name} {ed}\n", ("-oHostKeyAlias=else",), error=UNKNOWN),
    Case("HostKeyAlias is added without the port", "", ("-oHostKeyAlias=else",), strict="accept-new", adds=True),
    Case("HashKnownHosts", "", ("-oHashKnownHosts=yes",), strict="accept-new", adds=True),
    Case("BatchMode", "", ("-oBatchMode=yes",), strict="ask", error=UNKNOWN),
    Case("VerifyHostKeyDNS", "", ("-oVerifyHostKeyDNS=yes",), strict="ask", error=UNKNOWN),
    Case("NoHostAuthenticationForLocalhost", "{name} {other}\n", ("-oNoHostAuthenticationForLocalhost=yes",)),
    Case("a short RSA key", "{name} {rsa}\n", ("-oRequiredRSASize=4096",), error=HostKeyError),
    Case("a long enough RSA key", "{name} {rsa}\n", ("-oRequiredRSASize=2048",)),
    Case("several files", "other.example {ed}\n", ("-oUserKnownHostsFile={folder}/no {folder}/right",)),
    Case("no file", "{name} {ed}\n", ("-oUserKnownHostsFile=none",), error=UNKNOWN),
    Case("no file with no", "", ("-oUserKnownHostsFile=none",), strict="no", error=UNKNOWN),
    Case("/dev/null", "", ("-oUserKnownHostsFile=/dev/null",), strict="accept-new"),
    Case("/dev/null with yes", "", ("-oUserKnownHostsFile=/dev/null",), error=UNKNOWN),
    Case("a file that cannot be written", "", ("-oUserKnownHostsFile=/proc/version",), strict="accept-new"),
    Case("a folder in its place", "", ("-oUserKnownHostsFile={folder}",), strict="accept-new"),
    Case("a global file", "", ("-oGlobalKnownHostsFile={folder}/right",)),
    Case("a wrong key in the global file", "", ("-oGlobalKnownHostsFile={folder}/wrong",), error=CHANGED),
    Case("RevokedHostKeys", "{name} {ed}\n", ("-oRevokedHostKeys={folder}/keys",), strict="no", error=CHANGED),
    Case("RevokedHostKeys with other keys", "{name} {ed}\n", ("-oRevokedHostKeys={folder}/others",)),
    Case("RevokedHostKeys is missing", "{name} {ed}\n", ("-oRevokedHostKeys={folder}/no",), error=RemoteError),
    Case("RevokedHostKeys makes no sense", "{name} {ed}\n", ("-oRevokedHostKeys={folder}/junk",), error=RemoteError),
    Case("KnownHostsCommand", "", ("-oKnownHostsCommand={folder}/print {folder}/right",)),
    Case(
        "KnownHostsCommand with a wrong key", "", ("-oKnownHostsCommand={folder}/print {folder}/wrong",), error=CHANGED
    ),
    Case("KnownHostsCommand beside a file", "{name} {ed}\n", ("-oKnownHostsCommand={folder}/print {folder}/wrong",)),
    Case("KnownHostsCommand on the key", "", ("-oKnownHostsCommand={folder}/echo %%h %H %t %K",)),
    Case("KnownHostsCommand fails", "{name} {ed}\n", ("-oKnownHostsCommand={folder}/fail",), error=HostKeyError),
    Case("KnownHostsCommand is not there", "{name} {ed}\n", ("-oKnownHostsCommand={folder}/none",)),
    Case("KnownHostsCommand without a folder", "", ("-oKnownHostsCommand=print {folder}/right",), error=UNKNOWN),
]


KINDS = {"ed": "ed25519", "rsa": "rsa", "ecdsa": "ecdsa"}


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Keys that are not the server's."""
    folder = tmp_path_factory.mktemp("strangers")
    kinds = {"other": "ed25519", "other_rsa": "rsa"}
    return {name: public_words(make_key(folder / name, kind).with_suffix(".pub")) for name, kind in kinds.items()}


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
async def test_as_ssh_does(openssh: SshServer, strangers: dict[str, str], tmp_path: Path, case: Case) -> None:
    await compare(openssh, strangers, tmp_path, case)


@pytest.mark.whole
@pytest.mark.parametrize("case", MORE, ids=lambda case: case.name)
async def test_as_ssh_does_in_every_case(
    openssh: SshServer, strangers: dict[str, str], tmp_path: Path, case: Case
) -> None:
    await compare(openssh, strangers, tmp_path, case)


async def compare(server: SshServer, strangers: dict[str, str], folder: Path, case: Case) -> None:
    words = {kind: public_words(server.folder / f"host_{long}.pub") for kind, long in KINDS.items()} | strangers
    words |= {"name": f"[127.0.0.1]:{server.port}", "port": str(server.port), "folder": str(folder)}
    write_files(folder, words)
    for side in ("theirs", "ours"):
        if case.lines is not None:
            (folder / side).write_bytes(case.lines.format(**words).encode())
    options = [option.format(**words) for option in case.options]
    command = {
        side: server.ssh_command_with(known_hosts=folder / side, strict=case.strict) for side in ("theirs", "ours")
    }
    answer = await ask_system_ssh(command["theirs"], *options)
    ours = await connect(" ".join(["ssh", *map(quoted, options), command["ours"].removeprefix("ssh ")]))
    assert (ours is None) == answer.got_in == (case.error is None), (ours, answer.said)
    if case.error is not None:
        assert isinstance(ours, case.error)
    before = (case.lines or "").format(**words)
    added = [known_names(folder / side, words["name"]) for side in ("theirs", "ours")]
    assert added[0] == added[1]
    for side in ("theirs", "ours"):
        after = (folder / side).read_bytes().decode() if (folder / side).exists() else ""
        assert (after != before) == case.adds, after
        assert after.startswith(before)


def public_words(file: Path) -> str:
    """A public key as known_hosts has it: type and data."""
    return " ".join(file.read_text().split()[:2])


def write_files(folder: Path, words: dict[str, str]) -> None:
    """What the options of the cases name."""
    (folder / "right").write_text("{name} {ed}\n".format(**words))
    (folder / "wrong").write_text("{name} {other}\n".format(**words))
    (folder / "keys").write_text("# revoked\n{ed}\n".format(**words))
    (folder / "others").write_text("{other}\n{other_rsa} comment\n".format(**words))
    (folder / "junk").write_text("{other}\njunk\n".format(**words))
    for name, script in (("print", 'cat "$1"'), ("echo", 'shift; echo "$@"'), ("fail", "exit 3")):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)


def known_names(file: Path, name: str) -> list[str]:
    """The types of keys a file has for the names that matter here, hashed or not."""
    found = []
    for wanted in (name, "127.0.0.1", "else") if file.is_file() else ():
        words = [need("ssh-keygen"), "-F", wanted, "-f", str(file)]
        shown = subprocess.run(words, capture_output=True, text=True, check=False).stdout  # It fails if there is none.
        found += [f"{wanted} {line.split()[1]}" for line in shown.splitlines() if not line.startswith(("#", "@"))]
    return found


def quoted(word: str) -> str:
    return f"'{word}'"


async def connect(remote_ssh: str) -> RemoteError | None:
    """Log in ourselves; the error, None if it went well."""
    try:
        connection = await Connector(resolve_target(parse_ssh_command(remote_ssh)), Credentials()).open()
    except RemoteError as error:
        return error
    connection.abort()
    return None
