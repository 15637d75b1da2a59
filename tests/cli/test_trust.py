"""`pybridge trust` shows a host's key, adds it after a yes, and replaces none."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.kit.counterparts import missing, need
from tests.kit.legacy_servers import SSH_5_3, start_legacy
from tests.kit.sshd import SshServer, call, make_key, start_openssh
from tests.kit.terminal import Terminal

ALONE = ("-F", "none", "-oGlobalKnownHostsFile=none", "-oIdentityAgent=none")


def destination(server: SshServer, *extra: str, host: str = "127.0.0.1") -> list[str]:
    return [*ALONE, *extra, "-p", str(server.port), f"{server.user}@{host}"]


def fingerprint(server: SshServer, kind: str = "ed25519") -> str:
    return call(need("ssh-keygen"), "-lf", str(server.folder / f"host_{kind}.pub")).split()[1]


def ssh_gets_in(server: SshServer, known: Path, host: str = "127.0.0.1") -> bool:
    words = [need("ssh"), "-i", str(server.key), f"-oUserKnownHostsFile={known}", "-oBatchMode=yes"]
    ran = subprocess.run([*words, *destination(server, host=host), "echo in"], capture_output=True, check=False)
    return ran.stdout == b"in\n"


def test_an_unknown_key_is_shown_and_added_only_by_its_fingerprint(
    pybridge: Command, openssh: SshServer, tmp_path: Path
) -> None:
    known = pybridge.home / ".ssh" / "known_hosts"
    before = len(openssh.log())
    ran = pybridge("trust", *destination(openssh))
    assert ran.returncode == 1
    assert ran.stdout == f"  ssh-ed25519 {fingerprint(openssh)}\n"
    assert "not known yet" in ran.stderr
    assert "--fingerprint SHA256:" in ran.stderr
    assert not known.exists()
    ran = pybridge("trust", *destination(openssh), "--fingerprint", fingerprint(openssh))
    assert ran.returncode == 0, ran.stderr
    assert f"Added to {known}" in ran.stderr
    assert known.stat().st_mode & 0o777 == 0o600
    assert ssh_gets_in(openssh, known)
    assert "authenticating" not in openssh.log()[before:].partition("Accepted")[0]


@pytest.mark.whole
@pytest.mark.parametrize(("answer", "added"), [("yes", True), ("n", False), ("", False)])
def test_in_a_terminal_it_asks(pybridge: Command, openssh: SshServer, answer: str, added: bool) -> None:
    known = pybridge.home / ".ssh" / "known_hosts"
    command = [sys.executable, "-m", "pybridge", "trust", *destination(openssh)]
    with Terminal(command, pybridge.variables(), pybridge.home) as terminal:
        assert fingerprint(openssh) in terminal.wait_for(f"Add it to {known}?")
        terminal.type(f"{answer}\r")
        assert terminal.process.wait(60) == (0 if added else 1)
    assert (known.exists() and ssh_gets_in(openssh, known)) is added


@pytest.mark.whole
def test_a_changed_or_revoked_key_is_never_replaced(pybridge: Command, openssh: SshServer, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    known = tmp_path / "known"
    name = f"[127.0.0.1]:{openssh.port}"
    right = " ".join((openssh.folder / "host_ed25519.pub").read_text().split()[:2])
    for content, words in (
        (f"# mine\n{name} {other}", [f"{known} line 2", fingerprint(openssh), f"ssh-keygen -R '{name}' -f {known}"]),
        (f"@revoked * {right}\n", ["is revoked", f"{known} line 1"]),
    ):
        known.write_text(content)
        options = [f"-oUserKnownHostsFile={known}", "-oStrictHostKeyChecking=no"]
        ran = pybridge("trust", *destination(openssh, *options), "--fingerprint", fingerprint(openssh))
        assert ran.returncode == 1
        for word in words:
            assert word in ran.stderr
        assert known.read_text() == content
    # What the error says to do works, and then the key can be trusted.
    known.write_text(f"# mine\n{name} {other}")
    shown = pybridge("trust", *destination(openssh, f"-oUserKnownHostsFile={known}")).stderr
    call("sh", "-c", next(line for line in shown.splitlines() if "ssh-keygen -R" in line))
    ran = pybridge(
        "trust", *destination(openssh, f"-oUserKnownHostsFile={known}"), "--fingerprint", fingerprint(openssh)
    )
    assert ran.returncode == 0, ran.stderr
    assert ssh_gets_in(openssh, known)


@pytest.mark.whole
def test_without_words_it_is_about_remote_ssh_and_may_be_trusted_already(pybridge: Command, openssh: SshServer) -> None:
    words = destination(openssh, f"-oUserKnownHostsFile={openssh.known_hosts}")
    for remote_ssh in (shlex.join(words), shlex.join(["ssh", *words])):
        ran = pybridge("trust", env={"REMOTE_SSH": remote_ssh})
        assert (ran.returncode, "trusted already" in ran.stderr) == (0, True), ran.stderr
        assert ran.stdout == f"  ssh-ed25519 {fingerprint(openssh)}\n"
    ran = pybridge("trust")
    assert (ran.returncode, "REMOTE_SSH is not set" in ran.stderr) == (1, True)


@pytest.mark.whole
def test_a_wrong_fingerprint_adds_nothing(pybridge: Command, openssh: SshServer) -> None:
    ran = pybridge("trust", *destination(openssh), "--fingerprint=SHA256:" + "x" * 43)
    assert ran.returncode == 1
    assert "not the one you named" in ran.stderr
    assert pybridge("trust", *destination(openssh), "--fingerprint", "MD5:00").returncode == 2
    assert not (pybridge.home / ".ssh").exists()


@pytest.mark.whole
def test_the_file_keeps_what_it_has_and_its_mode(pybridge: Command, openssh: SshServer, tmp_path: Path) -> None:
    known = tmp_path / "my known hosts"
    known.write_text("else.example ssh-ed25519 AAAA")
    known.chmod(0o640)
    options = [f'-oUserKnownHostsFile="{known}"', "-oHashKnownHosts=yes"]
    ran = pybridge("trust", shlex.join([*destination(openssh, *options)]), "--fingerprint", fingerprint(openssh))
    assert ran.returncode == 0, ran.stderr
    assert known.stat().st_mode & 0o777 == 0o640
    lines = known.read_text().splitlines()
    assert lines[0] == "else.example ssh-ed25519 AAAA"
    assert lines[1].startswith("|1|")
    assert "127.0.0.1" not in known.read_text()
    assert "found" in call(need("ssh-keygen"), "-F", f"[127.0.0.1]:{openssh.port}", "-f", str(known))


@pytest.mark.whole
def test_a_file_that_cannot_be_written_is_named(pybridge: Command, openssh: SshServer, tmp_path: Path) -> None:
    words = destination(openssh, "-oUserKnownHostsFile=/proc/version")
    ran = pybridge("trust", *words, "--fingerprint", fingerprint(openssh))
    assert ran.returncode == 1
    assert "cannot be added to /proc/version" in ran.stderr
    ran = pybridge("trust", *destination(openssh, "-oUserKnownHostsFile=none"), "--fingerprint", fingerprint(openssh))
    assert ran.returncode == 1
    assert "UserKnownHostsFile=none" in ran.stderr


@pytest.mark.whole
def test_through_a_jump_host_that_is_trusted_already(pybridge: Command, openssh: SshServer, tmp_path: Path) -> None:
    inner = start_openssh(tmp_path / "inner")
    known = pybridge.home / ".ssh" / "known_hosts"
    ssh = known.parent
    ssh.mkdir()
    (ssh / "config").write_text(
        f"Host jump\n  HostName 127.0.0.1\n  Port {openssh.port}\n  IdentityFile {openssh.key}\n"
    )
    words = ["trust", "-J", "jump", "-oGlobalKnownHostsFile=none", "-p", str(inner.port), f"{inner.user}@127.0.0.1"]
    try:
        refused = pybridge(*words)
        assert refused.returncode == 1
        assert fingerprint(openssh) in refused.stderr
        advised = next(line for line in refused.stderr.splitlines() if line.startswith("  pybridge trust "))
        hop = pybridge(*shlex.split(advised)[1:], "--fingerprint", fingerprint(openssh))
        assert hop.returncode == 0, hop.stderr
        ran = pybridge(*words, "--fingerprint", fingerprint(inner))
        assert ran.returncode == 0, ran.stderr
        assert f"as [127.0.0.1]:{inner.port}" in ran.stderr
        assert len(known.read_text().splitlines()) == 2
        assert "authenticating" not in inner.log()
    finally:
        inner.stop()


@pytest.mark.whole
def test_an_old_server_names_its_options_and_is_then_trusted(pybridge: Command, tmp_path: Path) -> None:
    server = start_legacy(tmp_path / "server")
    try:
        refused = pybridge("trust", *destination(server))
        assert refused.returncode == 1
        options = shlex.split(next(line for line in refused.stderr.splitlines() if line.startswith("  -o")))
        # OpenSSH offers hmac-sha1 by itself, and so do we.
        assert options == [option for option in SSH_5_3.client if option != "-oMACs=+hmac-sha1"]
        ran = pybridge("trust", *destination(server, *options), "--fingerprint", fingerprint(server, "rsa"))
        assert ran.returncode == 0, ran.stderr
    finally:
        server.stop()


@pytest.mark.whole
def test_ipv6(pybridge: Command, tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        missing("this machine has no IPv6 loopback")
    server = start_openssh(tmp_path / "server", ["ListenAddress ::1"])
    known = pybridge.home / ".ssh" / "known_hosts"
    try:
        ran = pybridge("trust", *destination(server, host="::1"), "--fingerprint", fingerprint(server))
        assert ran.returncode == 0, ran.stderr
        assert known.read_text().startswith(f"[::1]:{server.port} ")
        assert ssh_gets_in(server, known, "::1")
    finally:
        server.stop()
