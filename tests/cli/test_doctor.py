"""`pybridge doctor` against real servers and broken settings."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from pybridge.cli.examination import machine
from pybridge.cli.examination.report import anonymous
from tests.cli.conftest import TARGET, Command
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.sshd import SshServer, make_key

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="makes a program of a shell script")

STEPS = ["OpenCode", "plugin", "sidecar", "settings", "connect", "host key", "log in", *machine.STEPS]


def signs(output: str) -> dict[str, str]:
    """Each step's sign."""
    found = {}
    for line in output.splitlines():
        for step in STEPS:
            if line[1:].startswith(f" {step} ") and line[0] in "✓✗–!":
                found[step] = line[0]
    return found


@pytest.fixture
def doctor(pybridge: Command, tmp_path: Path) -> Command:
    """The command, with something that says it is OpenCode."""
    fake = tmp_path / "opencode"
    fake.write_text("#!/bin/sh\necho 1.18.33\n")
    fake.chmod(0o755)
    pybridge.environment = {"PYBRIDGE_OPENCODE": str(fake)}
    return pybridge


def test_all_is_well(doctor: Command, openssh: SshServer, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    ran = doctor("doctor", env={"REMOTE_SSH": openssh.ssh_command, "REMOTE_WORKDIR": str(tmp_path / "work")})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert signs(ran.stdout) == dict.fromkeys(STEPS, "✓")
    assert str((tmp_path / "work").resolve()) in ran.stdout
    assert "All is well" in ran.stderr


def test_a_missing_folder(doctor: Command, openssh: SshServer) -> None:
    ran = doctor("doctor", env={"REMOTE_SSH": openssh.ssh_command, "REMOTE_WORKDIR": "/no/such/folder"})
    assert ran.returncode == 1
    assert signs(ran.stdout) == {**dict.fromkeys(STEPS, "✓"), "folder": "✗"}
    assert "/no/such/folder does not exist" in ran.stdout
    assert "→ Set REMOTE_WORKDIR" in ran.stdout


def test_a_folder_that_is_not_named(doctor: Command, openssh: SshServer) -> None:
    """`launch` refuses it too, in the same words."""
    ran = doctor("doctor", env={"REMOTE_SSH": openssh.ssh_command})
    assert ran.returncode == 1
    assert signs(ran.stdout) == {**dict.fromkeys(STEPS, "✓"), "folder": "✗"}
    for line in doctor("launch", env={"REMOTE_SSH": openssh.ssh_command}).stderr.splitlines()[:2]:
        assert line.removeprefix("pybridge: ") in ran.stdout
    assert "REMOTE_WORKDIR is not set" in ran.stdout
    assert "All is well" not in ran.stderr


@pytest.mark.parametrize(
    ("shell", "words"), [("/no/shell", "/no/shell is not on the remote"), ("/bin/true", "did not work in /bin/true")]
)
def test_a_shell_that_is_missing_or_none(
    doctor: Command, openssh: SshServer, tmp_path: Path, shell: str, words: str
) -> None:
    env = {"REMOTE_SSH": openssh.ssh_command, "REMOTE_WORKDIR": str(tmp_path), "REMOTE_SHELL": shell}
    ran = doctor("doctor", env=env)
    assert ran.returncode == 1
    assert signs(ran.stdout) == {**dict.fromkeys(STEPS, "✓"), "probe": "✗"}
    assert words in ran.stdout
    assert "→ Set REMOTE_SHELL" in ran.stdout


def test_an_encrypted_key_without_its_passphrase(doctor: Command, openssh: SshServer, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", passphrase="sesame")
    authorized = openssh.folder / "authorized_keys"
    authorized.write_text(authorized.read_text() + key.with_suffix(".pub").read_text())
    ran = doctor("doctor", env={"REMOTE_SSH": openssh.ssh_command_with(key=key)})
    assert ran.returncode == 1
    assert signs(ran.stdout)["log in"] == "✗"
    assert "→ Set REMOTE_KEY_PASSPHRASE, or load the key into ssh-agent." in ran.stdout
    assert "Name a key with -i" not in ran.stdout


def test_an_unknown_host_key(doctor: Command, openssh: SshServer, tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    ran = doctor("doctor", env={"REMOTE_SSH": openssh.ssh_command_with(known_hosts=tmp_path / "none")})
    assert ran.returncode == 1
    found = signs(ran.stdout)
    assert (found["connect"], found["host key"], found["log in"], found["folder"]) == ("✓", "✗", "–", "–")
    assert (tmp_path / "none").read_text() == ""


async def test_a_wrong_password_is_sent_once(doctor: Command, tmp_path: Path) -> None:
    """The sidecar's check must not try it a second time: accounts lock."""
    async with EmbeddedServer(tmp_path, password="right-one") as server:
        env = {"REMOTE_SSH": server.ssh_command(), "REMOTE_PASSWORD": "wrong-one"}
        ran = await asyncio.to_thread(doctor, "doctor", env=env)
    found = signs(ran.stdout)
    assert ran.returncode == 1
    assert (found["connect"], found["host key"], found["log in"], found["probe"]) == ("✓", "✓", "✗", "–")
    assert server.passwords == ["wrong-one"]
    assert "wrong-one" not in ran.stdout + ran.stderr


@pytest.mark.unit
@pytest.mark.parametrize(
    ("env", "step"),
    [
        ({}, "settings"),
        ({"REMOTE_SSH": "-Z host"}, "settings"),
        (TARGET, "connect"),
        ({**TARGET, "PYBRIDGE_PYTHON": "/no/python"}, "sidecar"),
        ({**TARGET, "PYBRIDGE_OPENCODE": "/no/opencode"}, "OpenCode"),
    ],
)
def test_what_is_wrong_is_marked_and_the_rest_goes_on(doctor: Command, env: dict[str, str], step: str) -> None:
    ran = doctor("doctor", env=env)
    assert ran.returncode == 1
    found = signs(ran.stdout)
    assert list(found) == STEPS
    assert found[step] == "✗"
    assert "→ " in ran.stdout


@pytest.mark.unit
def test_an_env_file_wins_over_the_environment(doctor: Command, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("REMOTE_SSH='-F none -p 1 from-file@127.0.0.1'\n")
    ran = doctor("doctor", "--env-file", str(tmp_path / "env"), env=TARGET)
    assert "from-file@127.0.0.1:1" in ran.stdout


@pytest.mark.unit
def test_an_installed_file_of_another_installation_is_noticed(doctor: Command) -> None:
    doctor("install")
    assert signs(doctor("doctor").stdout)["plugin"] == "✓"
    path = doctor.home / ".config" / "opencode" / "plugins" / "pybridge.js"
    path.write_text(path.read_text().replace("const PYTHON = ", "const PYTHON = '/old' || "))
    ran = doctor("doctor")
    assert signs(ran.stdout)["plugin"] == "✗"
    assert "pybridge install" in ran.stdout


@pytest.mark.unit
def test_a_terminal_without_the_signs_gets_ascii(doctor: Command) -> None:
    ran = doctor("doctor", env={**TARGET, "PYTHONIOENCODING": "ascii"})
    assert ran.stdout.isascii()
    assert "[ok] plugin" in ran.stdout
    assert "[FAIL] connect" in ran.stdout
    assert "-> Check the port" in ran.stdout


@pytest.mark.unit
def test_a_report_can_be_pasted(doctor: Command) -> None:
    env = {
        "REMOTE_SSH": "-F none -J jumper@gate.internal -p 1 someone@secret-host.internal",
        "REMOTE_PASSWORD": "hush-hush",
        "REMOTE_WORKDIR": "/srv/code",
    }
    ran = doctor("doctor", "--report", env=env)
    assert ran.returncode == 1
    for private in ("hush-hush", "secret-host", "gate.internal", "someone", "jumper", str(doctor.home)):
        assert private not in ran.stdout
    assert "REMOTE_PASSWORD=(set)" in ran.stdout
    assert "REMOTE_SSH=-F none -J <user>@<host> -p 1 <user>@<host>" in ran.stdout
    assert "✓ plugin" in ran.stdout


@pytest.mark.unit
def test_names_are_replaced_as_whole_words_and_addresses_always() -> None:
    text = "ann@box: hannah, box-2, toolbox, 10.1.2.3 127.0.0.1 12:30:45.1 fe80:1:2:3::9"
    names = [("ann", "<user>"), ("box", "<host>"), ("root", "<user>")]
    hidden = "<user>@<host>: hannah, box-2, toolbox, <address> 127.0.0.1 12:30:45.1 <address>"
    assert anonymous(text, names) == hidden
