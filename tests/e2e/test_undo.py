"""OpenCode's own /undo and /redo on the remote's files, in the real OpenCode."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from pybridge.demo.model_server import MODEL_ID, ToolCall, Turn, call, calls, say
from tests.e2e.conftest import LAUNCH, MakeHome
from tests.e2e.test_badge import opened
from tests.e2e.test_install import pybridge
from tests.kit.counterparts import need
from tests.kit.opencode import PATCH_MODEL, OpenCodeHome, opencode_binary
from tests.kit.opencode_events import EventStream
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.remote_truth import RemoteTruth
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.timeout(400)

PATCH = "*** Begin Patch\n*** Update File: a.txt\n@@\n-two\n+three\n*** Add File: sub/c.txt\n+added\n*** End Patch"


class Chat:
    """One session of a server on a remote folder.

    Args:
        server: the running server.
        folder: on the remote.
    """

    def __init__(self, server: OpenCodeServe, folder: str) -> None:
        self.server = server
        self.folder = folder
        self.session = server.session()

    def prompt(self, *turns: Turn, model: str = MODEL_ID, sub_agent: Sequence[Turn] = ()) -> str:
        """A message of the user's whose calls all succeed; returns its id.

        Args:
            sub_agent: what the one plays whose prompt is "sub-agent".
        """
        before = set(self.messages())
        self.server.model.play([*turns, say("done")])
        self.server.model.play_for("sub-agent", sub_agent)
        used = self.server.message(self.session, None, model=model)
        assert {use.status for use in used} <= {"completed"}, used
        return next(name for name in self.messages() if name not in before)

    def messages(self) -> list[str]:
        """Ids, oldest first."""
        return [m["info"]["id"] for m in self.server.request("GET", f"/session/{self.session}/message")]

    def undo(self, message: str, **part: str) -> None:
        """What /undo asks for, and /redo but for its last step."""
        self.server.request("POST", f"/session/{self.session}/revert", {"messageID": message, **part})

    def redo_all(self) -> None:
        """The last step of /redo."""
        self.server.request("POST", f"/session/{self.session}/unrevert", {})


def using(make_home: MakeHome, settings: Mapping[str, str], variable: str = "PYBRIDGE_OPENCODE") -> OpenCodeHome:
    """A home of one of the versions of OpenCode."""
    binary = opencode_binary(variable)
    return make_home(environment={**settings, "PYBRIDGE_OPENCODE": str(binary)}, binary=binary)


@contextmanager
def chatting(home: OpenCodeHome, folder: str) -> Iterator[tuple[Chat, EventStream]]:
    """A server on the remote folder, and what it tells its interfaces."""
    with OpenCodeServe(home, launcher=LAUNCH) as server, EventStream(server) as events:
        yield Chat(server, folder), events


def wait_for_tree(truth: RemoteTruth, folder: str, wanted: Mapping[str, bytes]) -> None:
    """Wait until the folder holds exactly these files."""

    def there() -> bool:
        with contextlib.suppress(FileNotFoundError):  # a file may be replaced or removed while we look
            return truth.tree(folder) == wanted
        return False

    wait_until(there, f"{sorted(wanted)} in {folder}")


VERSIONS = pytest.mark.parametrize(
    "variable", ["PYBRIDGE_OPENCODE", pytest.param("PYBRIDGE_OPENCODE_115", marks=pytest.mark.whole)]
)


@VERSIONS
def test_34_undo_and_redo_of_messages_and_a_new_prompt_that_is_no_redo(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth, variable: str
) -> None:
    truth.write(f"{workdir}/a.txt", b"one\n", 0o640)
    home = using(make_home, settings, variable)
    with chatting(home, workdir) as (chat, events):
        first = chat.prompt(call("edit", filePath=f"{workdir}/a.txt", oldString="one", newString="two"))
        second = chat.prompt(call("apply_patch", patchText=PATCH), model=PATCH_MODEL)
        third = chat.prompt(call("write", filePath="b.txt", content="new\n"))
        stages = [
            {"a.txt": b"one\n"},
            {"a.txt": b"two\n"},
            {"a.txt": b"three\n", "sub/c.txt": b"added\n"},
            {"a.txt": b"three\n", "sub/c.txt": b"added\n", "b.txt": b"new\n"},
        ]
        assert truth.tree(workdir) == stages[3]
        moves = [(third, 2, "1 file restored"), (first, 0, "2 files restored"), (second, 1, "1 file changed again")]
        for number, (message, stage, said) in enumerate(moves, 1):
            chat.undo(message)
            assert events.wait_toast(number).startswith(f"{said} on "), events.toasts()
            assert truth.tree(workdir) == stages[stage]
        assert truth.mode(f"{workdir}/a.txt") == 0o640
        chat.redo_all()
        assert events.wait_toast(4).startswith("3 files changed again on ")
        assert truth.tree(workdir) == stages[3]
        chat.undo(second)
        events.wait_toast(5)
        chat.prompt(call("read", filePath=f"{workdir}/a.txt"), call("write", filePath="a.txt", content="other\n"))
        assert second not in chat.messages()
        assert truth.tree(workdir) == {"a.txt": b"other\n"}
        assert len(events.toasts()) == 5, events.toasts()


@pytest.mark.whole
@pytest.mark.parametrize("variable", ["PYBRIDGE_OPENCODE", "PYBRIDGE_OPENCODE_115"])
def test_34_without_the_launcher_undo_leaves_the_local_files_alone(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth, variable: str
) -> None:
    """OpenCode's own snapshots would take a user's local edits, made while a call ran, for the model's."""
    home = make_home(environment=settings, config={"snapshot": True}, binary=opencode_binary(variable))
    subprocess.run([need("git"), "init", "-q", home.project], check=True)
    local = home.project / "local.txt"
    local.write_text("before\n")
    pybridge(home, "install")
    with OpenCodeServe(home) as server:
        chat = Chat(server, workdir)
        chat.prompt(say("hello"))
        server.start_message(chat.session, [call("bash", command="touch begun; sleep 3", description="d"), say("done")])
        wait_until(lambda: truth.exists(f"{workdir}/begun"), "call under way")
        local.write_text("edited by the user\n")
        server.wait_idle(chat.session)
        message = [m for m in server.request("GET", f"/session/{chat.session}/message") if m["info"]["role"] == "user"]
        chat.undo(message[-1]["info"]["id"])
        assert local.read_text() == "edited by the user\n"
        assert list(home.home.rglob("snapshot/*")) == []


@pytest.mark.whole
def test_34_law3_what_somebody_changed_since_stays_and_is_said_in_the_notice_and_in_history(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth
) -> None:
    truth.write(f"{workdir}/a.txt", b"one\n")
    home = using(make_home, settings)
    with chatting(home, workdir) as (chat, events):
        point = chat.prompt(
            call("edit", filePath=f"{workdir}/a.txt", oldString="one", newString="two"),
            call("write", filePath="b.txt", content="new\n"),
        )
        truth.write(f"{workdir}/a.txt", b"somebody else's\n")
        chat.undo(point)
        said = events.wait_toast(1)
        assert said.startswith("1 file restored on "), said
        assert said.endswith(" a.txt was not restored: changed since. See `pybridge history`.")
        assert truth.tree(workdir) == {"a.txt": b"somebody else's\n"}
        history = pybridge(home, "history")
        assert "a.txt" in history.stdout
        assert "Changed since" in history.stdout, history
        # Once it is as the model left it, the same is tried again.
        truth.write(f"{workdir}/a.txt", b"two\n")
        chat.redo_all()
        assert events.wait_toast(2).startswith("1 file changed again on ")
        chat.undo(point)
        assert events.wait_toast(3).startswith("2 files restored on ")
        assert truth.tree(workdir) == {"a.txt": b"one\n"}


@pytest.mark.whole
@VERSIONS
def test_34_a_sub_agents_changes_go_with_the_message_that_started_it(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth, variable: str
) -> None:
    truth.write(f"{workdir}/a.txt", b"one\n")
    home = using(make_home, settings, variable)
    with chatting(home, workdir) as (chat, events):
        chat.prompt(call("read", filePath=f"{workdir}/a.txt"))
        task = ToolCall("task", {"description": "look", "prompt": "sub-agent", "subagent_type": "general"})
        script = [
            call("edit", filePath=f"{workdir}/a.txt", oldString="one", newString="two"),
            call("write", filePath="b.txt", content="new\n"),
            say("the sub-agent is done"),
        ]
        point = chat.prompt(calls(task), sub_agent=script)
        changed = {"a.txt": b"two\n", "b.txt": b"new\n"}
        assert truth.tree(workdir) == changed
        chat.undo(point)
        assert events.wait_toast(1).startswith("2 files restored on ")
        assert truth.tree(workdir) == {"a.txt": b"one\n"}
        chat.redo_all()
        assert events.wait_toast(2).startswith("2 files changed again on ")
        assert truth.tree(workdir) == changed
        chat.undo(point)
        events.wait_toast(3)
        # The session has read what stands there now, and may write over it.
        chat.prompt(call("write", filePath="a.txt", content="three\n"))
        assert truth.tree(workdir) == {"a.txt": b"three\n"}


@pytest.mark.whole
def test_34_a_part_of_a_message_and_redo_after_a_restart(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth
) -> None:
    home = using(make_home, settings)
    with chatting(home, workdir) as (chat, events):
        chat.prompt(say("hello"))
        write = [ToolCall("write", {"filePath": f"{name}.txt", "content": f"{name}\n"}) for name in "ab"]
        chat.prompt(calls(*write))
        both = {"a.txt": b"a\n", "b.txt": b"b\n"}
        assert truth.tree(workdir) == both
        first, second = chat.server.parts(chat.session)
        assert first["messageID"] == second["messageID"]
        chat.undo(second["messageID"], partID=second["id"])
        assert events.wait_toast(1).startswith("1 file restored on ")
        assert truth.tree(workdir) == {"a.txt": b"a\n"}
        session, folder = chat.session, chat.folder
    with OpenCodeServe(home, launcher=LAUNCH) as server, EventStream(server) as events:
        server.request("POST", f"/session/{session}/unrevert", {})
        assert events.wait_toast(1).startswith("1 file changed again on ")
        assert truth.tree(folder) == both


@pytest.mark.whole
@VERSIONS
def test_34_a_fork_takes_back_what_it_was_copied_with(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth, variable: str
) -> None:
    home = using(make_home, settings, variable)
    with chatting(home, workdir) as (chat, events):
        chat.prompt(call("write", filePath="a.txt", content="one\n"))
        task = ToolCall("task", {"description": "look", "prompt": "sub-agent", "subagent_type": "general"})
        script = [call("write", filePath="b.txt", content="two\n"), say("done")]
        chat.prompt(calls(task), sub_agent=script)
        chat.session = chat.server.request("POST", f"/session/{chat.session}/fork", {})["id"]
        messages = chat.server.request("GET", f"/session/{chat.session}/message")
        first, second = [m["info"]["id"] for m in messages if m["info"]["role"] == "user"]
        chat.prompt(call("write", filePath="c.txt", content="three\n"))
        chat.undo(second)
        assert events.wait_toast(1).startswith("2 files restored on ")
        assert truth.tree(workdir) == {"a.txt": b"one\n"}
        chat.undo(first)
        assert events.wait_toast(2).startswith("1 file restored on ")
        assert truth.tree(workdir) == {}
        chat.redo_all()
        events.wait_toast(3)
        assert truth.tree(workdir) == {"a.txt": b"one\n", "b.txt": b"two\n", "c.txt": b"three\n"}


@pytest.mark.whole
def test_34_typed_in_the_terminal_interface(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth
) -> None:
    truth.write(f"{workdir}/a.txt", b"one\n")
    home = using(make_home, settings)
    turns = (
        call("edit", filePath=f"{workdir}/a.txt", oldString="one", newString="two"),
        say("the first is done"),
        call("write", filePath=f"{workdir}/b.txt", content="new\n"),
        say("the second is done"),
    )
    with opened(home, turns) as (terminal, _):

        def enter(text: str) -> None:
            terminal.type("\x15\x0b")  # what /undo has put back into the prompt goes
            terminal.type(text)
            terminal.wait_for(text)
            if text.startswith("/"):
                terminal.wait_for(f"{text}  ")  # in the list of commands, too
            terminal.type("\r")

        enter("change a file")
        terminal.wait_for("the first is done")
        enter("write another")
        terminal.wait_for("the second is done")
        assert truth.tree(workdir) == {"a.txt": b"two\n", "b.txt": b"new\n"}
        enter("/undo")
        terminal.wait_for("1 file restored on", "1 message reverted", gone="the second is done")
        assert truth.tree(workdir) == {"a.txt": b"two\n"}
        enter("/undo")
        terminal.wait_for("2 message", gone="the first is done")
        wait_for_tree(truth, workdir, {"a.txt": b"one\n"})
        enter("/redo")
        terminal.wait_for("1 file changed again on", "the first is done")
        assert truth.tree(workdir) == {"a.txt": b"two\n"}
        enter("/redo")
        terminal.wait_for("the second is done", gone="reverted")
        wait_for_tree(truth, workdir, {"a.txt": b"two\n", "b.txt": b"new\n"})
