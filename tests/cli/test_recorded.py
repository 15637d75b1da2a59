"""Finding recorded changes and showing them, without any remote."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import pytest

from pybridge.cli.change_text import describe, to_json
from pybridge.cli.recorded import Journals, Recorded
from pybridge.cli.times import ago, read_since
from pybridge.errors import ConfigurationError
from pybridge.mirror import journal, journal_records
from pybridge.mirror.journal import Journal
from pybridge.mirror.journal_entry import Entry, Image, Origin, State, Target
from pybridge.mirror.journal_records import all_records, journal_folder

pytestmark = pytest.mark.unit

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(journal_records, "state_folder", lambda: tmp_path)
    return journal_folder()


def record(root: Path, host: str, session: str, path: str, before: bytes | None = None, after: bytes = b"x\n") -> Entry:
    recorder = Journal(root, Target(f"slug-{host}", host, f"me@{host}", "/w"))
    entry = recorder.begin(Origin(session, "msg", "call", "write"), [Image(path, path, before, after)])
    recorder.records.mark(entry, State.MADE)
    recorder.close()
    return entry


def ids(changes: Sequence[Recorded]) -> list[str]:
    return [change.entry.id for change in changes]


def test_changes_are_found_by_session_time_and_path(root: Path) -> None:
    one = record(root, "a", "ses_one", "/w/a.txt").id
    two = record(root, "b", "ses_two", "/w/sub/b.txt").id
    three = record(root, "a", "ses_one", "/w/sub.txt").id
    journals = Journals(all_records(root))
    assert ids(journals.select()) == [one, two, three]
    assert ids(journals.select(session="ses_one")) == [one, three]
    assert ids(journals.select(session="ses_t")) == [two]
    assert ids(journals.select(session="ses_three")) == []
    with pytest.raises(ConfigurationError, match="ses_one, ses_two"):
        journals.select(session="ses_")
    for path in ("b.txt", "sub", "sub/", "./sub/b.txt", "/w/sub", "/w/sub/b.txt"):
        assert ids(journals.select(path=path)) == [two], path
    assert ids(journals.select(path="/")) == [one, two, three]
    assert ids(journals.select(path="xt")) == []
    assert ids(journals.select(since=journals.changes[1].entry.time)) == [two, three]
    assert ids(Journals(all_records(root), "slug-b").select()) == [two]
    assert ids(Journals(all_records(root), "slug-c").select()) == []


def test_an_id_may_be_shortened_until_it_is_anothers(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = iter(["aaaabbbb", "aaaacccc", "zzzzzzzz"])
    monkeypatch.setattr(journal, "new_id", lambda: next(given))
    entries = [record(root, host, "ses", "/w/f") for host in ("a", "b", "c")]
    journals = Journals(all_records(root), "slug-a")
    assert [journals.short(entry) for entry in entries] == ["aaaab", "aaaac", "zzzz"]
    assert journals.by_id("AAAAB").entry == journals.changes[0].entry
    assert journals.by_id("z").entry.target.host == "c"
    with pytest.raises(ConfigurationError, match="may be any of aaaab, aaaac"):
        journals.by_id("aaaa")
    for unknown in ("y", "", "zzzzzzzzz"):
        with pytest.raises(ConfigurationError, match="no change"):
            journals.by_id(unknown)


def test_a_damaged_record_is_named_and_the_others_are_found(root: Path) -> None:
    damaged, sound = record(root, "a", "ses", "/w/a"), record(root, "a", "ses", "/w/b")
    (records,) = all_records(root)
    (records.folder / damaged.key / "entry.json").write_text("{")
    journals = Journals(all_records(root))
    assert ids(journals.changes) == [sound.id]
    with pytest.raises(ConfigurationError, match=r"damaged.*\n.*" + damaged.key):
        journals.by_id(damaged.id)


def test_what_a_terminal_would_obey_is_shown_harmless(root: Path) -> None:
    record(root, "a", "ses", "/w/\x1b[2Jname", b"old\n", b"\x1b]0;title\x07one\r\n")
    (change,) = Journals(all_records(root)).changes
    shown = describe(change, change.entry.id, NOW, diff=True)
    assert "\x1b" not in shown and "\r" not in shown
    assert "+\\x1b]0;title\\x07one\\x0d\n" in shown
    assert to_json(change, diff=True)["files"][0]["diff"].endswith("-old\n+\x1b]0;title\x07one\r\n")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (None, b"", "--- /dev/null\n+++ /w/f\nempty\n"),
        (b"\0\1", b"text\n", "binary: 2 bytes, then 5 bytes"),
        (b"caf\xe9\n", b"caf\xe9s\n", "-caf\ufffd\n+caf\ufffds\n"),
        (b"a\xfe\n", b"a\xff\n", "the bytes differ, the text does not"),
        (b"1\n" * 300, b"2\n" * 300, "... 401 more lines"),
    ],
)
def test_every_kind_of_content_has_something_to_show(root: Path, before: bytes | None, after: bytes, said: str) -> None:
    record(root, "a", "ses", "/w/f", before, after)
    (change,) = Journals(all_records(root)).changes
    assert said in describe(change, "id", NOW, diff=True)


def test_a_lost_copy_is_said(root: Path) -> None:
    entry = record(root, "a", "ses", "/w/f", b"old")
    (records,) = all_records(root)
    (records.folder / entry.key / "before-0").write_bytes(b"new")
    (change,) = Journals(all_records(root)).changes
    assert "missing or damaged" in describe(change, "id", NOW, diff=True)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7200), ("1 d", 86400), ("1w", 604800), ("10M", 600)]
)
def test_times_ago_are_read(text: str, seconds: int) -> None:
    assert (NOW - read_since(text, NOW)).total_seconds() == seconds


def test_dates_and_times_are_read() -> None:
    assert read_since("2026-03-01T14:30Z", NOW) == datetime.datetime(2026, 3, 1, 14, 30, tzinfo=datetime.UTC)
    assert read_since("2026-03-01", NOW).astimezone().strftime("%F %T") == "2026-03-01 00:00:00"
    for wrong in ("yesterday", "", "10", "-3m", "10y"):
        with pytest.raises(ConfigurationError, match="is no time"):
            read_since(wrong, NOW)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (7199, "1 h ago"),
        (86400, "1 day ago"),
        (200000, "2 days ago"),
    ],
)
def test_times_are_said_in_one_unit(seconds: int, said: str) -> None:
    assert ago(NOW - datetime.timedelta(seconds=seconds), NOW) == said
