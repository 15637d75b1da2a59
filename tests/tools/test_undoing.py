"""Undo and redo of what the tools changed, on real servers: every byte and mode comes back, and nobody's work goes."""

from __future__ import annotations

import datetime
import itertools
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pybridge.errors import FileChangedError, FilePermissionError, OutcomeUnknownError, ToolError
from pybridge.mirror.journal import Journal
from pybridge.mirror.journal_entry import Entry, Image, Origin, State, Target
from pybridge.tools.session import Session
from pybridge.tools.undoing import Outcome, Result, redo, undo
from tests.tools.conftest import Remote
from tests.tools.kit import Call, Desk

one_server = pytest.mark.parametrize("server", ["openssh"], indirect=True)


def journaled(session: Session) -> list[Entry]:
    assert session.journal is not None
    return session.journal.records.entries()


def results(outcomes: list[Outcome]) -> list[Result]:
    return [outcome.result for outcome in outcomes]


def tree(folder: Path) -> dict[str, tuple[bytes | str, int]]:
    """Every file and link below a folder, with its content or target, and its mode."""
    found: dict[str, tuple[bytes | str, int]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[path.name] = (str(path.readlink()), 0)
        elif path.is_file():
            found[str(path.relative_to(folder))] = (path.read_bytes(), path.stat().st_mode & 0o7777)
    return found


async def test_an_edit_a_write_and_a_patch_are_undone_and_redone_to_the_byte_and_the_mode(remote: Remote) -> None:
    folder = remote.folder
    (folder / "edited.txt").write_bytes(b"one\r\ntwo\r\n")
    (folder / "edited.txt").chmod(0o640)
    (folder / "latin.txt").write_bytes("caf\xe9 one\n".encode("latin-1"))
    (folder / "binary.bin").write_bytes(bytes(range(256)))
    (folder / "run.sh").write_bytes(b"#!/bin/sh\necho one\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "gone.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "gone.sh").chmod(0o700)
    (folder / "real.txt").write_bytes(b"behind a link\n")
    (folder / "link.txt").symlink_to("real.txt")
    before = tree(folder)
    await remote("edit", filePath="edited.txt", oldString="two", newString="zwei")
    await remote("edit", filePath="latin.txt", oldString="one", newString="two")
    await remote("write", filePath="binary.bin", content="text now\n")
    await remote("write", filePath="sub/new.txt", content="new\n")
    await remote("write", filePath="link.txt", content="changed behind a link\n")
    patch = """*** Begin Patch
*** Add File: added.txt
+added
*** Update File: run.sh
*** Move to: moved/run2.sh
@@
-echo one
+echo two
*** Delete File: gone.sh
*** End Patch"""
    await remote("apply_patch", patchText=patch)
    after = tree(folder)
    assert after != before
    assert after["moved/run2.sh"][1] == 0o755
    outcomes = await undo(remote.session, journaled(remote.session))
    assert results(outcomes) == [Result.RESTORED] * 6, [o.text for o in outcomes]
    assert tree(folder) == before
    assert {entry.state for entry in journaled(remote.session)} == {State.UNDONE}
    assert results(await undo(remote.session, journaled(remote.session))) == [Result.ALREADY] * 6
    outcomes = await redo(remote.session, journaled(remote.session))
    assert results(outcomes) == [Result.RESTORED] * 6, [o.text for o in outcomes]
    assert tree(folder) == after
    assert results(await redo(remote.session, journaled(remote.session))) == [Result.ALREADY] * 6
    assert results(await undo(remote.session, journaled(remote.session))) == [Result.RESTORED] * 6
    assert tree(folder) == before


@one_server
async def test_law1_no_other_file_is_touched(remote: Remote) -> None:
    for name in ("mine.txt", "sub/other.txt", "sub/mine.txt"):
        (remote.folder / name).parent.mkdir(exist_ok=True)
        (remote.folder / name).write_text("one\n")
    others = [remote.folder / "sub/other.txt", remote.folder / ".git"]
    before = [(path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in others]
    for name in ("mine.txt", "sub/mine.txt"):
        await remote("edit", filePath=name, oldString="one", newString="two")
    await undo(remote.session, journaled(remote.session))
    await redo(remote.session, journaled(remote.session))
    assert (remote.folder / "sub/mine.txt").read_text() == "two\n"
    assert [(path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in others] == before
    assert sorted(path.name for path in remote.folder.iterdir()) == [".git", "mine.txt", "sub"]
    assert sorted(path.name for path in (remote.folder / "sub").iterdir()) == ["mine.txt", "other.txt"]


@one_server
async def test_law3_one_changed_file_keeps_the_whole_change_and_the_others_are_undone(remote: Remote) -> None:
    for name in ("a", "b", "c"):
        (remote.folder / name).write_text("one\nend\n")
    patch = "*** Begin Patch\n" + "".join(f"*** Update File: {n}\n@@\n-one\n+two\n" for n in "ab") + "*** End Patch"
    await remote("apply_patch", patchText=patch)
    await remote("edit", filePath="c", oldString="one", newString="two")
    (remote.folder / "b").write_text("two\nmine\n")
    undone, refused = await undo(remote.session, journaled(remote.session))
    assert results([undone, refused]) == [Result.RESTORED, Result.REFUSED]
    assert refused.text == f"Changed since: {remote.folder}/b. Nothing of it was undone."
    assert "-one\n+two\n end\n" in refused.details
    assert " two\n-end\n+mine\n" in refused.details
    assert [(remote.folder / name).read_text() for name in "abc"] == ["two\nend\n", "two\nmine\n", "one\nend\n"]
    kept, _ = journaled(remote.session)
    assert kept.state is State.MADE
    assert kept.trouble is not None and kept.trouble.text == refused.text


@one_server
async def test_where_later_changes_of_ours_are_what_differs_they_are_named(remote: Remote) -> None:
    (remote.folder / "a").write_text("one\n")
    for old, new in (("one", "two"), ("two", "three"), ("three", "four")):
        await remote("edit", filePath="a", oldString=old, newString=new)
    first, second, third = journaled(remote.session)
    (refused,) = await undo(remote.session, [first])
    assert refused.result is Result.REFUSED
    assert refused.first == (third.id, second.id)
    assert f"undo those first: {third.id} {second.id}" in refused.text
    assert refused.details == ""
    assert results(await undo(remote.session, [second, third])) == [Result.RESTORED] * 2
    assert (remote.folder / "a").read_text() == "two\n"
    (refused,) = await redo(remote.session, [third])
    assert (refused.result, refused.first) == (Result.REFUSED, (second.id,))
    assert "redo those first" in refused.text
    assert results(await undo(remote.session, [first])) == [Result.RESTORED]
    assert results(await redo(remote.session, [third, first, second])) == [Result.RESTORED] * 3
    assert (remote.folder / "a").read_text() == "four\n"


async def test_many_changes_of_one_file_go_back_step_by_step_or_at_once(remote: Remote) -> None:
    """Made, edited, removed, made again with another mode: together they come to what was there before."""
    script = remote.folder / "run.sh"
    script.write_text("one\n")
    script.chmod(0o755)
    await remote("edit", filePath="run.sh", oldString="one", newString="two")
    await remote("apply_patch", patchText="*** Begin Patch\n*** Delete File: run.sh\n*** End Patch")
    await remote("write", filePath="run.sh", content="three\n")
    script.chmod(0o600)
    await remote("write", filePath="new", content="1\n")
    await remote("edit", filePath="new", oldString="1", newString="2")
    after = tree(remote.folder)
    assert results(await undo(remote.session, journaled(remote.session))) == [Result.RESTORED] * 5
    assert tree(remote.folder) == {"run.sh": (b"one\n", 0o755)}
    assert results(await redo(remote.session, journaled(remote.session))) == [Result.RESTORED] * 5
    assert tree(remote.folder) == after


@one_server
async def test_a_removed_link_is_not_made_a_file(remote: Remote) -> None:
    (remote.folder / "real").write_text("one\n")
    (remote.folder / "link").symlink_to("real")
    await remote("apply_patch", patchText="*** Begin Patch\n*** Delete File: link\n*** End Patch")
    assert tree(remote.folder) == {"real": (b"one\n", 0o644)}
    (refused,) = await undo(remote.session, journaled(remote.session))
    assert refused.result is Result.REFUSED
    assert f"was a symbolic link to {remote.folder}/real" in refused.text
    assert tree(remote.folder) == {"real": (b"one\n", 0o644)}


@one_server
async def test_law3_a_link_that_leads_elsewhere_by_now_is_not_followed(remote: Remote) -> None:
    for name in ("one", "two"):
        (remote.folder / name).write_text("before\n")
    (remote.folder / "link").symlink_to("one")
    await remote("write", filePath="link", content="after\n")
    (remote.folder / "link").unlink()
    (remote.folder / "link").symlink_to("two")
    (remote.folder / "two").write_text("after\n")
    (refused,) = await undo(remote.session, journaled(remote.session))
    assert refused.result is Result.REFUSED
    assert "leads to" in refused.text
    assert (remote.folder / "two").read_text() == "after\n"


@one_server
async def test_what_stands_in_the_way_by_now_stays(remote: Remote) -> None:
    for name in ("folder", "fifo", "large", "gone", "sub/file"):
        (remote.folder / name).parent.mkdir(exist_ok=True)
        (remote.folder / name).write_text("one\n")
        await remote("edit", filePath=name, oldString="one", newString="two")
        (remote.folder / name).unlink()
    (remote.folder / "folder").mkdir()
    os.mkfifo(remote.folder / "fifo")
    with (remote.folder / "large").open("wb") as large:
        large.truncate(17 * 1024 * 1024)
    (remote.folder / "sub").rmdir()
    (remote.folder / "sub").write_text("a file now\n")
    outcomes = {Path(o.entry.files[0].path).name: o for o in await undo(remote.session, journaled(remote.session))}
    assert not any(outcome.well for outcome in outcomes.values())
    assert "is a folder now" in outcomes["folder"].details
    assert "FIFO" in outcomes["fifo"].details
    assert "17825792 bytes now" in outcomes["large"].details
    assert "+++ /dev/null\n@@ -1,1 +0,0 @@\n-two\n" in outcomes["gone"].details
    assert all(entry.trouble for entry in journaled(remote.session))
    assert (remote.folder / "sub").read_text() == "a file now\n"


@one_server
async def test_what_the_remote_does_not_take_is_said_and_the_others_are_undone(remote: Remote) -> None:
    (remote.folder / "sub").mkdir()
    (remote.folder / "sub/gone").write_text("one\n")
    (remote.folder / "a").write_text("one\n")
    await remote("apply_patch", patchText="*** Begin Patch\n*** Delete File: sub/gone\n*** End Patch")
    await remote("edit", filePath="a", oldString="one", newString="two")
    (remote.folder / "sub").rmdir()
    (remote.folder / "sub").symlink_to("nowhere")
    outcomes = await undo(remote.session, journaled(remote.session))
    assert outcomes[0].result is Result.RESTORED
    assert not outcomes[1].well
    assert (remote.folder / "a").read_text() == "one\n"
    assert journaled(remote.session)[0].trouble is not None


@one_server
async def test_the_session_that_made_a_change_goes_on_from_what_was_put_back(remote: Remote) -> None:
    """The model's conversation is back at that point, too; another session that read our change is told."""
    (remote.folder / "a").write_text("one\n")
    await remote("edit", filePath="a", oldString="one", newString="two")
    await remote("read", Call("ses_2"), filePath="a")
    await undo(remote.session, journaled(remote.session))
    with pytest.raises(FileChangedError):
        await remote("write", Call("ses_2"), filePath="a", content="three\n")
    await remote("write", filePath="a", content="three\n")
    assert (remote.folder / "a").read_text() == "three\n"


async def test_twenty_changes_are_undone_in_two_round_trips(desk: Desk) -> None:
    for number in range(20):
        desk.host.contents[f"/w/{number}"] = b"one\n"
        await desk("edit", filePath=f"{number}", oldString="one", newString="two")
    desk.host.fetches.clear()
    desk.host.applies.clear()
    assert results(await undo(desk.session, journaled(desk.session))) == [Result.RESTORED] * 20
    assert (len(desk.host.fetches), len(desk.host.applies)) == (1, 1)
    assert set(desk.host.contents.values()) == {b"one\n"}


def pending(desk: Desk, state: State, *, minutes: int = 0) -> Entry:
    assert desk.session.journal is not None
    journal = desk.session.journal
    journal._last_time = datetime.datetime.now(datetime.UTC)
    entry = journal.begin(Origin("ses_1", "msg_1", "call_1", "edit"), [Image("/w/f", "/w/f", b"one\n", b"two\n")])
    if minutes:
        old = replace(entry, time=entry.time - datetime.timedelta(minutes=minutes))
        (journal.records.folder / entry.key).rename(journal.records.folder / old.key)
        entry = old
    journal.records.mark(entry, state)
    return entry


@pytest.mark.parametrize("state", [State.PENDING, State.UNKNOWN])
@pytest.mark.parametrize("minutes", [0, 11])
async def test_whether_an_unfinished_change_was_made_is_told_by_the_file(
    desk: Desk, state: State, minutes: int
) -> None:
    made = pending(desk, state, minutes=minutes)
    desk.host.contents["/w/f"] = b"two\n"
    assert results(await undo(desk.session, [made])) == [Result.RESTORED]
    assert desk.host.contents["/w/f"] == b"one\n"
    not_made = pending(desk, state, minutes=minutes)
    assert results(await redo(desk.session, [not_made])) == [Result.ALREADY]
    assert results(await undo(desk.session, [not_made])) == [Result.NOT_MADE]
    assert desk.host.contents["/w/f"] == b"one\n"
    # A young one may be under way in another process, which will note how it went.
    (now,) = [entry for entry in journaled(desk.session) if entry.id == not_made.id]
    assert now.state is (State.NOT_MADE if minutes else state)
    other = pending(desk, state, minutes=minutes)
    desk.host.contents["/w/f"] = b"mine\n"
    assert results(await undo(desk.session, [other])) == [Result.REFUSED]
    assert desk.host.contents["/w/f"] == b"mine\n"


@pytest.mark.parametrize("again", [undo, redo])
async def test_several_changes_of_one_file_whose_undo_broke_off_are_all_accounted_for(
    desk: Desk, again: Callable[[Session, list[Entry]], Awaitable[list[Outcome]]]
) -> None:
    """Only the last of them can be told by the file."""
    stages = [b"0\n", b"1\n", b"2\n", b"3\n"]
    desk.host.contents["/w/f"] = stages[0]
    for old, new in itertools.pairwise(stages):
        await desk("edit", filePath="f", oldString=old.decode()[0], newString=new.decode()[0])
    back = again is undo

    def carried_out() -> None:
        desk.host.contents["/w/f"] = stages[0] if back else stages[3]
        raise KeyboardInterrupt

    if not back:
        await undo(desk.session, journaled(desk.session))
    desk.host.before_apply = carried_out
    with pytest.raises(KeyboardInterrupt):
        await again(desk.session, journaled(desk.session))
    desk.host.before_apply = lambda: None
    assert results(await again(desk.session, journaled(desk.session))) == [Result.ALREADY] * 3
    assert {entry.state for entry in journaled(desk.session)} == {State.UNDONE if back else State.MADE}
    assert not any(entry.trouble for entry in journaled(desk.session))
    assert desk.host.contents["/w/f"] == (stages[0] if back else stages[3])


async def test_a_change_refused_in_between_stays_refused(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"0\n"
    await desk("edit", filePath="f", oldString="0", newString="1")
    desk.host.contents["/w/f"] = b"mine 1\n"
    await desk("edit", filePath="f", oldString="1", newString="2")
    desk.host.contents["/w/f"] = b"0\n"
    assert results(await undo(desk.session, journaled(desk.session))) == [Result.REFUSED, Result.ALREADY]


async def test_a_change_noted_as_not_made_is_not_undone_by_chance(desk: Desk) -> None:
    entry = pending(desk, State.NOT_MADE)
    desk.host.contents["/w/f"] = b"two\n"
    assert results(await undo(desk.session, [entry])) == [Result.NOT_MADE]
    assert desk.host.contents["/w/f"] == b"two\n"


async def test_a_lost_copy_is_said_and_kept_in_mind(desk: Desk) -> None:
    entry = pending(desk, State.MADE)
    desk.host.contents["/w/f"] = b"two\n"
    assert desk.session.journal is not None
    (desk.session.journal.records.folder / entry.key / "before-0").write_bytes(b"torn")
    (outcome,) = await undo(desk.session, [entry])
    assert outcome.result is Result.MISSING
    assert outcome.entry.trouble is not None
    assert desk.host.contents["/w/f"] == b"two\n"


async def test_law3_a_change_of_another_host_is_never_put_here(desk: Desk, tmp_path: Path) -> None:
    elsewhere = Journal(tmp_path / "journal", Target("other-host", "other", "other", "/w"))
    entry = elsewhere.begin(Origin("ses_1", "m", "c", "edit"), [Image("/w/f", "/w/f", b"one\n", b"two\n")])
    desk.host.contents["/w/f"] = b"two\n"
    assert results(await undo(desk.session, [entry])) == [Result.MISSING]
    assert desk.host.contents["/w/f"] == b"two\n"


@pytest.mark.parametrize("number", [1, 3])
async def test_law3_a_change_made_while_we_undo_is_not_lost(desk: Desk, number: int) -> None:
    for index in range(number):
        desk.host.contents[f"/w/{index}"] = b"one\n"
        await desk("edit", filePath=f"{index}", oldString="one", newString="two")

    def interfere() -> None:
        desk.host.contents["/w/0"] = b"mine\n"

    desk.host.before_apply = interfere
    outcomes = await undo(desk.session, journaled(desk.session))
    assert results(outcomes) == [Result.RESTORED] * (number - 1) + [Result.REFUSED]
    assert "+mine\n" in outcomes[-1].details
    assert desk.host.contents == {"/w/0": b"mine\n"} | {f"/w/{index}": b"one\n" for index in range(1, number)}


async def test_what_broke_off_in_the_middle_is_found_out_by_the_next(desk: Desk) -> None:
    for index in range(2):
        desk.host.contents[f"/w/{index}"] = b"one\n"
        await desk("edit", filePath=f"{index}", oldString="one", newString="two")

    def lose() -> None:
        desk.host.contents["/w/1"] = b"one\n"
        raise OutcomeUnknownError("The link died.", path="/w/1")

    desk.host.before_apply = lose
    outcomes = await undo(desk.session, journaled(desk.session))
    assert results(outcomes) == [Result.ALREADY, Result.ERROR]
    assert [entry.state for entry in journaled(desk.session)] == [State.UNDOING, State.UNDONE]
    desk.host.before_apply = lambda: None
    assert results(await undo(desk.session, journaled(desk.session))) == [Result.ALREADY, Result.RESTORED]
    assert {entry.state for entry in journaled(desk.session)} == {State.UNDONE}


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("number", [1, 3])
async def test_an_undo_whose_process_was_killed_is_found_out_by_undo_and_by_redo(
    desk: Desk, done: bool, number: int
) -> None:
    for index in range(number):
        desk.host.contents[f"/w/{index}"] = b"one\n"
        await desk("edit", filePath=f"{index}", oldString="one", newString="two")

    def killed() -> None:
        if done:
            desk.host.contents |= {f"/w/{index}": b"one\n" for index in range(number)}
        raise KeyboardInterrupt

    for again, expected, content in (
        (undo, Result.ALREADY if done else Result.RESTORED, b"one\n"),
        (redo, Result.RESTORED if done else Result.ALREADY, b"two\n"),
    ):
        desk.host.before_apply = killed
        with pytest.raises(KeyboardInterrupt):
            await undo(desk.session, journaled(desk.session))
        assert {entry.state for entry in journaled(desk.session)} == {State.UNDOING}
        desk.host.before_apply = lambda: None
        assert results(await again(desk.session, journaled(desk.session))) == [expected] * number
        assert set(desk.host.contents.values()) == {content}
        await redo(desk.session, journaled(desk.session))


async def test_an_undo_that_certainly_failed_leaves_the_change_made(desk: Desk) -> None:
    for index in range(2):
        desk.host.contents[f"/w/{index}"] = b"one\n"
        await desk("edit", filePath=f"{index}", oldString="one", newString="two")

    def refuse() -> None:
        raise FilePermissionError("The remote user may not write there.", path="/w/0")

    desk.host.before_apply = refuse
    outcomes = await undo(desk.session, journaled(desk.session))
    assert results(outcomes) == [Result.ERROR] * 2
    assert "may not write there" in outcomes[0].text
    for entry in journaled(desk.session):
        assert entry.state is State.MADE
        assert entry.trouble is not None
    assert set(desk.host.contents.values()) == {b"two\n"}


async def test_what_somebody_put_back_by_hand_counts_as_undone(desk: Desk) -> None:
    entry = pending(desk, State.MADE)
    desk.host.contents["/w/f"] = b"one\n"
    (outcome,) = await undo(desk.session, [entry])
    assert (outcome.result, outcome.entry.state) == (Result.ALREADY, State.UNDONE)
    assert results(await redo(desk.session, [entry])) == [Result.RESTORED]
    assert desk.host.contents["/w/f"] == b"two\n"


async def test_without_a_journal_undo_says_so(desk: Desk) -> None:
    desk.session.journal = None
    with pytest.raises(ToolError, match="No journal"):
        await undo(desk.session, [])


async def test_a_file_made_again_is_one_for_the_changes_after_it(desk: Desk) -> None:
    await desk("write", filePath="new.txt", content="one\n")
    await desk("edit", filePath="new.txt", oldString="one", newString="two")
    for _ in range(2):
        outcomes = await undo(desk.session, journaled(desk.session))
        assert results(outcomes) == [Result.RESTORED] * 2, [o.text for o in outcomes]
        assert desk.host.contents == {}
        outcomes = await redo(desk.session, journaled(desk.session))
        assert results(outcomes) == [Result.RESTORED] * 2, [o.text for o in outcomes]
        assert desk.host.contents == {"/w/new.txt": b"two\n"}
