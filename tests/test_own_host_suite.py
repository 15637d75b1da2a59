"""The suite for a host of one's own, run as a user would: with a `.env.test` (row D30)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.kit.sshd import SshServer

ROOT = Path(__file__).parents[1]


def run_suite(env_file: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYBRIDGE_ENV_TEST": str(env_file)}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/own_host"]
    return subprocess.run(words, env=environment, capture_output=True, text=True, cwd=ROOT, check=False, timeout=110)


def test_D30_the_suite_passes_on_the_host_of_env_test_and_leaves_it_as_it_was(
    openssh: SshServer, tmp_path: Path
) -> None:
    folder = tmp_path / "work dir"
    folder.mkdir()
    (tmp_path / ".env.test").write_text(f'REMOTE_SSH="{openssh.ssh_command}"\nREMOTE_WORKDIR="{folder}"\n')
    done = run_suite(tmp_path / ".env.test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
    assert list(folder.iterdir()) == []


def test_D30_a_file_without_REMOTE_SSH_fails_at_once_and_says_so(tmp_path: Path) -> None:
    (tmp_path / ".env.test").write_text("REMOTE_WORKDIR=/tmp\n")
    done = run_suite(tmp_path / ".env.test")
    assert done.returncode == 1
    assert "does not set REMOTE_SSH" in done.stdout


def test_D30_without_the_file_it_is_skipped_with_the_reason(tmp_path: Path) -> None:
    done = run_suite(tmp_path / "none")
    assert done.returncode == 0
    assert "no .env.test" in done.stdout
