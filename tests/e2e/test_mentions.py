"""Issue 3.7: @file and @folder mentions through the real OpenCode: what the model gets of them is the remote's."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pybridge.demo.model_server import MODEL_ID, ModelServer, Turn, say
from tests.e2e.conftest import LAUNCH, MakeHome, Remote
from tests.e2e.test_never_local import anchor_of
from tests.kit.opencode import OpenCodeHome, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import wait_until_none
from tests.kit.remote_truth import RemoteTruth
from tests.kit.terminal import Terminal

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
IMAGE = "data:image/png;base64," + base64.b64encode(PNG).decode()
PDF = b"%PDF-1.4\nremote\n"
APP = b"one\ntwo\nthree\nfour\n"
LOCAL = "the content on this machine"

COMMANDS = {
    "explain": {"template": "Explain @src/app.py and @etc/hostname and -@etc/passwd to me.", "description": "d"},
    "aside": {"template": "Explain @src/app.py aside.", "description": "d", "subtask": True, "agent": "general"},
}


@dataclass
class Said:
    """What became of one message.

    Args:
        parts: of the message, as OpenCode keeps them.
        model: the texts and files of the message as they reached the model.
    """

    parts: list[dict[str, Any]]
    model: list[str]

    @property
    def text(self) -> str:
        """All that the model got of it."""
        return "\n".join(self.model)


@dataclass
class Desk:
    """One `opencode serve` on a remote folder."""

    serve: OpenCodeServe
    anchor: Path
    work: str

    def say(self, text: str, *mentions: dict[str, Any], session: str | None = None) -> Said:
        """Send a message."""
        session = session or self.serve.session()
        parts = [{"type": "text", "text": text}, *mentions]
        self.serve.model.play([say("ok")])
        body = {"model": {"providerID": "scripted", "modelID": MODEL_ID}, "parts": parts}
        self.serve.request("POST", f"/session/{session}/message", body)
        return self.said(session)

    def said(self, session: str) -> Said:
        """The last message of the user's in a session."""
        messages = self.serve.request("GET", f"/session/{session}/message")
        parts = [m["parts"] for m in messages if m["info"]["role"] == "user"][-1]
        return Said(parts, model_parts(self.serve.model))


def model_parts(model: ModelServer) -> list[str]:
    """The parts of the last user message that reached the model."""
    content = [m["content"] for m in model.requests[-1].messages if m["role"] == "user"][-1]
    if isinstance(content, str):
        return [content]
    return [part.get("text") or part.get("image_url", {}).get("url") or json.dumps(part) for part in content]


def attached(path: Path | str, mime: str = "text/plain", query: str = "", **more: Any) -> dict[str, Any]:
    """A part a client sends for a file."""
    return {"type": "file", "mime": mime, "url": f"file://{path}{query}", "filename": Path(path).name, **more}


def called(path: str, **more: int) -> str:
    """The text OpenCode puts before what was read."""
    asked = json.dumps({"filePath": path, **more}, separators=(",", ":"))
    return f"Called the Read tool with the following input: {asked}"


def shown(path: str, *lines: str, first: int = 1, end: str | None = None) -> str:
    """What read answers."""
    body = "\n".join(f"{number}: {line}" for number, line in enumerate(lines, first))
    end = end or f"(End of file - total {len(lines)} lines)"
    return f"<path>{path}</path>\n<type>file</type>\n<content>\n{body}\n\n{end}\n</content>"


def fill(truth: RemoteTruth, work: str) -> None:
    """The project on the remote."""
    truth.write(f"{work}/src/app.py", APP)
    truth.write(f"{work}/src/other.py", b"other\n")
    truth.write(f"{work}/src/AGENTS.md", b"rules of src\n")
    truth.write(f"{work}/shot.png", PNG)
    truth.write(f"{work}/paper.pdf", PDF)
    truth.write(f"{work}/data.bin", bytes(range(256)) * 4)
    truth.write(f"{work}/docs/my file.txt", b"with a space\n")


@pytest.fixture(scope="module", params=["PYBRIDGE_OPENCODE"])
def desk(
    request: pytest.FixtureRequest, remote: Remote, truth: RemoteTruth, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    work = f"{remote.work}/mentions"
    truth.remove(work)
    fill(truth, work)
    binary = opencode_binary(request.param)
    home = OpenCodeHome(
        tmp_path_factory.mktemp("mentions") / "opencode",
        binary,
        {"command": COMMANDS},
        environment={
            "REMOTE_SSH": remote.server.ssh_command,
            "REMOTE_WORKDIR": work,
            "PYBRIDGE_OPENCODE": str(binary),
        },
        images=True,
    )
    with OpenCodeServe(home, launcher=LAUNCH) as serve:
        anchor = Path(serve.request("GET", "/path")["directory"])
        (anchor / "decoy").mkdir()
        (anchor / "decoy" / "app.py").write_text(LOCAL)
        (anchor / "shot.png").write_bytes(PNG + LOCAL.encode())
        yield Desk(serve, anchor, work)
    assert wait_until_none(home.home) == []
    truth.remove(work)


def test_a_word_of_the_text_brings_the_remotes_file(desk: Desk, truth: RemoteTruth) -> None:
    path = f"{desk.work}/src/app.py"
    text = "Look at @src/app.py, please."
    said = desk.say(text)
    reminder = (
        f"\n\n<system-reminder>\nInstructions from: {desk.work}/src/AGENTS.md\nrules of src\n\n</system-reminder>"
    )
    assert said.model == [text, called(path), shown(path, "one", "two", "three", "four") + reminder]
    [mention] = [part for part in said.parts if part["type"] == "file"]
    assert (mention["mime"], mention["filename"]) == ("text/plain", "src/app.py")
    place = mention["source"]["text"]
    assert text[place["start"] : place["end"]] == place["value"] == "@src/app.py"
    assert [part.get("synthetic", False) for part in said.parts] == [False, True, True, False]
    # Taken back and sent again, as the terminal interface does it after /undo: read anew, once.
    truth.write(path, b"changed\n")
    again = desk.say(text + " Again.", {key: mention[key] for key in ("type", "mime", "url", "filename", "source")})
    truth.write(path, APP)
    assert again.model[1:] == [called(path), shown(path, "changed") + reminder]


def test_lines_folders_images_pdf_and_binary_files(desk: Desk) -> None:
    work = desk.work
    said = desk.say("See @src/app.py#2-3 @docs/ @shot.png (@paper.pdf) and @data.bin")
    page = shown(
        f"{work}/src/app.py", "two", "three", first=2, end="(Showing lines 2-3 of 4. Use offset=4 to continue.)"
    )
    assert said.model[1] == called(f"{work}/src/app.py", offset=2, limit=2)
    assert said.model[2].startswith(page)
    listing = "<type>directory</type>\n<entries>\nmy file.txt\n\n(1 entries)\n</entries>"
    assert said.model[3:5] == [called(f"{work}/docs"), f"<path>{work}/docs</path>\n{listing}"]
    assert said.model[5:8] == [called(f"{work}/shot.png"), "Image read successfully", IMAGE]
    assert said.model[8:10] == [called(f"{work}/paper.pdf"), "PDF read successfully"]
    assert base64.b64encode(PDF).decode() in said.model[10]
    path = f"{work}/data.bin"
    failure = f"Read tool failed to read {path} with the following error: Cannot read binary file: {path}"
    assert said.model[11:] == [called(path), failure]


def test_what_exists_nowhere_is_said_and_what_is_no_file_is_left_alone(desk: Desk) -> None:
    text = (
        "Ask bob@example.com and @alice about @property, @types/node, @app.route('/x.html'), git@host:src/app.py, "
        "`@src/app.py`, @general and @/components/x.tsx; not @src/ap.py or @./nope"
    )
    said = desk.say(text)
    work = desk.work
    assert said.model == [
        text,
        called(f"{work}/src/ap.py"),
        f"Read tool failed to read {work}/src/ap.py with the following error: File not found: {work}/src/ap.py",
        called(f"{work}/nope"),
        f"Read tool failed to read {work}/nope with the following error: File not found: {work}/nope",
    ]


def test_a_file_part_of_a_client_brings_the_remotes_file(desk: Desk) -> None:
    source = {"type": "file", "path": "src/app.py", "text": {"start": 4, "end": 15, "value": "@src/app.py"}}
    mention = attached(desk.anchor / "src/app.py", query="?start=2&end=2", source=source)
    said = desk.say("See @src/app.py", mention, attached(desk.anchor / "docs", "application/x-directory"))
    path = f"{desk.work}/src/app.py"
    assert said.model[1] == called(path, offset=2, limit=1)
    assert "\n2: two\n" in said.model[2]
    assert said.model[3] == called(f"{desk.work}/docs")
    assert "\nmy file.txt\n" in said.model[4]
    assert len(said.model) == 5
    assert [part["mime"] for part in said.parts if part["type"] == "file"] == ["text/plain", "application/x-directory"]


def test_the_local_folder_never_leaks(desk: Desk) -> None:
    """Files in the anchor, which stands for the remote folder, whatever media type the client gives them."""
    (desk.anchor / "decoy" / "src.txt").write_text(LOCAL)
    said = desk.say(
        "See @decoy/app.py",
        attached(desk.anchor / "decoy" / "src.txt"),
        attached(desk.anchor / "decoy", "application/x-directory"),
        attached(desk.anchor / "shot.png", "image/png"),
        attached(desk.anchor / "decoy" / "app.py", "text/x-python"),
    )
    assert LOCAL not in json.dumps(said.parts)
    assert base64.b64encode(LOCAL.encode()).decode() not in json.dumps(said.parts)
    assert [line.rpartition(": ")[2] for line in said.model if line.startswith("Read tool failed")] == [
        f"{desk.work}/decoy/src.txt",
        f"{desk.work}/decoy",
        f"{desk.work}/decoy/app.py",
    ]
    assert IMAGE in said.model  # the one of the remote


@pytest.fixture
def only_here(remote: Remote) -> Iterator[Path]:
    """A folder of this machine that is none of the remote's."""
    folder = remote.work / "of-the-user"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def test_the_users_own_attachments_stay(desk: Desk, only_here: Path, truth: RemoteTruth) -> None:
    """Pasted images, and files of this machine the user attached by path, unless the remote has that path."""
    (only_here / "shot.png").write_bytes(PNG)
    (only_here / "mine.txt").write_text("mine\n")
    pasted = {"type": "file", "mime": "image/png", "filename": "clip", "url": IMAGE}
    note = {"type": "file", "mime": "text/plain", "filename": "n.txt", "url": "data:text/plain;base64,aGVsbG8="}
    mine = [attached(only_here / "shot.png"), attached(only_here / "mine.txt")]
    said = desk.say("See", pasted, *mine, note)
    assert said.model[1] == IMAGE
    assert said.model[2:5] == [called(f"{only_here}/shot.png"), "Image read successfully", IMAGE]
    assert said.model[5].startswith(f"{only_here}/shot.png was read on the user's own machine; ")
    assert said.model[6:8] == [called(f"{only_here}/mine.txt"), shown(f"{only_here}/mine.txt", "mine")]
    assert said.model[8].startswith(f"{only_here}/mine.txt was read on the user's own machine; ")
    assert said.model[9:] == [called("n.txt"), "hello"]
    truth.write(f"{only_here}/mine.txt", b"the remote's\n")
    said = desk.say("See", mine[1])
    truth.remove(str(only_here))
    assert said.model[1:3] == [called(f"{only_here}/mine.txt"), shown(f"{only_here}/mine.txt", "the remote's")]
    assert said.model[3].startswith(f"{only_here}/mine.txt was read on ")
    assert "user's own machine" not in said.model[3]


def test_a_commands_template(desk: Desk) -> None:
    """OpenCode resolves its words against the local root in a folder without git: `@etc/hostname` is a local file."""
    session = desk.serve.session()
    desk.serve.model.play([say("ok")])
    desk.serve.request("POST", f"/session/{session}/command", {"command": "explain", "arguments": ""})
    said = desk.said(session)
    assert called(f"{desk.work}/src/app.py") in said.model
    assert any("\n1: one\n" in text for text in said.model)
    assert called("/etc/hostname") not in said.model
    assert "root:x:" not in json.dumps(said.parts)  # OpenCode's rule for words is wider than ours
    missing = f"{desk.work}/etc/hostname"
    assert f"Read tool failed to read {missing} with the following error: File not found: {missing}" in said.text


def test_a_command_in_a_session_of_its_own(desk: Desk) -> None:
    session = desk.serve.session()
    desk.serve.model.play([say("ok"), say("done")])
    before = len(desk.serve.model.requests)
    desk.serve.request("POST", f"/session/{session}/command", {"command": "aside", "arguments": ""})
    first = desk.serve.model.requests[before]
    content = [m["content"] for m in first.messages if m["role"] == "user"][-1]
    assert any("\n1: one\n" in part["text"] for part in content)


def test_two_mentions_of_a_folders_files_get_its_instructions_once(desk: Desk) -> None:
    said = desk.say("See @src/app.py and @src/other.py")
    assert "\n1: other\n" in said.text
    assert said.text.count("rules of src") == 1


@pytest.mark.whole
def test_opencode_run(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth, only_here: Path
) -> None:
    fill(truth, workdir)
    home = make_home(environment=settings)
    (only_here / "own.txt").write_text("mine\n")
    arguments = ["-f", str(only_here / "own.txt"), "--"]
    run = home.run([say("ok")], launcher=LAUNCH, arguments=arguments, prompt="See @src/app.py")
    assert run.exit_code == 0, run
    content = [m["content"] for m in run.requests[-1].messages if m["role"] == "user"][-1]
    text = "\n".join(part["text"] for part in content)
    assert "\n1: one\n2: two\n" in text
    assert "\n1: mine\n" in text
    assert f"{only_here}/own.txt was read on the user's own machine" in text


@pytest.mark.whole
def test_an_unreachable_remote_is_said_and_nothing_local_is_passed(
    make_home: MakeHome, settings: dict[str, str]
) -> None:
    home = make_home(environment=settings | {"REMOTE_SSH": "-p 1 nobody@127.0.0.1"})
    anchor = anchor_of(home)
    (anchor / "decoy.txt").write_text(LOCAL)
    with OpenCodeServe(home, launcher=LAUNCH) as serve:
        desk = Desk(serve, anchor, "")
        said = desk.say("See @src/app.py, @decoy.txt and @alice", attached(anchor / "decoy.txt"))
        assert said.text.count("Read tool failed to read ") == 2
        assert "127.0.0.1" in said.text
        assert LOCAL not in json.dumps(said.parts)
        assert desk.say("Hello, @alice").model == ["Hello, @alice"]


@pytest.mark.whole
def test_without_a_sidecar_nothing_local_is_passed(make_home: MakeHome, settings: dict[str, str]) -> None:
    home = make_home(environment=settings)
    anchor = anchor_of(home)
    home.environment = {**settings, "PYBRIDGE_PYTHON": "/nonexistent/python3"}
    (anchor / "decoy.txt").write_text(LOCAL)
    (anchor / "shot.png").write_bytes(PNG + LOCAL.encode())
    with OpenCodeServe(home, launcher=LAUNCH) as serve:
        desk = Desk(serve, anchor, "")
        mentions = [attached(anchor / "decoy.txt"), attached(anchor / "shot.png", "image/png"), attached(anchor)]
        said = desk.say("See @decoy.txt", *mentions)
        assert said.text.count("Read tool failed to read ") == 3
        assert "/nonexistent/python3" in said.text
        assert "<entries>" not in said.text
        for secret in (LOCAL, base64.b64encode(LOCAL.encode()).decode()):
            assert secret not in json.dumps(said.parts)


@pytest.mark.whole
def test_typed_in_the_terminal(make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth) -> None:
    """The list of completions knows local files only, and is empty: the word is sent as it was typed."""
    fill(truth, workdir)
    home = make_home(environment=settings)
    turns: tuple[Turn, ...] = (say("the model is done"),)
    with ModelServer(turns) as model:
        home.write_config(model.base_url)
        with Terminal(list(LAUNCH), home.variables(home.project), home.project) as terminal:
            terminal.wait_for("Ask anything", seconds=100)  # nearly all of this test is OpenCode's start
            terminal.type("look at @src/app.py now")
            terminal.wait_for("look at @src/app.py now")
            terminal.type("\r")
            terminal.wait_for("the model is done", "File  src/app.py")
        assert any("\n1: one\n2: two\n" in part for part in model_parts(model))


@pytest.mark.whole
@pytest.mark.parametrize("desk", ["PYBRIDGE_OPENCODE_115"], indirect=True)
def test_the_oldest_opencode(desk: Desk) -> None:
    said = desk.say("See @src/app.py and @decoy/app.py", attached(desk.anchor / "decoy" / "app.py"))
    assert any("\n1: one\n" in text for text in said.model)
    assert LOCAL not in json.dumps(said.parts)
    assert f"File not found: {desk.work}/decoy/app.py" in said.text
