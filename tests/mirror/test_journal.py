"""The undo journal: what is in it survives kills, neighbours and damage, and what it drops is said."""

from __future__ import annotations

import datetime
import errno
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pybridge import locations
from pybridge.errors import LocalStorageError
from pybridge.host.model import ABSENT
from pybridge.mirror import journal as journal_module
from pybridge.mirror import journal_dropped
from pybridge.mirror.journal import Journal
from pybridge.mirror.journal_entry import Entry, Image, Origin, Side, State, Target, from_json, read_key, to_json
from pybridge.mirror.journal_records import JournalRecords
from pybridge.mirror.journal_trimming import trim
from tests.kit.figures import tell

pytestmark = pytest.mark.unit

TARGET = Target("host-slug", "me@host", "me@host -p 22", "/w")
ORIGIN = Origin("ses_1", "msg_1", "call_1", "edit")
MB = 1024 * 1024

posix = pytest.mark.skipif(os.name == "nt", reason="forks")


def image(path: str = "/w/f", before: bytes | None = b"old\r\n\xff", after: bytes | None = b"new\0") -> Image:
    return Image(path, path, before, after, 0o640)


def open_journal(root: Path, max_bytes: int = 256 * MB, slug: str = "host-slug") -> Journal:
    return Journal(root, replace(TARGET, slug=slug), max_bytes=max_bytes)


def record(journal: Journal, *images: Image, state: State = State.MADE) -> Entry:
    entry = journal.begin(ORIGIN, images or [image()])
    journal.records.mark(entry, state)
    journal.close()
    return entry


def names(journal: Journal, entry: Entry) -> list[str]:
    return sorted(file.name for file in (journal.records.folder / entry.key).iterdir())


def contents(records: JournalRecords, entry: Entry) -> list[tuple[bytes | None, bytes | None]]:
    sides = (Side.BEFORE, Side.AFTER)
    assert all(records.holds(entry, index, side) for index in range(len(entry.files)) for side in sides)
    return [
        (records.content(entry, index, sides[0]), records.content(entry, index, sides[1]))
        for index in range(len(entry.files))
    ]


def test_a_change_is_read_back_by_any_process_as_it_was_recorded(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    images = [image(), image("/w/caf\udce9", None, b""), image("/w/gone", b"\0" * 5000, None)]
    entry = journal.begin(ORIGIN, images)
    assert entry.state is State.PENDING
    (read,) = open_journal(tmp_path).records.entries()
    assert read == entry
    assert (read.target, read.origin) == (TARGET, ORIGIN)
    assert [(file.path, file.mode) for file in read.files] == [(each.path, 0o640) for each in images]
    assert (read.files[1].before, read.files[2].after) == (ABSENT, ABSENT)
    assert contents(journal.records, read) == [(each.before, each.after) for each in images]
    journal.records.mark(entry, State.MADE, "why not")
    (read,) = open_journal(tmp_path).records.entries()
    assert read.state is State.MADE
    assert read.trouble is not None and read.trouble.text == "why not"
    journal.records.mark(read, State.UNDONE)
    (read,) = open_journal(tmp_path).records.entries()
    assert (read.state, read.trouble) == (State.UNDONE, None)


def test_changes_come_in_the_order_in_which_they_were_recorded_even_when_the_clock_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path)
    now = record(journal).time

    class Stopped(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Stopped:
            return cls.fromtimestamp(now.timestamp(), tz)

    monkeypatch.setattr(journal_module.datetime, "datetime", Stopped)
    more = [record(journal).id for _ in range(20)]
    assert [entry.id for entry in journal.records.entries()][1:] == more


def test_a_prepared_change_counts_from_when_it_is_begun(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    images = [image(before=b"a" * 5000, after=b"b" * 5000)]
    prepared = journal.prepare(images)
    assert journal.records.entries() == []
    between = record(journal)
    entry = journal.begin(ORIGIN, images, prepared)
    assert [each.id for each in journal.records.entries()] == [between.id, entry.id]
    assert len(journal.records.keys()) == 2
    assert contents(journal.records, entry) == [(b"a" * 5000, b"b" * 5000)]
    # Its contents are found where they lie now.
    following = journal.begin(ORIGIN, [image(before=b"b" * 5000, after=b"c" * 5000)])
    both = [journal.records.folder / each.key / name for each, name in ((entry, "after-0"), (following, "before-0"))]
    assert os.name == "nt" or both[0].stat().st_ino == both[1].stat().st_ino


def test_what_was_prepared_and_is_gone_is_recorded_anew(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    prepared = journal.prepare([image()])
    journal.discard(prepared)
    assert journal.records.keys() == []
    entry = journal.begin(ORIGIN, [image()], prepared)
    assert contents(journal.records, entry) == [(image().before, image().after)]


@pytest.mark.parametrize("prepared", [True, False])
def test_a_mark_is_made_whether_or_not_it_has_been_prepared(tmp_path: Path, prepared: bool) -> None:
    journal = open_journal(tmp_path)
    entry = journal.begin(ORIGIN, [image()])
    marking = journal.records.marking(entry, State.MADE)
    if prepared:
        marking.prepare()
    (still,) = journal.records.entries()
    assert still.state is State.PENDING
    marking.mark()
    marking.prepare()  # too late
    (made,) = journal.records.entries()
    assert made.state is State.MADE
    assert sorted(file.name for file in (journal.records.folder / entry.key).iterdir()) == [
        "after-0",
        "before-0",
        "entry.json",
    ]


def test_nothing_is_left_of_a_mark_that_was_not_made(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    entry = journal.begin(ORIGIN, [image()])
    marking = journal.records.marking(entry, State.MADE)
    marking.prepare()
    marking.drop()
    assert [each.state for each in journal.records.entries()] == [State.PENDING]
    assert sorted(file.name for file in (journal.records.folder / entry.key).iterdir()) == [
        "after-0",
        "before-0",
        "entry.json",
    ]


def test_a_mark_that_cannot_be_prepared_is_made_as_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = open_journal(tmp_path)
    entry = journal.begin(ORIGIN, [image()])
    marking = journal.records.marking(entry, State.MADE)

    def full_disk(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(locations.os, "open", full_disk)
        marking.prepare()
    marking.mark()
    assert [each.state for each in journal.records.entries()] == [State.MADE]


def test_a_mark_of_a_change_that_was_dropped_makes_nothing(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    entry = journal.begin(ORIGIN, [image()])
    marking = journal.records.marking(entry, State.MADE)
    marking.prepare()
    (journal.records.folder / entry.key / "entry.json").unlink()
    marking.mark()
    assert journal.records.entries() == []


def test_changes_are_chosen_by_session_and_message(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for session, message in (("a", "1"), ("a", "2"), ("b", "1")):
        journal.begin(Origin(session, message, "c", "write"), [image()])
    records = journal.records
    assert [entry.message_id for entry in records.entries(session_id="a")] == ["1", "2"]
    assert [entry.session_id for entry in records.entries(message_id="1")] == ["a", "b"]
    assert len(records.entries(session_id="a", message_id="2")) == 1


@pytest.mark.skipif(os.name == "nt", reason="modes as on POSIX")
def test_only_this_user_can_look_at_it(tmp_path: Path) -> None:
    record(open_journal(tmp_path / "journal", max_bytes=1))
    for place, _, names in os.walk(tmp_path / "journal"):
        assert Path(place).stat().st_mode & 0o777 == 0o700
        assert all(Path(place, name).stat().st_mode & 0o777 == 0o600 for name in names)


def test_a_content_after_one_change_and_before_the_next_is_kept_once(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    one, two, three = (bytes([number]) * 50_000 for number in range(3))
    for before, after in ((one, two), (two, three), (three, two)):
        record(journal, image(before=before, after=after))
    nodes = {file.stat().st_ino for file in tmp_path.rglob("*-0")}
    assert len(nodes) == 3
    entries = journal.records.entries()
    assert [contents(journal.records, entry)[0] for entry in entries] == [(one, two), (two, three), (three, two)]


def test_without_hard_links_every_change_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(os, "link", refuse)
    journal = open_journal(tmp_path)
    for _ in range(2):
        assert contents(journal.records, record(journal, image(after=b"x" * 5000))) == [(b"old\r\n\xff", b"x" * 5000)]


@posix
def test_a_kill_between_any_two_file_operations_loses_nothing_recorded(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The request goes out once `begin` has returned: until then there may be a whole pending change, or none."""
    journal = open_journal(tmp_path)
    kept = record(journal, image(after=b"x" * 5000))
    images = [image(before=b"x" * 5000), image("/w/new", None, b"made")]

    def work() -> None:
        fresh = open_journal(tmp_path)
        fresh.close()
        fresh._trimming._unmeasured = 0
        entry = fresh.begin(ORIGIN, images)
        os.write(told[1], b"begun")
        fresh.records.mark(entry, State.MADE)

    states = []
    for after in range(1, 200):
        told = os.pipe()
        killed = killed_after(after, tmp_path, work)
        os.close(told[1])
        begun = os.read(told[0], 10) == b"begun"
        os.close(told[0])
        known = {entry.id for entry in journal.records.entries()}
        assert kept.id in known
        (new,) = [entry for entry in journal.records.entries() if entry.id != kept.id] or [None]
        assert new is not None or not begun
        assert journal.records.unreadable() == []
        if new is not None:
            assert contents(journal.records, new) == [(each.before, each.after) for each in images]
            states.append(new.state)
            for file in (tmp_path / journal.records.folder.name / new.key).iterdir():
                file.unlink()
        if not killed:
            break
    else:
        pytest.fail("it never came to its end")
    assert {State.PENDING, State.MADE} == set(states)
    tell(request, "undo journal", "kills while a change is recorded", after - 1, 0)


@posix
def test_a_kill_between_any_two_file_operations_of_a_trimming_loses_no_account(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for after in range(1, 400):
        root = tmp_path / str(after)
        journal = open_journal(root)
        ids = [record(journal, image(before=bytes([number]) * 20_000)).id for number in range(6)]
        killed = killed_after(after, root, lambda root=root: trim(root, 100_000))
        assert account(journal.records) == ids
        trim(root, 100_000)
        assert account(journal.records) == ids
        assert 0 < journal.records.dropped().count < 6
        if not killed:
            break
    else:
        pytest.fail("it never came to its end")
    assert after > 5
    tell(request, "undo journal", "kills while old changes are dropped", after - 1, 0)


def account(records: JournalRecords) -> list[str]:
    """Ids of all changes that are there or said to be dropped, oldest first; none is both, none of them damaged."""
    there = records.entries()
    for entry in there:
        contents(records, entry)
    dropped = records.dropped()
    assert dropped.count == len(dropped.changes)
    both = [(change.key, change.id) for change in dropped.changes] + [(entry.key, entry.id) for entry in there]
    return [id for _, id in sorted(both)]


def killed_after(operations: int, folder: Path, work: Callable[[], object]) -> bool:
    """Whether a process that does `work` was killed before that many operations on files in `folder`."""
    pid = os.fork()
    if pid == 0:
        left = operations

        def hook(event: str, args: tuple[object, ...]) -> None:
            nonlocal left
            changing = event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.chmod") or (
                event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
            )
            if changing and any(str(folder) in str(arg) for arg in args):
                left -= 1
                if left == 0:
                    os._exit(9)

        sys.addaudithook(hook)
        try:
            work()
        except BaseException:
            os._exit(3)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, 9)
    return status == 9


def _record_many(root: Path, slug: str, number: int) -> None:
    journal = open_journal(root, max_bytes=600_000, slug=slug)
    for turn in range(number):
        record(journal, image(f"/w/{turn}", before=os.urandom(3000), after=os.urandom(3000)))


def test_processes_record_and_drop_side_by_side(tmp_path: Path) -> None:
    number, processes = 40, 4
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_record_many, args=(tmp_path, f"slug-{index % 2}", number)) for index in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(100)
        assert worker.exitcode == 0
    journals = [open_journal(tmp_path, slug=f"slug-{index}").records for index in range(2)]
    trim(tmp_path, 600_000)
    accounts = [account(records) for records in journals]
    assert [len(ids) for ids in accounts] == [number * 2, number * 2]
    assert 0 < sum(records.dropped().count for records in journals) < number * processes


def test_the_oldest_of_all_hosts_go_first_and_are_said_to_be_gone(tmp_path: Path) -> None:
    one, two = open_journal(tmp_path, slug="one"), open_journal(tmp_path, slug="two")
    order = [record(journal, image(before=os.urandom(MB), after=b"")) for journal in (one, two, one, two, two)]
    assert trim(tmp_path, 10 * MB) == 0
    assert trim(tmp_path, 4 * MB) == 2
    assert [entry.id for entry in one.records.entries()] == [order[2].id]
    assert [entry.id for entry in two.records.entries()] == [order[3].id, order[4].id]
    gone = one.records.dropped()
    assert (gone.count, gone.first, gone.last) == (1, order[0].time, order[0].time)
    (change,) = gone.changes
    assert (change.id, change.session_id, change.message_id) == (order[0].id, "ses_1", "msg_1")
    assert not (one.records.folder / order[0].key).exists()
    trim(tmp_path, 0)
    assert (one.records.entries(), [entry.id for entry in two.records.entries()]) == ([], [order[4].id])
    gone = one.records.dropped()
    assert (gone.count, gone.first, gone.last) == (2, order[0].time, order[2].time)


def test_a_shared_content_takes_its_space_once_and_stays_while_one_change_has_it(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    stages = [os.urandom(MB) for _ in range(4)]
    made = [record(journal, image(before=a, after=b)) for a, b in itertools.pairwise(stages)]
    assert trim(tmp_path, 5 * MB) == 0
    assert trim(tmp_path, int(3.5 * MB)) == 1
    assert account(journal.records) == [entry.id for entry in made]


def test_a_journal_keeps_its_size_by_itself(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, max_bytes=MB)
    for _ in range(20):
        record(journal, image(before=os.urandom(100_000), after=b""))
    taken = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert taken <= MB * 9 // 8
    assert journal.records.dropped().count > 5
    assert len(account(journal.records)) == 20


def test_dropped_changes_beyond_those_known_one_by_one_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_dropped, "REMEMBERED", 3)
    journal = open_journal(tmp_path)
    first = record(journal)
    for _ in range(4):
        record(journal)
        record(journal)
        trim(tmp_path, 0)
    gone = journal.records.dropped()
    assert (gone.count, len(gone.changes), gone.first) == (8, 3, first.time)


def test_what_cannot_be_noted_as_dropped_is_not_dropped(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    record(journal)
    record(journal)
    (journal.records.folder / journal_dropped.DROPPED).mkdir()
    with pytest.raises(LocalStorageError):
        trim(tmp_path, 0)
    journal.trim()  # only logged
    assert len(journal.records.entries()) == 2


def test_the_remains_of_killed_processes_go_and_those_at_work_stay(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    record(journal)
    old, young = (journal.records.folder / f"20260101T000000000000-{name * 8}" for name in "ab")
    for folder in (old, young):
        folder.mkdir()
        (folder / "before-0").write_bytes(b"x")
    os.utime(old, (1, 1))
    trim(tmp_path, MB)
    assert (old.exists(), young.exists()) == (False, True)
    assert len(journal.records.entries()) == 1
    assert journal.records.unreadable() == []


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": lambda entry: entry.write_bytes(entry.read_bytes()[:100]),
    "empty": lambda entry: entry.write_bytes(b""),
    "no JSON of ours": lambda entry: entry.write_text("[1]"),
    "nested too deep": lambda entry: entry.write_text("[" * 100_000),
    "newer": lambda entry: entry.write_bytes(entry.read_bytes().replace(b'"format": 1', b'"format": 2')),
    "no files": lambda entry: entry.write_bytes(
        entry.read_bytes().partition(b'"files"')[0] + b'"files":[],"trouble":null}'
    ),
    "another's": lambda entry: entry.write_bytes(entry.read_bytes().replace(b'"id": "', b'"id": "0')),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_stays_with_one_change(tmp_path: Path, damage: str) -> None:
    journal = open_journal(tmp_path)
    entries = [record(journal) for _ in range(3)]
    folder = journal.records.folder / entries[1].key
    DAMAGES[damage](folder / "entry.json")
    assert [entry.id for entry in journal.records.entries()] == [entries[0].id, entries[2].id]
    assert journal.records.unreadable() == [folder]
    assert journal.records.get(entries[1].key) is None
    trim(tmp_path, 0)
    assert journal.records.dropped().count == 2


@pytest.mark.parametrize("content", [b"", b"other", None])
def test_a_content_that_is_not_what_was_recorded_is_never_given_out(tmp_path: Path, content: bytes | None) -> None:
    journal = open_journal(tmp_path)
    entry = record(journal)
    file = journal.records.folder / entry.key / "before-0"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert journal.records.content(entry, 0, Side.BEFORE) is None
    assert not journal.records.holds(entry, 0, Side.BEFORE)
    assert journal.records.holds(entry, 0, Side.AFTER)


def test_a_full_disk_refuses_the_change_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = open_journal(tmp_path)
    kept = record(journal)
    real, left = locations._replace, 2

    def full(source: Path, target: Path) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(locations, "_replace", full)
    with pytest.raises(
        LocalStorageError, match=r"(?s)so it was not made.*No space left.*PYBRIDGE_JOURNAL_MB=0"
    ) as told:
        journal.begin(ORIGIN, [image()])
    assert str(tmp_path) in str(told.value)
    assert [path.name for path in journal.records.folder.iterdir()] == [kept.key]
    journal.records.mark(kept, State.UNDONE)  # only logged
    assert [entry.state for entry in journal.records.entries()] == [State.MADE]


def test_a_change_that_was_dropped_is_not_brought_back_by_a_mark(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    entry = journal.begin(ORIGIN, [image()])
    journal.close()
    record(journal)
    trim(tmp_path, 0)
    journal.records.mark(entry, State.MADE)
    assert not (journal.records.folder / entry.key).exists()


def test_an_entry_of_the_same_bytes_is_the_same(tmp_path: Path) -> None:
    entry = record(open_journal(tmp_path))
    assert from_json(to_json(entry)) == entry
    assert read_key(entry.key) == (entry.time, entry.id)
    for wrong in ("", "x", ".lock", "20260101T000000000000-short", "20261301T000000000000-aaaabbbb", entry.key + "x"):
        assert read_key(wrong) is None
    assert time.time() - entry.time.timestamp() < 3600
