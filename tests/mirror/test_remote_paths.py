"""A path as the model gives it becomes one absolute remote path (D13, "The mirror")."""

from __future__ import annotations

from pathlib import PurePath, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.errors import ToolArgumentsError
from pybridge.mirror.remote_paths import is_below, join_remote, normalize_remote

pytestmark = pytest.mark.unit

POSIX_ANCHOR = PurePosixPath("/home/me/.opencode/remote-sessions/h_app")
WINDOWS_ANCHOR = PureWindowsPath(r"C:\Users\Me\.opencode\remote-sessions\h_app")


@pytest.mark.parametrize(
    ("path", "remote"),
    [
        ("", "/srv/app"),
        (".", "/srv/app"),
        ("a", "/srv/app/a"),
        ("./a/../b//c/", "/srv/app/b/c"),
        ("../other", "/srv/other"),
        ("../../../../etc", "/etc"),
        ("/etc/hosts", "/etc/hosts"),
        ("//etc///hosts", "/etc/hosts"),
        ("/", "/"),
        ("/..", "/"),
        ("~", "/home/deploy"),
        ("~/", "/home/deploy"),
        ("~/x/../y", "/home/deploy/y"),
        ("~//etc", "/home/deploy/etc"),
        ("./~/x", "/srv/app/~/x"),
        ("~other/x", "/srv/app/~other/x"),
        ("a b\n'$(x)", "/srv/app/a b\n'$(x)"),
        ("caf\udce9", "/srv/app/caf\udce9"),
        ("a\\b", "/srv/app/a\\b"),
        ("...", "/srv/app/..."),
    ],
)
def test_examples(path: str, remote: str) -> None:
    assert normalize_remote(path, "/srv/app", "/home/deploy") == remote


@pytest.mark.parametrize(
    ("anchor", "path", "remote"),
    [
        (POSIX_ANCHOR, f"{POSIX_ANCHOR}/src/a.py", "/srv/app/src/a.py"),
        (POSIX_ANCHOR, f"{POSIX_ANCHOR}", "/srv/app"),
        (POSIX_ANCHOR, f"{POSIX_ANCHOR}//src/../b/", "/srv/app/b"),
        (POSIX_ANCHOR, f"{POSIX_ANCHOR}/../x", "/home/me/.opencode/remote-sessions/x"),
        (POSIX_ANCHOR, f"{POSIX_ANCHOR}-other/x", f"{POSIX_ANCHOR}-other/x"),
        (WINDOWS_ANCHOR, r"C:\Users\Me\.opencode\remote-sessions\h_app\src\a.py", "/srv/app/src/a.py"),
        (WINDOWS_ANCHOR, "c:/users/me/.opencode/remote-sessions/h_app/src/A.py", "/srv/app/src/A.py"),
        (WINDOWS_ANCHOR, "/etc/hosts", "/etc/hosts"),
        (WINDOWS_ANCHOR, "src/a.py", "/srv/app/src/a.py"),
    ],
)
def test_a_path_under_the_anchor_means_the_same_path_under_the_workdir(
    anchor: PurePath, path: str, remote: str
) -> None:
    assert normalize_remote(path, "/srv/app", "/home/deploy", [PurePosixPath("/unused"), anchor]) == remote


def test_nul_is_refused() -> None:
    with pytest.raises(ToolArgumentsError, match="NUL"):
        normalize_remote("a\0b", "/srv", "/root")


@given(path=st.text(alphabet="ab./~ é\udcff"), workdir=st.sampled_from(["/", "/srv/app", "/srv//app/../x/"]))
def test_the_result_is_absolute_and_has_nothing_left_to_resolve(path: str, workdir: str) -> None:
    remote = normalize_remote(path, workdir, "/home/u")
    assert remote.startswith("/") and (remote == "/" or not remote.endswith("/"))
    assert not set(remote.split("/")[1:]) & {".", ".."} and "//" not in remote
    assert normalize_remote(remote, workdir, "/home/u") == remote == join_remote("/", remote)


def test_is_below() -> None:
    assert is_below("/a/b", "/a") and is_below("/a", "/a") and is_below("/a", "/")
    assert not is_below("/ab", "/a") and not is_below("/", "/a")
