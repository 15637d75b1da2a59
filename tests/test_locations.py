"""Locations: which folder belongs to which target (D5, D9), and files that are private and never half written."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge import locations
from pybridge.errors import LocalStorageError

pytestmark = pytest.mark.unit

posix_only = pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_d5_the_session_folder_is_readable_and_below_home(home: Path) -> None:
    folder = locations.session_folder("deploy-web1.example-22-ab12", "/srv/My App")
    assert folder.parent == home / ".opencode" / "remote-sessions"
    assert re.fullmatch(r"deploy-web1\.example-22-ab12_srv-my-app-[0-9a-f]{10}", folder.name)


@pytest.mark.parametrize(
    "same",
    [("/srv/app", "/srv/app/", "/srv//app", "/srv/./app"), ("~", "~/", "."), ("~/x", "x", "x/", "./x")],
)
def test_d5_the_same_target_has_the_same_folder(home: Path, same: tuple[str, ...]) -> None:
    assert len({locations.session_folder("h", workdir) for workdir in same}) == 1


@given(st.lists(st.tuples(st.text("abAB-_ /.", max_size=6), st.text("abAB-_ .é漢", max_size=6)), min_size=2))
def test_d5_different_targets_never_share_a_folder(targets: list[tuple[str, str]]) -> None:
    targets = [(slug, "/" + "".join(c for c in workdir if c != ".")) for slug, workdir in targets]
    names = {locations.session_folder(slug, workdir).name.casefold() for slug, workdir in targets}
    assert len(names) == len(set(targets))


def test_d5_dot_dot_and_tilde_names_are_other_folders(home: Path) -> None:
    spellings = ["/srv/a/../b", "/srv/b", "/srv/a", "~", "./~", "~root"]
    assert len({locations.session_folder("h", workdir) for workdir in spellings}) == len(spellings)


def test_d9_the_mirror_folder(home: Path) -> None:
    folder = locations.mirror_folder("deploy-web1-22-ab12", "/srv/App")
    assert folder.parent == home / ".opencode" / "mirrors" / "deploy-web1-22-ab12"
    assert re.fullmatch(r"srv-app-[0-9a-f]{10}", folder.name)
    assert folder != locations.mirror_folder("deploy-web1-22-ab12", "/srv/app")


@given(st.text(max_size=200))
def test_a_slug_is_a_name_every_file_system_takes(text: str) -> None:
    name = locations.slug(text)
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*-[0-9a-f]{10}", name) and len(name) <= 53


@pytest.mark.parametrize("text", ["con", "NUL.txt", "com1", "..", "", "/", "\udcff", "CON.x/"])
def test_a_slug_is_no_reserved_name(text: str) -> None:
    name = locations.slug(text)
    assert not re.match(r"(con|nul|com1)(\.|$)", name) and not name.startswith((".", "-"))


def test_a_host_slug_that_is_no_folder_name_is_made_one(home: Path) -> None:
    for bad in ("../../etc", "a/b", "UPPER", "con", "x" * 200, ""):
        folder = locations.mirror_folder(bad, "/w")
        assert folder.parent.parent == home / ".opencode" / "mirrors"
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", folder.parent.name)


def test_home_is_looked_up_at_each_call(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = locations.session_folder("h", "/w")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home / "other"))
    assert locations.session_folder("h", "/w") != before


def test_platform_folders_are_apart(home: Path) -> None:
    folders = [locations.log_folder(), locations.state_folder(), locations.data_folder()]
    assert len(set(folders)) == 3 and all("pybridge" in str(folder) for folder in folders)


@posix_only
def test_private_folder_and_its_new_parents_are_0700(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    folder = locations.private_folder(tmp_path / "a" / "b")
    assert (mode(folder), mode(folder.parent), mode(tmp_path)) == (0o700, 0o700, 0o755)
    folder.chmod(0o777)
    assert mode(locations.private_folder(folder)) == 0o700


def test_a_file_in_the_place_of_a_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    for path in (tmp_path / "f", tmp_path / "f" / "below"):
        with pytest.raises(LocalStorageError, match=re.escape(str(path))):
            locations.private_folder(path)


@posix_only
def test_written_files_are_0600_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        locations.write_private(tmp_path / "f", b"x")
    finally:
        os.umask(old)
    assert mode(tmp_path / "f") == 0o600


def test_a_write_that_fails_keeps_the_old_content_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "target").mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(LocalStorageError, match="target"):
        locations.write_private(folder / "target", b"new")
    assert [p.name for p in folder.iterdir()] == ["target"]
    with pytest.raises(LocalStorageError, match="missing"):
        locations.write_private(tmp_path / "missing" / "f", b"new")


def test_a_killed_writer_never_leaves_a_part(tmp_path: Path) -> None:
    target = tmp_path / "f"
    locations.write_private(target, b"0" * 200_000)
    program = (
        "import sys; from pathlib import Path; from pybridge.locations import write_private\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for c in b'123': write_private(Path(sys.argv[1]), bytes([c]) * 200_000, durable=False)\n"
    )
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", program, str(target)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        seen = {target.read_bytes()[:1] for _ in range(200)}
        writer.kill()
        writer.communicate()
        content = target.read_bytes()
        assert len(content) == 200_000 and len(set(content)) == 1 and seen <= {b"0", b"1", b"2", b"3"}


def test_only_old_leftovers_are_removed(tmp_path: Path) -> None:
    names = [".pybridge-old.tmp", ".pybridge-young.tmp", "old.tmp"]
    for name in names:
        (tmp_path / name).write_text("")
        if "old" in name:
            os.utime(tmp_path / name, (time.time() - 7200, time.time() - 7200))
    locations.remove_abandoned(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".pybridge-young.tmp", "old.tmp"]
