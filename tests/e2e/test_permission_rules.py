"""A user's own rules decide over our tools as over OpenCode's: allow, deny, ask, and what each answer then means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pybridge.demo.model_server import MODEL_ID, ToolCall, Turn, calls, say
from tests.e2e.conftest import LAUNCH, Remote
from tests.kit.opencode import PATCH_MODEL, OpenCodeHome, ToolUse, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import wait_until_none
from tests.kit.remote_truth import RemoteTruth
from tests.kit.waiting import wait_until

REJECTED = "The user rejected permission to use this specific tool call."
DENIED = "The user has specified a rule which prevents you from using this specific tool call."


@dataclass(frozen=True)
class Desk:
    """A running OpenCode with RULES, and the remote.

    Args:
        root: the folder that holds the workdir and, beside it, `open` and `shut`.
        work: the workdir.
    """

    server: OpenCodeServe
    truth: RemoteTruth
    root: str
    work: str

    def begin(self, *wanted: ToolCall, then: Sequence[Turn] = (say("the model goes on"),)) -> str:
        """Have the model make these calls at once, in a session of its own, and then what follows."""
        session = self.server.session()
        model = PATCH_MODEL if any(call.name == "apply_patch" for call in wanted) else MODEL_ID
        self.server.start_message(session, [calls(*wanted), *then], model=model)
        return session

    def pending(self, session: str, number: int = 1) -> list[dict[str, Any]]:
        """Wait until so many permissions are asked for in the session."""

        def look() -> list[dict[str, Any]]:
            found = [asked for asked in self.server.request("GET", "/permission") if asked["sessionID"] == session]
            return found if len(found) >= number else []

        return wait_until(look, f"{number} permission requests")

    def end(self, session: str) -> list[ToolUse]:
        """Wait until the session does nothing more; its calls."""
        self.server.wait_idle(session)
        return self.server.tools(session)

    def unasked(self, tool: str, **arguments: Any) -> ToolUse:
        """One call that ends without a question."""
        model = PATCH_MODEL if tool == "apply_patch" else MODEL_ID
        turns = [calls(ToolCall(tool, arguments)), say("the model goes on")]
        (use,) = self.server.message(self.server.session(), turns, model=model)
        return use

    def asked(self, tool: str, reply: str, **arguments: Any) -> tuple[dict[str, Any], ToolUse]:
        """One call, its one question, and what came of it after the answer."""
        session = self.begin(ToolCall(tool, arguments))
        (question,) = self.pending(session)
        self.server.reply(question["id"], reply)
        (use,) = self.end(session)
        return question, use

    def goes_on(self) -> bool:
        """Whether the model was asked again after the last calls."""
        return len(self.server.model.requests) == 2


def rules(root: str) -> dict[str, Any]:
    return {
        "bash": {"*": "ask", "echo *": "allow", "git status*": "allow", "rm *": "deny"},
        "edit": {"*": "ask", "free/*": "allow", "locked/*": "deny"},
        "glob": "deny",
        "external_directory": {"*": "ask", f"{root}/open/*": "allow", f"{root}/shut/*": "deny"},
    }


@pytest.fixture(scope="module")
def everything(remote: Remote, truth: RemoteTruth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    root = f"{remote.work}/test_permission_rules"
    work = f"{root}/work"
    truth.make_folder(work)
    settings = {"REMOTE_SSH": remote.server.ssh_command, "REMOTE_WORKDIR": work}
    folder: Path = tmp_path_factory.mktemp("rules") / "opencode"
    home = OpenCodeHome(folder, opencode_binary(), {"permission": rules(root)}, environment=settings)
    with OpenCodeServe(home, launcher=LAUNCH) as server:
        yield Desk(server, truth, root, work)
    assert wait_until_none(home.home) == []
    truth.remove(root)


@pytest.fixture
def desk(everything: Desk) -> Desk:
    for folder in ("work", "open", "shut"):
        everything.truth.run(f"rm -rf {everything.root}/{folder}/* {everything.root}/{folder}/.[!.]*")
        everything.truth.write(f"{everything.root}/{folder}/a.txt", b"one\n")
    return everything


CHANGES: dict[str, dict[str, Any]] = {
    "write": {"filePath": "a.txt", "content": "two\n"},
    "edit": {"filePath": "a.txt", "oldString": "one", "newString": "two"},
    "apply_patch": {"patchText": "*** Begin Patch\n*** Update File: a.txt\n@@\n-one\n+two\n*** End Patch"},
}


@pytest.mark.parametrize(("tool", "arguments"), CHANGES.items())
def test_a_change_is_shown_and_asked_for_before_it_is_made(desk: Desk, tool: str, arguments: dict[str, Any]) -> None:
    """D21, D22: one question; rejected nothing happens, allowed the change is made."""
    _, use = desk.asked(tool, "reject", **arguments)
    assert (use.status, use.text) == ("error", REJECTED)
    session = desk.begin(ToolCall(tool, arguments))
    (question,) = desk.pending(session)
    assert (question["permission"], question["patterns"], question["always"]) == ("edit", ["a.txt"], ["*"])
    assert "-one" in question["metadata"]["diff"]
    assert "+two" in question["metadata"]["diff"]
    assert desk.truth.read(f"{desk.work}/a.txt") == b"one\n"
    desk.server.reply(question["id"], "once")
    (use,) = desk.end(session)
    assert use.status == "completed", use
    assert desk.truth.tree(desk.work) == {"a.txt": b"two\n"}


def test_what_is_allowed_is_not_asked(desk: Desk) -> None:
    assert desk.unasked("bash", command="echo hi; git status -s >/dev/null 2>&1; echo ho").text == "hi\nho\n"
    assert desk.unasked("write", filePath="free/a.txt", content="x").status == "completed"
    assert desk.unasked("read", filePath=f"{desk.root}/open/a.txt").status == "completed"
    assert desk.unasked("grep", pattern="one", path="../open").status == "completed"
    assert desk.truth.read(f"{desk.work}/free/a.txt") == b"x"


def test_what_is_denied_is_not_done(desk: Desk) -> None:
    """Also where only a part of it is."""
    before = desk.truth.tree(desk.root)
    patch = "*** Begin Patch\n*** Add File: free/n\n+x\n*** Add File: locked/n\n+x\n*** End Patch"
    for tool, arguments in (
        ("bash", {"command": "echo hi && rm a.txt"}),
        ("bash", {"command": "echo $(rm a.txt)"}),
        ("bash", {"command": "cat ../shut/a.txt"}),
        ("write", {"filePath": "locked/a.txt", "content": "x"}),
        ("edit", {"filePath": "locked/a.txt", "oldString": "", "newString": "x"}),
        ("apply_patch", {"patchText": patch}),
        ("read", {"filePath": "../shut/a.txt"}),
        ("grep", {"pattern": "one", "path": f"{desk.root}/shut"}),
        ("write", {"filePath": "../shut/a.txt", "content": "x"}),
    ):
        use = desk.unasked(tool, **arguments)
        assert use.status == "error", (tool, arguments, use)
        assert use.text.startswith(DENIED), use
        assert desk.goes_on()
    assert desk.truth.tree(desk.root) == before
    assert "glob" not in desk.server.model.requests[-1].tools  # a tool that may never be used is not offered


def test_files_of_secrets_are_asked_for_by_default(desk: Desk) -> None:
    """OpenCode's own rules, which the user has not changed."""
    for name in (".env", ".env.local", "deep/prod.env", ".env.example", "environment"):
        desk.truth.write(f"{desk.work}/{name}", b"SECRET=1\n")
    desk.truth.run(f"ln -s .env {desk.work}/notes.txt")
    for name in (".env", ".env.local", "deep/prod.env"):
        question, use = desk.asked("read", "reject", filePath=name)
        assert (question["permission"], question["patterns"], question["always"]) == ("read", [name], ["*"])
        assert (use.status, use.text) == ("error", REJECTED)
    question, use = desk.asked("read", "once", filePath="notes.txt")
    assert question["patterns"] == ["notes.txt", ".env"]
    assert "SECRET=1" in use.text
    for name in (".env.example", "environment"):
        assert "SECRET=1" in desk.unasked("read", filePath=name).text


def test_once_holds_once_and_always_for_what_is_alike(desk: Desk) -> None:
    question, use = desk.asked("bash", "once", command="touch made-1")
    assert (question["patterns"], question["always"]) == (["touch made-1"], ["touch *"])
    assert use.status == "completed"
    _, use = desk.asked("bash", "always", command="touch made-2")
    assert use.status == "completed"
    assert desk.unasked("bash", command="touch made-3").status == "completed"
    question, use = desk.asked("bash", "reject", command="touch made-4; mkdir made-5")  # one of two is new
    assert question["patterns"] == ["touch made-4", "mkdir made-5"]
    assert (use.status, use.text) == ("error", REJECTED)
    assert desk.truth.names(desk.work) == ["a.txt", "made-1", "made-2", "made-3"]


def test_always_for_a_folder_outside_holds_for_that_folder(desk: Desk) -> None:
    desk.truth.write(f"{desk.root}/third/x/f.txt", b"f\n")
    question, _ = desk.asked("read", "always", filePath="../third/x/f.txt")
    assert question["permission"] == "external_directory"
    assert question["patterns"] == question["always"] == [f"{desk.root}/third/x/*"]
    assert desk.unasked("read", filePath=f"{desk.root}/third/x/f.txt").status == "completed"
    assert desk.unasked("bash", command=f"echo hi; cd {desk.root}/third/x && echo").status == "completed"
    question, _ = desk.asked("read", "reject", filePath="../third")
    assert question["patterns"] == [f"{desk.root}/third/*"]


def test_a_rejection_ends_the_turn_and_one_with_a_word_does_not(desk: Desk) -> None:
    _, use = desk.asked("write", "reject", filePath="n.txt", content="x")
    assert (use.status, use.text) == ("error", REJECTED)
    assert not desk.goes_on()
    session = desk.begin(ToolCall("write", {"filePath": "n.txt", "content": "x"}))
    (question,) = desk.pending(session)
    desk.server.reply(question["id"], "reject", "use another name")
    (use,) = desk.end(session)
    assert use.text == f"{REJECTED.removesuffix('.')} with the following feedback: use another name"
    assert desk.goes_on()
    assert desk.server.model.requests[-1].tool_results == [use.text]
    assert desk.truth.names(desk.work) == ["a.txt"]


def test_a_rejection_amid_a_batch_rejects_what_still_waits(desk: Desk) -> None:
    """As with OpenCode's own tools: what runs already runs to its end, what needs no permission is done."""
    session = desk.begin(
        ToolCall("bash", {"command": "touch begun; while [ ! -e go ]; do sleep 0.1; done; echo over"}),
        ToolCall("write", {"filePath": "n1.txt", "content": "x"}),
        ToolCall("edit", {"filePath": "a.txt", "oldString": "one", "newString": "two"}),
        ToolCall("read", {"filePath": "a.txt"}),
        then=[say("never said")],
    )
    pending = {question["metadata"].get("filepath"): question["id"] for question in desk.pending(session, 3)}
    desk.server.reply(pending[None], "once")
    wait_until(lambda: desk.truth.exists(f"{desk.work}/begun"), "command that runs")
    desk.server.reply(pending[f"{desk.work}/n1.txt"], "reject")
    wait_until(lambda: len(desk.server.tools(session)) == 3, "end of the others")
    desk.truth.write(f"{desk.work}/go", b"")
    uses = {use.tool: use for use in desk.end(session)}
    assert (uses["bash"].status, uses["bash"].text) == ("completed", "over\n")
    assert {uses[tool].text for tool in ("write", "edit")} == {REJECTED}
    assert uses["read"].status == "completed"
    assert not desk.goes_on()
    assert desk.truth.tree(desk.work) == {"a.txt": b"one\n", "begun": b"", "go": b""}
    assert desk.unasked("read", filePath="a.txt").status == "completed"  # the next call works


def test_a_rejected_patch_touches_no_file(desk: Desk) -> None:
    before = desk.truth.tree(desk.root)
    patch = [
        "*** Update File: a.txt",
        "@@",
        "-one",
        "+two",
        "*** Add File: free/n.txt",
        "+n",
        "*** Delete File: ../open/a.txt",
    ]
    text = "\n".join(["*** Begin Patch", *patch, "*** End Patch"])
    question, use = desk.asked("apply_patch", "reject", patchText=text)
    assert question["patterns"] == ["a.txt", "free/n.txt", "../open/a.txt"]
    assert question["metadata"]["filepath"] == "a.txt, free/n.txt, ../open/a.txt"
    assert [file["type"] for file in question["metadata"]["files"]] == ["update", "add", "delete"]
    assert "+two" in question["metadata"]["diff"]
    assert (use.status, use.text) == ("error", REJECTED)
    assert desk.truth.tree(desk.root) == before
