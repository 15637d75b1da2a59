"""`pybridge password` keeps, finds and removes passwords in a real keyring backend, and `doctor` logs in with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.kit.keyring_folder import keyring_environment
from tests.kit.password_login import attempts, start_openssh_with_password, without_keys
from tests.kit.sshd import make_key
from tests.kit.terminal import Terminal
from tests.kit.waiting import wait_until

SECRET = "hunter2'\"£ one"


@pytest.fixture
def password(pybridge: Command, tmp_path: Path) -> Command:
    pybridge.environment |= keyring_environment(tmp_path / "keyring")
    return pybridge


def keep(command: Command, secret: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`password set` with the secret on standard input."""
    return subprocess.run(
        [command.python, "-m", "pybridge", "password", "set", *arguments],
        input=f"{secret}\nwhat follows is not read\n",
        env=command.variables(),
        cwd=command.home,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
    )


def test_set_status_delete(password: Command) -> None:
    kept = keep(password, SECRET, "Me@Box.example.org -p 2222")
    assert kept.returncode == 0, kept.stderr
    assert "Kept for Me@box.example.org:2222" in kept.stderr
    assert "hunter2" not in kept.stdout + kept.stderr
    there = password("password", "status", "ssh://Me@box.example.org:2222")
    assert (there.returncode, there.stdout) == (0, "Me@box.example.org:2222: kept, in file PlaintextKeyring\n")
    assert password("password", "delete", "Me@box.example.org -p 2222").returncode == 0
    assert password("password", "status", "Me@box.example.org -p 2222").returncode == 1


@pytest.mark.whole
def test_other_names_for_an_entry(password: Command, tmp_path: Path) -> None:
    assert keep(password, SECRET, "Me@box.example.org -p 2222").returncode == 0
    by_variable = password("password", "status", env={"REMOTE_SSH": "ssh -p2222 Me@box.example.org"})
    assert by_variable.returncode == 0
    assert password("password", "status", "Me@box.example.org").returncode == 1
    gone = password("password", "delete", "Me@box.example.org -p 2223")
    assert gone.returncode == 1 and "There is none" in gone.stderr
    key = make_key(tmp_path / "id")
    assert keep(password, SECRET, "--key", str(key)).returncode == 0
    assert password("password", "status", "--key", str(key)).returncode == 0


@pytest.mark.whole
def test_what_it_refuses(password: Command, tmp_path: Path) -> None:
    nothing = password("password", "set", "me@box")
    assert nothing.returncode == 1 and "Nothing was given" in nothing.stderr
    nobody = password("password", "set")
    assert nobody.returncode == 1 and "REMOTE_SSH is not set" in nobody.stderr
    both = password("password", "set", "me@box", "--key", str(tmp_path))
    assert both.returncode == 1 and "not both" in both.stderr
    none = password("password", "set", "me@box", env={"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"})
    assert none.returncode == 1 and "REMOTE_PASSWORD_COMMAND" in none.stderr


@pytest.mark.whole
def test_without_the_library_the_command_to_install_it_is_named(password: Command, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "keyring.py").write_text("raise ImportError('not installed')\n")
    ran = password("password", "set", "me@box", env={"PYTHONPATH": str(tmp_path / "without")})
    assert ran.returncode == 1
    assert "pip install 'pybridge[keyring]'" in ran.stderr


@pytest.mark.whole
def test_what_is_typed_is_not_shown(password: Command) -> None:
    command = [sys.executable, "-m", "pybridge", "password", "set", "me@box"]
    with Terminal(command, password.variables(), password.home) as terminal:
        terminal.wait_for("Password for me@box:22:")
        terminal.type("hunter2\r")
        shown = terminal.wait_for("Kept for me@box:22")
    assert "hunter2" not in shown
    assert password("password", "status", "me@box").returncode == 0


@pytest.mark.whole
def test_doctor_logs_in_with_each_source_and_tries_a_wrong_one_once(password: Command, tmp_path: Path) -> None:
    server = start_openssh_with_password(tmp_path / "server", SECRET, ["PasswordAuthentication yes"])
    try:
        target = {"REMOTE_SSH": without_keys(server), "REMOTE_WORKDIR": "/"}
        script = tmp_path / "print-it"
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{SECRET}\nEND\n")
        script.chmod(0o700)
        assert keep(password, SECRET, target["REMOTE_SSH"]).returncode == 0
        empty = keyring_environment(tmp_path / "empty")
        sources = {
            "keyring": {},
            "command": {**empty, "REMOTE_PASSWORD_COMMAND": str(script)},
            "askpass": {**empty, "SSH_ASKPASS": str(script), "SSH_ASKPASS_REQUIRE": "force"},
        }
        for name, source in sources.items():
            ran = password("doctor", "--report", env={**target, **source})
            assert "✓ log in" in ran.stdout, (name, ran.stdout)
            assert "hunter2" not in ran.stdout + ran.stderr
        assert "Failed" not in attempts(server)
        script.write_text("#!/bin/sh\necho hunter2 wrong\n")
        for count, name in enumerate(("command", "askpass"), 1):
            ran = password("doctor", "--report", env={**target, **sources[name]})
            assert "✗ log in" in ran.stdout, (name, ran.stdout)
            assert "hunter2" not in ran.stdout + ran.stderr
            wait_until(lambda least=count: attempts(server).count("Failed") >= least, "line in the log")
            assert attempts(server).count("Failed") == count, server.log()
        logs = [path for path in password.home.rglob("*") if path.is_file()]
        assert [path for path in logs if b"hunter2" in path.read_bytes()] == []
    finally:
        server.stop()
