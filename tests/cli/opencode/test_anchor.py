"""The folder OpenCode is started in (D5)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pybridge.cli.opencode.anchor import prepare_anchor
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_target import resolve_target
from tests.kit.counterparts import need

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def anchor(ssh: str, workdir: str) -> Path:
    return prepare_anchor(resolve_target(parse_ssh_command(f"-F none {ssh}")).slug, workdir)


def test_the_same_target_gives_the_same_folder_and_others_never(home: Path) -> None:
    one = anchor("-p 1 me@host", "~/project")
    assert one.parent == home.resolve() / ".opencode" / "remote-sessions"
    assert anchor("me@host -p1", "~/project/") == one
    others = [
        anchor("-p 2 me@host", "~/project"),
        anchor("-p 1 you@host", "~/project"),
        anchor("-p 1 me@hosts", "~/project"),
        anchor("-p 1 -J x@y me@host", "~/project"),
        anchor("-p 1 me@host", "~/Project"),
        anchor("-p 1 me@host", "/project"),
    ]
    assert len({one, *others}) == 7


def test_git_takes_it_for_no_repository_even_in_a_home_under_git(home: Path) -> None:
    git = need("git")
    subprocess.run([git, "init", "-q", home], check=True)
    asked = [git, "-C", anchor("me@host", "~"), "rev-parse", "--show-toplevel"]
    assert subprocess.run(asked, capture_output=True).returncode != 0


def test_a_repository_the_user_made_there_stays(home: Path) -> None:
    git = need("git")
    folder = anchor("me@host", "~")
    (folder / ".git").unlink()
    subprocess.run([git, "init", "-q", folder], check=True)
    assert anchor("me@host", "~") == folder
    assert (folder / ".git").is_dir()
