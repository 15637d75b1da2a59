"""What counts as known without a look: only what nothing of ours can have changed since."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pybridge.errors import FilePermissionError
from pybridge.host import known_files
from pybridge.host.known_files import KnownFiles
from pybridge.host.model import ABSENT, Fetched, FileKind, FileVersion, Stat

pytestmark = pytest.mark.unit

FILE = Fetched("/f", "/f", Stat(FileKind.FILE, 1, 0o644, 0.0, 1), FileVersion("sha256:0", 1), content=b"x")


@pytest.fixture
def known() -> KnownFiles:
    return KnownFiles(most=2)


def test_a_file_is_known_without_its_content(known: KnownFiles) -> None:
    known.remember(FILE, known.epoch)
    assert known.recall("/f") == replace(FILE, content=None)
    known.forget("/f")
    assert known.recall("/f") is None


@pytest.mark.parametrize(
    "other",
    [
        replace(FILE, stat=Stat(FileKind.DIRECTORY, 0, 0o755, 0.0, 2), version=None, content=None),
        replace(FILE, stat=None, version=ABSENT, content=None),
        replace(FILE, version=None, content=None),
        replace(FILE, version=None, content=None, error=FilePermissionError("no", path="/f")),
    ],
    ids=["a folder", "missing", "too large", "unreadable"],
)
def test_what_became_something_else_is_not_known_any_more(known: KnownFiles, other: Fetched) -> None:
    known.remember(FILE, known.epoch)
    known.remember(other, known.epoch)
    assert known.recall("/f") is None


def test_what_was_looked_at_while_anything_could_change_is_not_known(known: KnownFiles) -> None:
    before = known.epoch
    with known.changing():
        during = known.epoch
        known.remember(FILE, during)
        assert known.recall("/f") is None
    for looked_at in (before, during):
        known.remember(FILE, looked_at)
        assert known.recall("/f") is None
    known.remember(FILE, known.epoch)
    assert known.recall("/f") is not None


def test_two_commands_at_once(known: KnownFiles) -> None:
    with known.changing():
        with known.changing():
            pass
        known.remember(FILE, known.epoch)
        assert known.recall("/f") is None


def test_it_ends(known: KnownFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("pybridge.host.known_files.time.monotonic", lambda: now)
    known.remember(FILE, known.epoch)
    now += known_files.KNOWN_SECONDS - 1
    assert known.recall("/f") is not None
    now += 1
    assert known.recall("/f") is None


def test_it_is_bounded(known: KnownFiles) -> None:
    for name in ("/a", "/b", "/c"):
        known.remember(replace(FILE, path=name), known.epoch)
    assert [name for name in ("/a", "/b", "/c") if known.recall(name)] == ["/b", "/c"]
