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


def missing(name: str, *siblings: str, folder: str = "/w", nearest: str = "/w") -> Fetched:
    return Fetched(f"/link/{name}", f"{folder}/{name}", version=ABSENT, siblings=siblings, nearest=nearest)


def test_a_missing_file_tells_what_else_is_missing_in_its_folder(known: KnownFiles) -> None:
    known.remember(missing("a", "b", "é"), known.epoch)
    new = Fetched("/w/c", "/w/c", version=ABSENT, nearest="/w")
    assert (known.recall("/w/c"), known.recall("/w/a")) == (new, replace(new, path="/w/a", real="/w/a"))
    # What is there, what may lead elsewhere, and what nobody has looked at.
    assert all(
        known.recall(path) is None for path in ("/w/b", "/w/é", "/w/.", "/w/..", "/w/", "/link/c", "/w/c/d", "/c")
    )
    known.remember(replace(FILE, path="/w/c", real="/w/c"), known.epoch)
    known.forget("/w/c")
    assert known.recall("/w/c") is None
    known.forget_all()
    assert known.recall("/w/d") is None


@pytest.mark.parametrize(
    "other",
    [
        missing("x"),
        missing("x", *(f"{i}" for i in range(known_files.MOST_NAMES))),
        missing("x", "b", nearest="/"),
        replace(missing("x", "b"), error=FilePermissionError("no", path="/w/x")),
    ],
    ids=["no names", "too many names", "no folder", "not to be looked into"],
)
def test_of_a_folder_whose_names_are_not_known_nothing_is_missing(known: KnownFiles, other: Fetched) -> None:
    known.remember(other, known.epoch)
    assert known.recall("/w/y") is None
    known.remember(missing("a", "b"), known.epoch)
    known.remember(other, known.epoch)
    assert known.recall("/w/y") is None


def test_names_are_known_for_a_while_and_of_some_folders(known: KnownFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(70):
        known.remember(missing("a", "b", folder=f"/{number}", nearest=f"/{number}"), known.epoch)
    assert known.recall("/5/a") is None and known.recall("/6/a") is not None
    monkeypatch.setattr(known_files, "KNOWN_SECONDS", -1.0)
    known.remember(missing("a", "b"), known.epoch)
    assert known.recall("/w/a") is None
    with known.changing():
        known.remember(missing("a", "b"), known.epoch)
    assert known.recall("/w/a") is None


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
