"""The work tree around a folder is the one git finds, with or without git on the remote."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from pybridge.host.facts import parse_probe
from pybridge.host.place import Place, parse_place, place_script
from tests.kit.counterparts import need

pytestmark = pytest.mark.unit

FACTS = parse_probe(b"digest=cksum\n")
SHELLS = [("sh",), ("busybox", "sh"), ("bash", "--posix")]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with folders, a linked work tree and a submodule."""
    tree = tmp_path / "repo"
    (tree / "sub" / "deep").mkdir(parents=True)
    git(tree, "init")
    git(tree, "commit", "--allow-empty", "-m", "first")
    git(tree, "worktree", "add", str(tmp_path / "linked"))
    (tmp_path / "linked" / "sub").mkdir()
    git(tree, "-c", "protocol.file.allow=always", "submodule", "add", str(tree), "module")
    return tree


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = [need("git"), "-C", str(folder), *names, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.stdout.removesuffix("\n")


def find(folder: Path, shell: tuple[str, ...] = ("sh",), variables: Mapping[str, str] | None = None) -> Place:
    done = subprocess.run(
        [need(shell[0]), *shell[1:]],
        input=place_script(str(folder)).encode(),
        capture_output=True,
        check=True,
        env={"HOME": "/", "PATH": "/nowhere", **(variables or {})},
    )
    assert done.stderr == b""
    return parse_place(done.stdout, FACTS, str(folder))


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_work_tree_is_the_one_git_finds(repo: Path, shell: tuple[str, ...]) -> None:
    folders = [repo, repo / "sub" / "deep", repo / "module", repo.parent / "linked" / "sub", repo.parent]
    (repo / "sub" / ".git").mkdir()  # no repository: passed by
    for folder in folders:
        top = git(folder, "rev-parse", "--show-toplevel")
        assert find(folder, shell) == Place(str(folder), str(folder), top or str(folder), "ok", git=bool(top))


def test_symlinks_are_resolved_first(repo: Path) -> None:
    link = repo.parent / "link"
    link.symlink_to(repo / "sub")
    assert find(link) == Place(str(link), str(repo / "sub"), str(repo), "ok", git=True)


def test_variables_of_git_change_nothing(repo: Path) -> None:
    elsewhere = {"GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/", "GIT_CEILING_DIRECTORIES": str(repo)}
    assert find(repo / "sub", variables=elsewhere).worktree == str(repo)


@pytest.mark.parametrize("text", ["gitdir: ../gone\n", "nothing of git's\n", ""])
def test_a_git_file_that_leads_nowhere_ends_the_search_as_it_does_for_git(repo: Path, text: str) -> None:
    folder = repo / "sub"
    (folder / ".git").write_text(text)
    assert git(folder, "rev-parse", "--show-toplevel") == ""
    assert find(folder / "deep") == Place(str(folder / "deep"), str(folder / "deep"), str(folder / "deep"), "ok")


def test_a_path_with_a_newline_at_its_end_keeps_it(repo: Path) -> None:
    folder = repo / "odd\n"
    folder.mkdir()
    assert find(folder) == Place(str(folder), str(folder), str(repo), "ok", git=True)
