"""The spool of long outputs: bounded, private, and served only when it really is ours (law 9)."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pybridge.mirror.spool import Spool, SpoolFile

pytestmark = pytest.mark.unit


def keep(spool: Spool, content: bytes, age: float = 0.0) -> Path:
    with spool.open() as file:
        file.append(content)
    assert file.path is not None
    os.utime(file.path, (time.time() - age, time.time() - age))
    return file.path


def test_what_is_appended_is_in_the_file(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool").open() as file:
        file.append(b"one\n")
        file.append(b"\xff\0two")
        assert file.path is not None and file.path.read_bytes() == b"one\n\xff\0two"
    assert not file.open and file.size == 9 and not file.cut
    file.append(b"too late")
    assert file.path.read_bytes() == b"one\n\xff\0two"


def test_a_too_long_output_is_cut_with_one_note(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool", max_file=10).open() as file:
        for _ in range(5):
            file.append(b"123456")
    assert file.path is not None and file.cut
    content = file.path.read_bytes()
    assert content.startswith(b"1234561234\n[pybridge: output cut here") and content.count(b"pybridge") == 1


def test_an_output_of_exactly_the_limit_is_whole(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool", max_file=6).open() as file:
        file.append(b"123456")
    assert file.path is not None and file.path.read_bytes() == b"123456" and not file.cut


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")
def test_files_are_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        path = keep(Spool(tmp_path / "spool"), b"x")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_old_outputs_go(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_age=3600)
    old, young = keep(spool, b"x", age=3700), keep(spool, b"x", age=3500)
    spool.close()
    Spool(tmp_path / "spool", max_age=3600).empty()
    assert not old.exists() and young.exists()
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [young.name]


def test_a_process_at_work_keeps_its_old_outputs_whoever_empties(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_age=3600, max_file=100, max_total=350)
    other = Spool(tmp_path / "spool", max_age=3600, max_file=100, max_total=350)
    old = keep(spool, b"x" * 100, age=3700)
    keep(other, b"y")
    spool.empty()
    assert old.exists()
    paths = [keep(other, b"y" * 100) for _ in range(3)]  # but too much is too much, the oldest first
    assert not old.exists() and all(path.exists() for path in paths[1:])


CRASHING = """
import os, sys
from pathlib import Path
from pybridge.mirror.spool import Spool
spool = Spool(Path(sys.argv[1]), max_age=3600)
with spool.open() as file:
    file.append(b"x")
    os.utime(file.path, (1, 1))
    print(file.path, flush=True)
    sys.stdin.read()
    os._exit(9)
"""


def test_a_killed_process_keeps_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_age=3600)
    command = [sys.executable, "-c", CRASHING, str(tmp_path / "spool")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        path = Path(process.stdout.readline().strip())
        spool.empty()
        assert path.exists()
        process.kill()
        process.wait()
    spool.empty()
    assert list((tmp_path / "spool").iterdir()) == []


def test_the_oldest_go_while_they_take_too_much_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_file=100, max_total=350)
    paths = [keep(spool, b"x" * 100, age=1000 - number) for number in range(6)]
    assert [path.exists() for path in paths] == [False, False, False, True, True, True]
    with spool.open():
        assert [path.exists() for path in paths[3:]] == [False, True, True]


def test_an_output_being_written_stays(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_file=100, max_total=150)
    with spool.open() as busy:
        assert busy.path is not None
        os.utime(busy.path, (1, 1))
        busy.append(b"x" * 100)
        os.utime(busy.path, (1, 1))
        keep(spool, b"y" * 100)
        spool.empty()
        assert busy.path.exists()
    spool.empty()
    assert not busy.path.exists()


def test_files_of_others_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    os.utime(folder / "notes.txt", (1, 1))
    Spool(folder, max_age=1, max_total=0).empty()
    assert (folder / "notes.txt").exists()


def test_contains_only_existing_files_of_the_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    path = keep(spool, b"x")
    (tmp_path / "secret").write_text("x")
    (path.parent / "below").mkdir()
    (path.parent / "below" / "f").write_text("x")
    assert spool.contains(path) and spool.contains(str(path))
    assert spool.contains(f"{path.parent}/../spool/{path.name}")
    for other in (
        path.name,
        "",
        "/etc/passwd",
        str(path.parent),
        f"{path.parent}/none",
        f"{path.parent}/../secret",
        f"{path.parent}/below/f",
        f"{path}\0",
    ):
        assert not spool.contains(other), other
    path.unlink()
    assert not spool.contains(path)
    assert not Spool(tmp_path / "never made").contains(tmp_path / "never made" / "f")


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_in_the_spool_leads_nowhere(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    path = keep(spool, b"x")
    (tmp_path / "secret").write_text("x")
    (path.parent / "link").symlink_to(tmp_path / "secret")
    assert not spool.contains(path.parent / "link")


def test_a_spool_reached_through_a_link_still_knows_its_files(tmp_path: Path) -> None:
    path = keep(Spool(tmp_path / "spool"), b"x")
    try:
        (tmp_path / "alias").symlink_to(path.parent, target_is_directory=True)
    except OSError:
        pytest.skip("links need rights here")
    assert Spool(tmp_path / "alias").contains(path) and Spool(path.parent).contains(tmp_path / "alias" / path.name)


def test_a_folder_that_cannot_be_made_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Spool(tmp_path / "file" / "spool").open() as file:
        file.append(b"x")
    assert file.path is None and file.size == 0
    file.discard()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = SpoolFile(tmp_path / "f", 100)
    full = os.open("/dev/full", os.O_WRONLY)
    assert file._handle is not None
    os.dup2(full, file._handle)
    os.close(full)
    file.append(b"x")
    file.append(b"y")
    file.close()
    assert file.cut and file.size == 0


def test_discarding_removes_the_file(tmp_path: Path) -> None:
    file = Spool(tmp_path / "spool").open()
    path = file.path
    assert path is not None and path.exists()
    file.discard()
    assert not path.exists() and file.path is None
