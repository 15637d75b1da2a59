"""Records of what a request may leave on the remote survive whatever kills their writer (law 2)."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pybridge import locations
from pybridge.errors import LocalStorageError
from pybridge.host.applying import Step
from pybridge.host.control_shell import ShellIdentity
from pybridge.host.model import ABSENT, Change, FileVersion
from pybridge.host.recovery import UnfinishedRequest, unfinished
from pybridge.mirror import temporaries
from pybridge.mirror.temporaries import TemporaryRecords

pytestmark = pytest.mark.unit

OWNER = ShellIdentity(4242, "123456", "boot-1")
OLD, NEW = FileVersion("sha256:aa", 1), FileVersion("sha256:bb", 2)


def request(name: str = "f") -> UnfinishedRequest:
    change = Change(f"/srv/{name}\udcff\n", OLD, b"xy")
    created = Change("/srv/new", ABSENT, b"xy")
    steps = [
        Step(change, f"/real/{name}", 0o644, "/real/.pybridge-1", "/tmp/.pybridge-1", NEW, 0o022),
        Step(created, "/srv/new", 0o644, "/srv/.pybridge-2", None, NEW, 0o022, top="/srv/made"),
    ]
    return unfinished(steps, OWNER)


def test_a_record_is_pending_for_every_process_until_it_is_done(tmp_path: Path) -> None:
    records = TemporaryRecords(tmp_path, "host-1")
    made = request()
    records.begin(made)
    assert TemporaryRecords(tmp_path, "host-1").pending() == [made]
    first, second = made.leftovers
    assert (first.path, first.target, made.owner) == ("/srv/f\udcff\n", "/real/f", OWNER)
    assert (first.temporaries, second.temporaries) == (("/real/.pybridge-1", "/tmp/.pybridge-1"), ("/srv/.pybridge-2",))
    assert (first.old_digest, first.new_digest, second.old_digest) == ("sha256:aa", "sha256:bb", "absent")
    assert (first.top, second.top) == ("", "/srv/made")
    TemporaryRecords(tmp_path, "host-1").done(made.key)
    records.done(made.key)
    assert records.pending() == []


def test_a_request_under_way_is_nobodys_business_until_it_is_given_up(tmp_path: Path) -> None:
    records = TemporaryRecords(tmp_path, "host-1")
    made = request()
    records.begin(made)
    assert records.abandoned() == []
    assert TemporaryRecords(tmp_path, "host-1").abandoned() == []
    theirs = TemporaryRecords(tmp_path, "host-1")
    other = request("other")
    theirs.begin(other)
    assert records.abandoned() == theirs.abandoned() == []  # nor where others have some under way
    theirs.done(other.key)
    records.abandon(made.key)
    assert records.abandoned() == [made]
    assert TemporaryRecords(tmp_path, "host-1").abandoned() == [made]  # whoever reaches the remote first
    assert records.is_pending(made.key)
    records.done(made.key)
    assert not records.is_pending(made.key)
    records.abandon(made.key)
    assert records.pending() == []  # what is done is not brought back


@pytest.mark.parametrize("refusal", [NotImplementedError(), OSError(errno.ENOLCK, "No locks available")])
def test_where_nothing_can_be_locked_only_a_dead_shells_request_is_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    def no_locks(*arguments: Any, **options: Any) -> None:
        raise refusal

    monkeypatch.setattr("filelock.FileLock.acquire", no_locks)
    records = TemporaryRecords(tmp_path, "host-1")
    records.begin(request())
    (found,) = TemporaryRecords(tmp_path, "host-1").abandoned()
    assert not found.fence
    assert records.abandoned() == []


def test_locks_of_makers_that_are_gone_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, alive = TemporaryRecords(tmp_path, "host-1"), TemporaryRecords(tmp_path, "host-1")
    for records in (gone, alive):
        made = request()
        records.begin(made)
        records.done(made.key)
    del gone, records
    assert alive.abandoned() == []
    assert len(list(tmp_path.rglob("maker-*.lock"))) == 2  # a young one may just be being taken
    monkeypatch.setattr(temporaries, "_UNUSED_SECONDS", -1.0)
    assert TemporaryRecords(tmp_path, "host-1").abandoned() == []
    assert len(list(tmp_path.rglob("maker-*.lock"))) == 1


def test_records_of_other_hosts_are_never_seen(tmp_path: Path) -> None:
    records = TemporaryRecords(tmp_path, "host-1")
    TemporaryRecords(tmp_path, "host-2").begin(request())
    TemporaryRecords(tmp_path, "HOST-1").begin(request())
    assert records.pending() == []


def test_without_a_record_there_is_an_error_so_nothing_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    records = TemporaryRecords(tmp_path / "file", "host-1")
    with pytest.raises(LocalStorageError):
        records.begin(request())
    assert records.pending() == []


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")
def test_records_are_private(tmp_path: Path) -> None:
    TemporaryRecords(tmp_path / "t", "host-1").begin(request())
    for path in (tmp_path / "t", *(tmp_path / "t").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"{}", b"\xff", b"[" * 99999, "format", "request", "host", "maker"]
)
def test_a_record_that_cannot_be_read_is_left_alone_and_hides_no_other(tmp_path: Path, damage: bytes | str) -> None:
    records = TemporaryRecords(tmp_path, "host-1")
    records.begin(request("damaged"))
    (file,) = tmp_path.rglob("*.json")
    if isinstance(damage, str):
        data: dict[str, Any] = json.loads(file.read_bytes())
        data |= {damage: {"format": 1, "request": {}, "host": "other", "maker": "../x"}[damage]}
        damage = json.dumps(data).encode()
    file.write_bytes(damage)
    good = request()
    records.begin(good)
    assert records.pending() == [good]
    assert file.read_bytes() == damage


class Killed(BaseException):
    """The process is dead from here on."""


@pytest.mark.parametrize("call", range(4))
def test_a_kill_before_any_disk_call_leaves_a_whole_record_or_none(tmp_path: Path, call: int) -> None:
    calls = 0

    def dying(real: Any) -> Any:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > call:
                raise Killed
            return real(*arguments, **options)

        return wrapped

    records = TemporaryRecords(tmp_path, "host-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locations.os, "fdopen", dying(os.fdopen))
        patch.setattr(Path, "replace", dying(Path.replace))
        with contextlib.suppress(Killed):
            records.begin(request())
    assert len(records.pending()) == (1 if call >= 2 else 0)


def test_a_killed_process_leaves_its_records(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from tests.mirror.test_temporaries import TemporaryRecords, request\n"
        "TemporaryRecords(Path(sys.argv[1]), 'host-1').begin(request())\n"
        "os.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))\n"
    )
    root = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", program, str(tmp_path), root], check=False, cwd=root)
    assert len(TemporaryRecords(tmp_path, "host-1").abandoned()) == 1
