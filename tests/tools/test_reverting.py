"""OpenCode's /undo and /redo on the remote's files: which changes, what a session knows then, what the user is told."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pybridge.errors import ConnectionLostError
from pybridge.host.model import Applied, Change
from pybridge.mirror.journal_dropped import DroppedChange, remember_dropped
from pybridge.mirror.journal_entry import State
from pybridge.mirror.reverted_changes import Reverted, RevertedChanges
from pybridge.tools.conversation import Conversation, Message, Part, Point
from pybridge.tools.reverting import revert
from pybridge.tools.undoing import undo
from tests.tools.conftest import Remote
from tests.tools.kit import Call, Desk

WARNING = "warning"


class Talk:
    """A session of OpenCode's: prompts `msg_N0`, each answered by messages with calls in them."""

    def __init__(self, desk: Desk | Remote, folder: Path) -> None:
        self.desk = desk
        self.reverted = RevertedChanges(folder / "reverted")
        self.messages: list[Message] = []
        self.parents: dict[str, str] = {}
        self._number = 10

    def prompt(self) -> Point:
        """The user sends a message; returns the point before it."""
        self._number += 10 - self._number % 10
        self.messages.append(Message(f"msg_{self._number}", [Part(f"prt_{self._number}")]))
        return Point(f"msg_{self._number}")

    async def call(self, tool: str, *, session: str = "ses", same_message: bool = False, **args: str) -> None:
        """The model answers with a call; of a sub-agent if it is of another session."""
        self._number += 1
        number = self._number
        if session == "ses":
            part = Part(f"prt_{number}", f"call_{number}")
        else:
            part = Part(f"prt_{number}", f"call_{number}", session)
            self.parents[session] = "ses"
        before = self.messages.pop() if same_message else Message(f"msg_{number}")
        self.messages.append(Message(before.id, [*before.parts, part]))
        if session != "ses":
            self._number += 1
        message = before.id if session == "ses" else f"msg_{self._number}"
        context = Call(session_id=session, message_id=message, call_id=f"call_{self._number}")
        await self.desk(tool, context, **args)

    async def revert(self, point: Point | None) -> Mapping[str, str]:
        conversation = Conversation("ses", list(self.messages), dict(self.parents))
        return await revert(self.desk.session, "HOST", point, conversation, self.reverted)

    def remove(self, point: Point) -> None:
        """What OpenCode does at the next prompt."""
        self.messages = [message for message in self.messages if message.id < point.message_id]


@pytest.fixture
def talk(desk: Desk, tmp_path: Path) -> Talk:
    return Talk(desk, tmp_path)


async def three_prompts(talk: Talk) -> tuple[Point, Point, Point]:
    """Three messages that change files, on a desk with `a.txt` of one line."""
    assert isinstance(talk.desk, Desk)
    talk.desk.host.contents["/w/a.txt"] = b"one\n"
    first = talk.prompt()
    await talk.call("edit", filePath="a.txt", oldString="one", newString="two")
    second = talk.prompt()
    await talk.call("write", filePath="b.txt", content="new\n")
    await talk.call("edit", filePath="a.txt", oldString="two", newString="three")
    third = talk.prompt()
    await talk.call("edit", filePath="b.txt", oldString="new", newString="newer")
    return first, second, third


async def broken_off(
    talk: Talk,
    desk: Desk,
    point: Point | None,
    monkeypatch: pytest.MonkeyPatch,
    applied: bool,
    how: type[BaseException],
) -> None:
    """A move during which the sidecar dies or the link is lost, before the remote has changed anything or after."""
    apply = desk.host.apply

    async def breaking(changes: Sequence[Change]) -> list[Applied]:
        if applied:
            await apply(changes)
        raise how("broken off")

    with monkeypatch.context() as patch:
        patch.setattr(desk.host, "apply", breaking)
        try:
            await talk.revert(point)
        except KeyboardInterrupt:
            assert how is KeyboardInterrupt


STAGES: list[dict[str, bytes]] = [
    {"/w/a.txt": b"one\n"},
    {"/w/a.txt": b"two\n"},
    {"/w/a.txt": b"three\n", "/w/b.txt": b"new\n"},
    {"/w/a.txt": b"three\n", "/w/b.txt": b"newer\n"},
]


async def test_undo_goes_back_message_by_message_and_redo_forward(talk: Talk, desk: Desk) -> None:
    first, second, third = await three_prompts(talk)
    for point, stage, said in (
        (third, 2, "1 file restored on HOST."),
        (second, 1, "2 files restored on HOST."),
        (first, 0, "1 file restored on HOST."),
        (second, 1, "1 file changed again on HOST."),
        (third, 2, "2 files changed again on HOST."),
        (None, 3, "1 file changed again on HOST."),
        (first, 0, "2 files restored on HOST."),
        (None, 3, "2 files changed again on HOST."),
    ):
        notice = await talk.revert(point)
        assert desk.host.contents == STAGES[stage], point
        assert notice == {"message": said, "variant": "success"}
    assert talk.reverted.get("ses") == Reverted()


async def test_the_same_point_again_does_nothing_and_says_nothing(talk: Talk, desk: Desk) -> None:
    _, second, _ = await three_prompts(talk)
    await talk.revert(second)
    applies = len(desk.host.applies)
    assert await talk.revert(second) == {}
    assert len(desk.host.applies) == applies
    await talk.revert(None)
    assert await talk.revert(None) == {}
    assert desk.host.contents == STAGES[3]


async def test_a_new_prompt_after_undo_is_no_redo(talk: Talk, desk: Desk) -> None:
    _, second, third = await three_prompts(talk)
    await talk.revert(second)
    talk.remove(second)
    talk.prompt()
    assert await talk.revert(None) == {}
    assert desk.host.contents == STAGES[1]
    assert talk.reverted.get("ses") == Reverted()
    await talk.call("edit", filePath="a.txt", oldString="two", newString="another")
    await talk.revert(third)  # ids of messages that are gone: the new one is later
    assert desk.host.contents == STAGES[1]
    await talk.revert(None)
    assert desk.host.contents == {"/w/a.txt": b"another\n"}


async def test_a_sub_agents_changes_go_with_the_message_that_started_it(talk: Talk, desk: Desk) -> None:
    first = talk.prompt()
    await talk.call("write", session="child", filePath="a.txt", content="one\n")
    second = talk.prompt()
    await talk.call("edit", session="child", filePath="a.txt", oldString="one", newString="two")  # started once more
    await talk.call("write", session="stranger", filePath="other.txt", content="other\n")
    del talk.parents["stranger"]
    other = {"/w/other.txt": b"other\n"}
    await talk.revert(second)
    assert desk.host.contents == {"/w/a.txt": b"one\n", **other}
    await talk.revert(first)
    assert desk.host.contents == other
    await talk.revert(second)
    assert desk.host.contents == {"/w/a.txt": b"one\n", **other}
    talk.remove(second)  # what the second start did is gone for good, although the sub-agent's session is there
    assert await talk.revert(None) == {}
    assert desk.host.contents == {"/w/a.txt": b"one\n", **other}


async def test_a_part_of_a_message(talk: Talk, desk: Desk) -> None:
    talk.prompt()
    await talk.call("write", filePath="a.txt", content="one\n")
    await talk.call("write", same_message=True, filePath="b.txt", content="two\n")
    message = talk.messages[-1]
    await talk.revert(Point(message.id, message.parts[-1].id))
    assert desk.host.contents == {"/w/a.txt": b"one\n"}
    await talk.revert(None)
    assert desk.host.contents == {"/w/a.txt": b"one\n", "/w/b.txt": b"two\n"}
    # And the part is removed by a new prompt, the message stays.
    await talk.revert(Point(message.id, message.parts[-1].id))
    talk.messages[-1] = Message(message.id, message.parts[:-1])
    talk.prompt()
    await talk.revert(None)
    assert desk.host.contents == {"/w/a.txt": b"one\n"}


async def test_law3_what_somebody_else_changed_since_is_left_and_said(talk: Talk, desk: Desk) -> None:
    _, second, _ = await three_prompts(talk)
    desk.host.contents["/w/a.txt"] = b"somebody else's\n"
    notice = await talk.revert(second)
    assert desk.host.contents == {"/w/a.txt": b"somebody else's\n"}
    said = "1 file restored on HOST. a.txt was not restored: changed since. See `pybridge history`."
    assert notice == {"message": said, "variant": WARNING}
    assert desk.session.journal is not None
    [refused] = [e for e in desk.session.journal.records.entries() if e.trouble is not None]
    assert (refused.state, [file.path for file in refused.files]) == (State.MADE, ["/w/a.txt"])
    # Once it is as it was, /undo can be tried again; /redo made nothing of it that had not been undone.
    assert (await talk.revert(None))["message"] == "1 file changed again on HOST."
    assert desk.host.contents["/w/a.txt"] == b"somebody else's\n"
    desk.host.contents["/w/a.txt"] = b"three\n"
    assert (await talk.revert(second))["message"] == "2 files restored on HOST."
    assert desk.host.contents == STAGES[1]


async def test_law3_a_redo_over_somebody_elses_change_is_refused(talk: Talk, desk: Desk) -> None:
    first, _, _ = await three_prompts(talk)
    await talk.revert(first)
    desk.host.contents["/w/a.txt"] = b"somebody else's\n"
    notice = await talk.revert(None)
    said = "1 file changed again on HOST. a.txt was not changed again: changed since. See `pybridge history`."
    assert notice == {"message": said, "variant": WARNING}
    assert desk.host.contents == {"/w/a.txt": b"somebody else's\n", "/w/b.txt": b"newer\n"}


async def test_what_was_undone_by_hand_is_not_redone(talk: Talk, desk: Desk) -> None:
    _, _, third = await three_prompts(talk)
    assert desk.session.journal is not None
    newest = desk.session.journal.records.entries()[-1]
    await undo(desk.session, [newest])
    assert await talk.revert(third) == {}
    assert await talk.revert(None) == {}
    assert desk.host.contents == STAGES[2]


async def test_a_lost_link_is_told_and_can_be_tried_again(talk: Talk, desk: Desk) -> None:
    _, second, third = await three_prompts(talk)

    def lost() -> None:
        raise ConnectionLostError("The link was lost.")

    desk.host.before_apply = lost
    notice = await talk.revert(third)
    assert notice["variant"] == WARNING
    assert notice["message"].startswith("b.txt was not restored: It could not be undone: The link was lost.")
    desk.host.before_apply = lambda: None
    assert (await talk.revert(second))["message"] == "2 files restored on HOST."
    assert desk.host.contents == STAGES[1]


async def test_redo_finds_what_an_earlier_sidecar_undid(talk: Talk, desk: Desk, tmp_path: Path) -> None:
    _, second, _ = await three_prompts(talk)
    await talk.revert(second)
    desk.session.versions.forget_session("ses")  # memory is gone
    talk.reverted = RevertedChanges(tmp_path / "reverted")
    await talk.revert(None)
    assert desk.host.contents == STAGES[3]


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("how", [KeyboardInterrupt, ConnectionLostError])
async def test_undo_that_broke_off_is_found_out_by_redo(
    talk: Talk, desk: Desk, monkeypatch: pytest.MonkeyPatch, applied: bool, how: type[BaseException]
) -> None:
    first, _, _ = await three_prompts(talk)
    await broken_off(talk, desk, first, monkeypatch, applied, how)
    assert desk.host.contents == STAGES[0 if applied else 3]
    await talk.revert(None)
    assert desk.host.contents == STAGES[3]
    assert talk.reverted.get("ses") == Reverted()
    await talk.revert(first)
    assert desk.host.contents == STAGES[0]


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("how", [KeyboardInterrupt, ConnectionLostError])
async def test_redo_that_broke_off_is_found_out_by_undo(
    talk: Talk, desk: Desk, monkeypatch: pytest.MonkeyPatch, applied: bool, how: type[BaseException]
) -> None:
    first, _, _ = await three_prompts(talk)
    await talk.revert(first)
    await broken_off(talk, desk, None, monkeypatch, applied, how)
    assert desk.host.contents == STAGES[3 if applied else 0]
    await talk.revert(first)
    assert desk.host.contents == STAGES[0]
    await talk.revert(None)
    assert desk.host.contents == STAGES[3]


async def test_undo_that_broke_off_is_left_alone_once_a_new_prompt_removed_its_messages(
    talk: Talk, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _, _ = await three_prompts(talk)
    await broken_off(talk, desk, first, monkeypatch, False, KeyboardInterrupt)
    talk.remove(first)
    assert await talk.revert(None) == {}
    assert desk.host.contents == STAGES[3]
    assert talk.reverted.get("ses") == Reverted()


async def test_what_is_too_old_for_the_journal_is_said(talk: Talk, desk: Desk) -> None:
    _, second, third = await three_prompts(talk)
    assert desk.session.journal is not None
    records = desk.session.journal.records
    oldest = records.entries()[1]
    remember_dropped(records.folder, [DroppedChange(oldest.key, oldest.session_id, oldest.message_id)])
    shutil.rmtree(records.folder / oldest.key)
    assert (await talk.revert(third))["variant"] == "success"
    said = "1 file restored on HOST. 1 change too old for the journal: not restored. See `pybridge history`."
    assert await talk.revert(second) == {"message": said, "variant": WARNING}


async def test_without_a_journal_nothing_is_restored_and_that_is_said(talk: Talk, desk: Desk) -> None:
    _, second, _ = await three_prompts(talk)
    desk.session.journal = None
    notice = await talk.revert(second)
    assert (notice["variant"], "PYBRIDGE_JOURNAL_MB" in notice["message"]) == (WARNING, True)
    assert await talk.revert(None) == {}
    assert desk.host.contents == STAGES[3]


async def test_restored_versions_are_known_so_a_later_write_is_not_refused(talk: Talk, desk: Desk) -> None:
    _, second, _ = await three_prompts(talk)
    await talk.revert(second)
    talk.remove(second)
    talk.prompt()
    await talk.call("write", filePath="a.txt", content="written over\n")
    await talk.call("write", filePath="b.txt", content="made again\n")
    assert desk.host.contents == {"/w/a.txt": b"written over\n", "/w/b.txt": b"made again\n"}


async def test_a_parent_session_knows_what_was_restored_of_its_sub_agents_files(talk: Talk, desk: Desk) -> None:
    desk.host.contents["/w/a.txt"] = b"one\n"
    point = talk.prompt()
    await talk.call("edit", session="child", filePath="a.txt", oldString="one", newString="two")
    await talk.call("read", filePath="a.txt")
    await talk.revert(point)
    assert desk.host.contents == {"/w/a.txt": b"one\n"}
    await talk.call("write", filePath="a.txt", content="three\n")
    assert desk.host.contents == {"/w/a.txt": b"three\n"}


async def test_law3_what_somebody_changes_after_undo_is_still_protected(talk: Talk, desk: Desk) -> None:
    _, second, _ = await three_prompts(talk)
    await talk.revert(second)
    desk.host.contents["/w/a.txt"] = b"somebody else's\n"
    with pytest.raises(Exception, match="changed since"):
        await talk.call("write", filePath="a.txt", content="written over\n")
    assert desk.host.contents["/w/a.txt"] == b"somebody else's\n"


async def test_on_a_real_server_a_patch_of_several_files_is_undone_and_redone(remote: Remote, tmp_path: Path) -> None:
    talk = Talk(remote, tmp_path)
    (remote.folder / "a.txt").write_bytes(b"one\n")
    (remote.folder / "a.txt").chmod(0o640)
    (remote.folder / "gone.txt").write_bytes(b"bye\n")
    point = talk.prompt()
    patch = (
        "*** Begin Patch\n*** Update File: a.txt\n*** Move to: sub/b.txt\n@@\n-one\n+two\n*** Delete File: gone.txt\n"
    )
    await talk.call("apply_patch", patchText=patch + "*** Add File: new.txt\n+new\n*** End Patch")

    def files() -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in remote.folder.rglob("*.txt")}

    after = files()
    assert sorted(after) == ["b.txt", "new.txt"]
    assert (await talk.revert(point))["variant"] == "success"
    assert files() == {"a.txt": b"one\n", "gone.txt": b"bye\n"}
    assert (remote.folder / "a.txt").stat().st_mode & 0o777 == 0o640
    await talk.revert(None)
    assert files() == after
