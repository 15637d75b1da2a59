"""What takes the place of local contents in a user's message, and what words add to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pybridge.errors import ConnectionLostError, RemoteError
from pybridge.host.model import Fetch, Fetched
from pybridge.tools.mentions import delivery
from pybridge.tools.mentions.delivery import deliver, undelivered
from pybridge.tools.mentions.user_message import ANYWHERE, UserMessage
from tests.tools.kit import Desk, MemoryHost

HOST = "me@box"
LOCAL = "of this machine"
PNG = b"\x89PNG\r\n\x1a\n123"


class Message:
    """A message as OpenCode makes it."""

    def __init__(self, text: str, folder: Path, worktree: str = "/", agents: tuple[str, ...] = ()) -> None:
        self.folder, self.worktree, self.agents = folder, worktree, agents
        self.parts: list[dict[str, Any]] = []
        self.add(type="text", text=text)

    def add(self, **part: Any) -> Message:
        self.parts.append({"id": f"prt_{len(self.parts):026d}", **part})
        return self

    def read(self, path: Path | str, *answers: dict[str, Any], **more: int) -> Message:
        self.text(f"Called the Read tool with the following input: {json.dumps({'filePath': str(path), **more})}")
        for part in answers:
            self.add(**part)
        return self

    def text(self, text: str) -> Message:
        return self.add(type="text", synthetic=True, text=text)

    def done(self, path: Path, mime: str = "text/plain") -> Message:
        """What OpenCode adds for a file or folder it could read."""
        return self.read(path, _text(LOCAL), {"type": "file", "mime": mime, "filename": "n", "url": path.as_uri()})

    def failed(self, path: Path) -> Message:
        return self.read(path, _text(f"Read tool failed to read {path} with the following error: File not found"))

    def parse(self) -> UserMessage:
        params = {"sessionID": "s", "messageID": "m", "agent": "build", "directory": str(self.folder)}
        return UserMessage.parse(
            {**params, "worktree": self.worktree, "agents": list(self.agents), "parts": self.parts}
        )

    async def deliver(self, desk: Desk) -> list[dict[str, Any]]:
        """The parts as they are to be."""
        new = await deliver(self.parse(), desk.session, HOST)
        return [self.parts[part["keep"]] if "keep" in part else part for part in new]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "synthetic": True, "text": text}


def texts(parts: list[dict[str, Any]]) -> list[str]:
    return [part["text"] for part in parts if part["type"] == "text"]


def files(parts: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(part["mime"], part["filename"], part["url"]) for part in parts if part["type"] == "file"]


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.host.contents |= {"/w/a.py": b"one\ntwo\n", "/w/d/b.png": PNG, "/home/u/n.txt": b"home\n", "/etc/x": b"x\n"}
    return desk


async def test_words_bring_files_in_one_look(desk: Desk, tmp_path: Path) -> None:
    message = Message("@a.py (@d/) @d/b.png! @~/n.txt @/etc/x @no/thing", tmp_path)
    parts = await message.deliver(desk)
    called = [json.loads(t.partition("input: ")[2])["filePath"] for t in texts(parts) if t.startswith("Called")]
    assert called == ["/w/a.py", "/w/d", "/w/d/b.png", "/home/u/n.txt", "/etc/x"]
    assert [mime for mime, _, _ in files(parts)] == [
        "text/plain",
        "application/x-directory",
        "image/png",
        "text/plain",
        "text/plain",
    ]
    assert [part["source"]["text"]["value"] for part in parts if part["type"] == "file"][:3] == [
        "@a.py",
        "@d/",
        "@d/b.png",
    ]
    assert len(desk.host.fetches) == 1 + 5


async def test_ids_sort_as_the_parts_stand(desk: Desk, tmp_path: Path) -> None:
    message = (
        Message("@a.py and", tmp_path)
        .done(Path("/only/here"))
        .done(tmp_path / "d")
        .read(tmp_path / "d/b.png", {**_text("x")})
    )
    message.add(type="file", mime="text/plain", filename="b", url=(tmp_path / "d/b.png").as_uri())
    ids = [part["id"] for part in await message.deliver(desk)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert all(identifier.startswith("prt_") for identifier in ids)


async def test_agents_and_what_a_client_has_completed_are_no_words(desk: Desk, tmp_path: Path) -> None:
    desk.host.contents |= {"/w/general": b"a file\n", "/w/other": b"a file\n"}
    message = Message("@general @other @a.py", tmp_path, agents=("general",))
    message.add(type="agent", name="other", source={"value": "@other", "start": 9, "end": 15})
    assert [word.name for word in message.parse().words] == ["a.py"]


async def test_a_missing_file_is_said_with_its_neighbours(desk: Desk, tmp_path: Path) -> None:
    parts = await Message("@a.p @xa.py @'a.js'", tmp_path).deliver(desk)
    assert texts(parts)[1:] == [
        'Called the Read tool with the following input: {"filePath":"/w/xa.py"}',
        "Read tool failed to read /w/xa.py with the following error: File not found: /w/xa.py\n\n"
        "Did you mean one of these?\n/w/a.py",
    ]


async def test_an_alias_is_no_missing_file_but_a_path_is(desk: Desk, tmp_path: Path) -> None:
    assert len(await Message("@/lib/x.ts", tmp_path).deliver(desk)) == 1
    assert "File not found: /etc/y" in texts(await Message("@/etc/y", tmp_path).deliver(desk))[-1]


async def test_what_was_read_in_the_local_folder_is_replaced(desk: Desk, tmp_path: Path) -> None:
    message = Message("see", tmp_path).done(tmp_path / "a.py").done(tmp_path / "nope.py").failed(tmp_path / "d")
    message.read(tmp_path / "d/b.png", {"type": "file", "mime": "image/png", "filename": "b.png", "url": "data:i,xyz"})
    parts = await message.deliver(desk)
    assert LOCAL not in json.dumps(parts)
    assert "xyz" not in json.dumps(parts)
    assert [name for _, name, _ in files(parts)] == ["n", "d", "b.png"]
    assert "File not found: /w/nope.py" in "\n".join(texts(parts))


async def test_a_work_tree_around_the_folder_is_the_projects_too(desk: Desk, tmp_path: Path) -> None:
    desk.host.contents["/beside.txt"] = b"beside\n"
    folder = tmp_path / "repo" / "sub"
    parts = await Message("see", folder, str(tmp_path / "repo")).done(tmp_path / "repo" / "beside.txt").deliver(desk)
    assert "1: beside" in texts(parts)[2]
    assert len(texts(parts)) == 3


async def test_a_link_out_of_the_local_folder_and_one_into_it(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "anchor"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    (tmp_path / "in").symlink_to(folder)
    message = Message("see", folder).done(folder / "out" / "x.txt").done(tmp_path / "in" / "a.py")
    parts = await message.deliver(desk)
    assert LOCAL not in json.dumps(parts)
    assert "1: one" in "\n".join(texts(parts))


async def test_words_of_a_template_are_the_remotes_whatever_lies_here(desk: Desk, tmp_path: Path) -> None:
    """OpenCode takes them from `/` in a folder without git, and `~` from the user's home."""
    desk.host.contents["/w/etc/passwd"] = b"of the project\n"
    message = Message("@etc/passwd @~/n.txt", tmp_path)
    message.done(Path("/etc/passwd")).done(Path.home() / "n.txt")
    parts = await message.deliver(desk)
    assert LOCAL not in json.dumps(parts)
    assert "1: of the project" in texts(parts)[2]
    assert "1: home" in texts(parts)[4]
    assert len(texts(parts)) == 5


@pytest.mark.parametrize("word", ["etc/passwd", "/etc/passwd", "//etc/passwd", "etc//passwd/", "./etc/./passwd"])
@pytest.mark.parametrize("before", ["", "-", "see `cat ", "x=", "http://h/"])
async def test_whatever_opencode_resolves_is_never_passed_on(
    desk: Desk, tmp_path: Path, word: str, before: str
) -> None:
    """Its rule for words is wider than ours: what it read for one is not what the user attached."""
    parts = await Message(f"{before}@{word}", tmp_path).done(Path("/etc/passwd")).deliver(desk)
    assert LOCAL not in json.dumps(parts)


async def test_the_users_own_file_stays_unless_the_remote_has_one(desk: Desk, tmp_path: Path) -> None:
    message = Message("see", tmp_path).done(Path("/home/me/shot.txt")).done(Path("/etc/x"))
    parts = await message.deliver(desk)
    assert texts(parts)[2:4] == [
        LOCAL,
        "/home/me/shot.txt was read on the user's own machine; me@box, where the tools work, has none.",
    ]
    assert "1: x" in texts(parts)[5]
    assert texts(parts)[6] == "/etc/x was read on me@box, where the tools work."


async def test_what_is_nowhere_at_all(desk: Desk, tmp_path: Path) -> None:
    parts = await Message("see", tmp_path).failed(Path("/no/where.txt")).deliver(desk)
    assert "File not found: /no/where.txt" in texts(parts)[-1]
    parts = (
        await Message("see", tmp_path)
        .text(f"Read tool failed to read {tmp_path}/gone with the following error: File not found")
        .deliver(desk)
    )
    assert "File not found: /w/gone" in texts(parts)[-1]


async def test_pasted_text_and_images_are_left_alone(desk: Desk, tmp_path: Path) -> None:
    message = Message("see", tmp_path).read("n.txt", _text("pasted"))
    message.add(type="file", mime="text/plain", filename="n.txt", url="data:text/plain;base64,cGFzdGVk")
    message.add(type="file", mime="image/png", filename="clip", url="data:image/png;base64,AA==")
    assert not message.parse().asks


async def test_a_mention_of_ours_that_comes_again_is_read_anew(desk: Desk, tmp_path: Path) -> None:
    source = {"type": "file", "path": "a.py", "text": {"value": "@a.py", "start": 0, "end": 5}}
    mention = {"type": "file", "filename": "a.py", "url": ANYWHERE, "source": source}
    message = Message("@a.py and @d/", tmp_path).read("a.py", _text(""), {**mention, "mime": "text/plain"})
    message.add(**mention | {"mime": "application/x-directory", "filename": "d/"})
    parts = await message.deliver(desk)
    assert [name for _, name, _ in files(parts)] == ["a.py", "d/"]
    assert sum("1: one" in text for text in texts(parts)) == 1


async def test_law_9_large_images_come_to_an_end(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MAX_ATTACHED", 20)
    monkeypatch.setattr(delivery, "AT_ONCE", 1)
    desk.host.contents["/w/d/c.png"] = PNG
    parts = await Message("@d/b.png @d/c.png", tmp_path).deliver(desk)
    assert [mime for mime, _, _ in files(parts)] == ["image/png"]
    assert "too many large images" in texts(parts)[-1]


async def test_nothing_is_asked_for(desk: Desk, tmp_path: Path) -> None:
    desk.host.contents["/w/.env"] = b"SECRET=1\n"
    assert "1: SECRET=1" in texts(await Message("@.env", tmp_path).deliver(desk))[-1]


async def test_a_link_that_is_lost_between_two_mentions_is_that_ones_error(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = MemoryHost.look

    def lose(host: MemoryHost, asked: Fetch) -> Fetched:
        if asked.max_bytes and asked.path == "/w/a.py":
            raise ConnectionLostError("The connection ended.")
        return look(host, asked)

    monkeypatch.setattr(MemoryHost, "look", lose)
    parts = await Message("@a.py @/etc/x", tmp_path).deliver(desk)
    assert "failed to read /w/a.py with the following error: The connection ended." in texts(parts)[2]
    assert "1: x" in texts(parts)[4]


def test_an_unreachable_remote_leaves_an_error_for_each_mention(tmp_path: Path) -> None:
    message = Message("@a.py @alice", tmp_path).done(tmp_path / "a.py").done(Path("/home/me/x.txt"))
    parts = undelivered(message.parse(), RemoteError("Nobody answers."))
    assert LOCAL not in json.dumps(parts)
    assert [part["text"] for part in parts if "text" in part][1::2] == [
        "Read tool failed to read a.py with the following error: Nobody answers.",
        "Read tool failed to read /home/me/x.txt with the following error: Nobody answers.",
    ]


@pytest.mark.parametrize("params", [{}, {"parts": [1]}, {"parts": [{"type": "text"}]}, {"agents": [1], "parts": []}])
def test_what_is_no_message_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        UserMessage.parse(params)
