"""Every change of every tool is in the journal before it is made, at no round trip more, with how it went."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from pybridge import locations
from pybridge.errors import (
    ChangeLeftError,
    ConnectionLostError,
    FileChangedError,
    FilePermissionError,
    LocalStorageError,
    OutcomeUnknownError,
    PermissionRejectedError,
    ProtocolError,
    RemoteTimeoutError,
)
from pybridge.host.settling import NothingWrittenError
from pybridge.mirror.journal_entry import Entry, Origin, Side, State
from tests.tools.kit import Call, Desk

pytestmark = pytest.mark.unit

PATCH = """*** Begin Patch
*** Add File: added
+added
*** Update File: moved
*** Move to: sub/moved
@@
-one
+two
*** Delete File: gone
*** End Patch"""

CALLS: dict[str, dict[str, str]] = {
    "edit": {"filePath": "edited", "oldString": "one", "newString": "two"},
    "write": {"filePath": "written", "content": "two\n"},
    "apply_patch": {"patchText": PATCH},
}
RECORDED = {
    "edit": {"/w/edited": (b"one\n", b"two\n")},
    "write": {"/w/written": (b"one\n", b"two\n")},
    "apply_patch": {
        "/w/added": (None, b"added\n"),
        "/w/moved": (b"one\n", None),
        "/w/sub/moved": (None, b"two\n"),
        "/w/gone": (b"one\n", None),
    },
}


def entries(desk: Desk) -> list[Entry]:
    assert desk.session.journal is not None
    return desk.session.journal.records.entries()


def recorded(desk: Desk, entry: Entry) -> dict[str, tuple[bytes | None, bytes | None]]:
    assert desk.session.journal is not None
    records = desk.session.journal.records
    return {
        file.path: (records.content(entry, index, Side.BEFORE), records.content(entry, index, Side.AFTER))
        for index, file in enumerate(entry.files)
    }


@pytest.fixture
def full(desk: Desk) -> Desk:
    desk.host.contents |= {f"/w/{name}": b"one\n" for name in ("edited", "written", "moved", "gone")}
    return desk


@pytest.mark.parametrize("tool", CALLS)
async def test_a_change_is_recorded_before_it_is_made_in_no_more_round_trips(full: Desk, tool: str) -> None:
    seen: list[Entry] = []
    full.host.before_apply = lambda: seen.extend(entries(full))
    await full(tool, Call("ses_7", message_id="msg_7", call_id="call_7"), **CALLS[tool])
    (pending,) = seen
    assert pending.state is State.PENDING
    assert recorded(full, pending) == RECORDED[tool]
    (made,) = entries(full)
    assert made.state is State.MADE
    assert made.origin == Origin("ses_7", "msg_7", "call_7", tool)
    assert (len(full.host.fetches), len(full.host.applies)) == (1, 1)


ENDINGS: list[tuple[BaseException, State]] = [
    (FilePermissionError("no", path="/w/f"), State.NOT_MADE),
    (NothingWrittenError("no"), State.NOT_MADE),
    (OutcomeUnknownError("who knows", path="/w/f"), State.UNKNOWN),
    (ChangeLeftError("torn", path="/w/f"), State.UNKNOWN),
    (ConnectionLostError("gone"), State.UNKNOWN),
    (RemoteTimeoutError("slow"), State.UNKNOWN),
    (ProtocolError("noise"), State.UNKNOWN),
    (asyncio.CancelledError(), State.UNKNOWN),
]


@pytest.mark.parametrize(("error", "state"), ENDINGS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("tool", CALLS)
async def test_how_a_failed_change_ended_is_noted(full: Desk, tool: str, error: BaseException, state: State) -> None:
    def fail() -> None:
        raise error

    full.host.before_apply = fail
    with pytest.raises(type(error)):
        await full(tool, **CALLS[tool])
    assert [entry.state for entry in entries(full)] == [state]


async def test_an_edit_that_was_computed_again_is_recorded_with_what_it_was_made_from(full: Desk) -> None:
    def interfere() -> None:
        full.host.before_apply = lambda: None
        full.host.contents["/w/edited"] = b"zero\none\n"

    full.host.before_apply = interfere
    await full("edit", **CALLS["edit"])
    first, second = entries(full)
    assert (first.state, second.state) == (State.NOT_MADE, State.MADE)
    assert recorded(full, second) == {"/w/edited": (b"zero\none\n", b"zero\ntwo\n")}


async def test_a_patch_that_was_computed_again_is_recorded_with_what_it_was_made_from(full: Desk) -> None:
    def interfere() -> None:
        full.host.before_apply = lambda: None
        full.host.contents["/w/moved"] = b"one\nmore\n"

    full.host.before_apply = interfere
    await full("apply_patch", **CALLS["apply_patch"])
    first, second = entries(full)
    assert (first.state, second.state) == (State.NOT_MADE, State.MADE)
    assert recorded(full, second)["/w/sub/moved"] == (None, b"two\nmore\n")
    assert recorded(full, second)["/w/moved"] == (b"one\nmore\n", None)


async def test_a_refused_write_is_noted_as_not_made(full: Desk) -> None:
    def interfere() -> None:
        full.host.contents["/w/written"] = b"somebody's\n"

    full.host.before_apply = interfere
    with pytest.raises(FileChangedError):
        await full("write", **CALLS["write"])
    assert [entry.state for entry in entries(full)] == [State.NOT_MADE]


@pytest.mark.parametrize("tool", CALLS)
async def test_what_cannot_be_recorded_is_not_made(full: Desk, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = dict(full.host.contents)
    monkeypatch.setattr(locations, "_replace", full_disk)
    with pytest.raises(LocalStorageError, match="could not be recorded for undo, so it was not made"):
        await full(tool, **CALLS[tool])
    assert (full.host.contents, full.host.applies) == (before, [])
    monkeypatch.undo()
    assert entries(full) == []


async def test_a_change_that_changes_nothing_is_not_recorded(full: Desk) -> None:
    await full("write", filePath="written", content="one\n")
    assert entries(full) == []
    assert len(full.host.applies) == 1


async def test_what_is_only_read_or_refused_is_not_recorded(full: Desk) -> None:
    await full("read", filePath="edited")
    with pytest.raises(Exception, match="rejected"):
        await full("write", Call(refuse=frozenset({"edit"})), **CALLS["write"])
    assert entries(full) == []


def folders(desk: Desk) -> list[list[str]]:
    """What lies in each folder of the journal."""
    assert desk.session.journal is not None
    records = desk.session.journal.records
    keys = records.keys()
    return [sorted(file.name for file in (records.folder / key).iterdir()) for key in keys]


async def test_large_contents_are_recorded_while_it_is_asked_and_the_change_only_then(full: Desk) -> None:
    full.host.contents["/w/edited"] = b"one\n" + b"more\n" * 10_000
    seen: list[list[str]] = []

    async def ask(*_: object) -> None:
        async with asyncio.timeout(10):
            while not any("after-0" in names for names in folders(full)):
                await asyncio.sleep(0.01)
        seen.extend(folders(full))
        assert entries(full) == []

    call = Call()
    call.ask = ask  # type: ignore[method-assign]
    await full("edit", call, **CALLS["edit"])
    assert seen == [["after-0", "before-0"]]
    (made,) = entries(full)
    assert made.state is State.MADE
    assert recorded(full, made)["/w/edited"][1] == b"two\n" + b"more\n" * 10_000
    assert folders(full) == [["after-0", "before-0", "entry.json"]]


@pytest.mark.parametrize("error", [PermissionRejectedError("no"), asyncio.CancelledError()], ids=["refused", "aborted"])
async def test_nothing_is_left_of_what_was_recorded_for_a_change_that_may_not_be_made(
    full: Desk, error: BaseException
) -> None:
    def fail(_: object) -> None:
        raise error

    with pytest.raises(type(error)):
        await full("apply_patch", Call(on_ask=fail), **CALLS["apply_patch"])
    async with asyncio.timeout(10):
        while folders(full):
            await asyncio.sleep(0.01)
    assert full.host.applies == []


async def test_without_a_journal_changes_are_made_all_the_same(full: Desk, tmp_path: Path) -> None:
    full.session.journal = None
    await full("edit", **CALLS["edit"])
    assert full.host.contents["/w/edited"] == b"two\n"
    assert not (tmp_path / "journal").exists()
