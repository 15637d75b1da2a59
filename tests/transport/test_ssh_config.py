"""Configuration files that cannot be read as they are: what OpenSSH does, or an error that says what is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pybridge.errors import ConfigurationError, RemoteError
from pybridge.transport.local_addresses import local_addresses
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_target import SshTarget, resolve_target

pytestmark = pytest.mark.unit


def resolve(folder: Path, text: str, *, home: Path | None = None) -> SshTarget:
    config = folder / "config"
    config.write_text(text)
    option = "" if home else f"-F {config} "
    return resolve_target(parse_ssh_command(f"ssh {option}box"), home=home or folder)


@pytest.mark.parametrize(
    ("lines", "accepted"),
    [
        ("Port = 22 # mine", True),
        ("Port 22 33", False),
        ('Port "22', False),
        ('"Port" "7"', True),
        ("Port==7", False),
        ("Port=", False),
        ("Port", False),
        ("Port 0", False),
        ("Port 70000", False),
        ("Port 08", True),
        ("Port ssh", True),
        ("Port no-such-service", False),
        ("Foo bar", False),
        ("Host other\n Foo bar", False),
        ("IgnoreUnknown fo*\nFoo bar", True),
        ("Foo bar\nIgnoreUnknown fo*", False),
        ("Cipher 3des", True),
        ("Compression maybe", False),
        ("ConnectTimeout 1m30", True),
        ("ConnectTimeout -1", False),
        ("ConnectTimeout none", True),
        ("ConnectionAttempts 0", False),
        ("ConnectionAttempts x", False),
        ("NumberOfPasswordPrompts -1", False),
        ("StrictHostKeyChecking maybe", False),
        ("AddressFamily INET", True),
        ("AddressFamily ipx", False),
        ("IPQoS nonsense", False),
        ("RekeyLimit 15", False),
        ("RekeyLimit 1K 5x", False),
        ("UserKnownHostsFile none /x", False),
        ("UserKnownHostsFile /a # mine", True),
        ("SetEnv FOO", False),
        ("HostName %h.x", True),
        ("HostName %p", False),
        ("User a\\ b", True),
        ("User a;b", True),
        ("ProxyJump a,,b", False),
        ("ProxyJump a, b", False),
        ("ProxyJump ::1", False),
        ("ProxyJump none", True),
        ("ProxyJump box", False),
        ('ProxyCommand "nc', False),
        ('ProxyCommand nc "%h" # mine', True),
        ("Host", False),
        ('Host ""', False),
        ("Match", False),
        ("Match all", True),
        ("Match host", False),
        ("Match weather fine", False),
        ("Match all host x", False),
        ("Match host x user y all", False),
        ("Match !all\n Port 7", True),
        ("Include", False),
        ("Include /no/such/file", True),
        ("\n  # only a comment\n\t\n", True),
        ("\r\nPort 22\r\n", True),
        ("Port 22\x00", False),
    ],
)
def test_lines_are_taken_as_openssh_takes_them(tmp_path: Path, lines: str, accepted: bool) -> None:
    def ours() -> bool:
        try:
            resolve(tmp_path, lines)
        except RemoteError as error:
            assert error.next_step or "REMOTE_SSH" in error.message
            return False
        return True

    assert ours() is accepted
    program = shutil.which("ssh")
    if program is not None and "\x00" not in lines and "\r" not in lines:
        words = [program, "-G", "-F", tmp_path / "config", "box"]
        assert (subprocess.run(words, capture_output=True, check=False).returncode == 0) is accepted


def test_a_file_that_is_missing_a_folder_or_no_text(tmp_path: Path) -> None:
    for name, said in (("missing", "missing does not exist"), (".", "cannot be read: Is a directory")):
        with pytest.raises(ConfigurationError, match=said) as caught:
            resolve_target(parse_ssh_command(f"ssh -F {tmp_path / name} box"))
        assert "-F" in str(caught.value.next_step)
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF\x02\x01\x01\x00\xff\xfe" * 50 + b"\n\x00\x01")
    with pytest.raises(ConfigurationError, match="program line 1") as caught:
        resolve_target(parse_ssh_command(f"ssh -F {program} box"))
    assert len(str(caught.value)) < 400


def test_a_circle_of_includes_ends(tmp_path: Path) -> None:
    (tmp_path / "other").write_text(f"Include {tmp_path / 'config'}\n")
    with pytest.raises(ConfigurationError, match="more than 16 levels deep") as caught:
        resolve(tmp_path, f"Include {tmp_path / 'other'}\nInclude {tmp_path / 'other'}\n")
    assert "circle" in str(caught.value.next_step)


def test_included_files_by_pattern(tmp_path: Path) -> None:
    (tmp_path / "d" / "folder").mkdir(parents=True)
    (tmp_path / "d" / "2").write_text("Port 2\n")
    (tmp_path / "d" / "1").write_text("Port 1\n")
    (tmp_path / "d" / ".hidden").write_text("Port 9\n")
    assert resolve(tmp_path, f"Include {tmp_path}/d/*\n").port == 1


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
def test_a_file_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    config = tmp_path / ".ssh" / "config"
    config.write_text("Port 7\n")
    config.chmod(0o644)
    assert resolve_target(parse_ssh_command("ssh box"), home=tmp_path).port == 7
    config.chmod(0o646)
    with pytest.raises(ConfigurationError, match="can be written by others") as caught:
        resolve_target(parse_ssh_command("ssh box"), home=tmp_path)
    assert "chmod go-w" in str(caught.value.next_step)
    assert resolve_target(parse_ssh_command(f"ssh -F {config} box"), home=tmp_path).port == 7  # named by the user


def test_what_openssh_9_4_and_later_can_match(tmp_path: Path) -> None:
    address = local_addresses()[0][1]
    assert resolve(tmp_path, f"Match localnetwork {address}\n Port 7\n").port == 7
    assert resolve(tmp_path, f"Match localnetwork 203.0.113.0/24,!{address}\n Port 7\n").port == 22
    with pytest.raises(ConfigurationError, match="not a network"):
        resolve(tmp_path, "Match localnetwork here\n Port 7\n")
    assert resolve(tmp_path, "Tag red\nMatch tagged r*\n Port 7\n").port == 7
    assert resolve(tmp_path, "Match sessiontype exec version OpenSSH_1* command ''\n Port 7\n").port == 7
    assert resolve(tmp_path, "Match sessiontype shell\n Port 7\n").port == 22


def test_an_unknown_keyword_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="config line 2: OpenSSH has no option 'HostNam'") as caught:
        resolve(tmp_path, "Host *\n HostNam x\n")
    assert caught.value.next_step == "Did you mean HostName?"
    with pytest.raises(ConfigurationError, match="IgnoreUnknown Weather"):
        resolve(tmp_path, "Weather fine\n")


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PB_NOT_SET", raising=False)
    with pytest.raises(ConfigurationError, match="PB_NOT_SET"):
        resolve(tmp_path, "CertificateFile ${PB_NOT_SET}/x\n")
    monkeypatch.setenv("PB_NOT_SET", "/y")
    assert resolve(tmp_path, "CertificateFile ${PB_NOT_SET}/x\n").certificates == (Path("/y/x"),)
