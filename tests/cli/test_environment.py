"""No program that `launch` and `doctor` start on the way to a remote gets the secrets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command

pytestmark = [pytest.mark.unit, pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX programs")]


@pytest.mark.parametrize("command", [("launch", "--print"), ("doctor",)])
def test_a_program_of_the_ssh_configuration_gets_no_secret(
    pybridge: Command, tmp_path: Path, command: tuple[str, ...]
) -> None:
    dump = tmp_path / "dump"
    (tmp_path / "config").write_text(f'Match exec "env >> {dump}"\nHost box\n  HostName 127.0.0.1\n  Port 1\n')
    opencode = tmp_path / "opencode"
    opencode.write_text(f"#!/bin/sh\nenv >> {dump}\necho 1.18.33\n")
    opencode.chmod(0o755)
    target = {"REMOTE_SSH": f"-F {tmp_path / 'config'} box", "REMOTE_WORKDIR": "~", "PLAIN": "seen"}
    secrets = {"REMOTE_PASSWORD": "hush1", "REMOTE_SUDO_PASSWORD": "hush2", "REMOTE_KEY_PASSPHRASE": "hush3"}
    pybridge(*command, env={**target, **secrets, "PYBRIDGE_OPENCODE": str(opencode)})
    assert "PLAIN=seen" in dump.read_text()
    assert "hush" not in dump.read_text()
