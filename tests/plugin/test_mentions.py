"""The plugin's part in mentions: it carries the message to the sidecar; without an answer nothing local passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.plugin.kit import Plugin, fake_python

MESSAGE = {"id": "msg_1", "sessionID": "ses_1", "agent": "build"}
CALLED = 'Called the Read tool with the following input: {"filePath":"/a/x"}'
LOCAL = "the content on this machine"


def part(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"prt_{number}", "messageID": "msg_1", "sessionID": "ses_1", "type": "text", **more}


def synthetic(number: int, text: str) -> dict[str, Any]:
    return part(number, text=text, synthetic=True)


def file(number: int, url: str, **more: Any) -> dict[str, Any]:
    return part(number, **{"type": "file", "mime": "text/plain", "filename": "x", "url": url, **more})


async def send(plugin: Plugin, *parts: dict[str, Any]) -> list[dict[str, Any]]:
    return await plugin.do("message", name="a", message=MESSAGE, parts=list(parts))


async def test_the_sidecars_parts_take_the_place_of_the_messages(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(directory=tmp_path)
        first = part(0, text="see @a.py", more="kept")
        assert await send(plugin, first) == [
            first,
            {"id": "prt_new0", "messageID": "msg_1", "sessionID": "ses_1", "type": "text", "text": "a.py"},
        ]


async def test_a_message_without_an_at_sign_never_waits_for_the_sidecar(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path, "exec sleep 60")) as plugin:
        await plugin.load(directory=tmp_path, startTimeout=60_000)
        parts = [part(0, text="hello"), file(1, "data:image/png;base64,AA==", mime="image/png")]
        assert await send(plugin, *parts) == parts


async def test_without_a_sidecar_nothing_read_here_passes(tmp_path: Path) -> None:
    own = file(5, "data:image/png;base64,AA==", mime="image/png")
    parts = [
        part(0, text="see @x"),
        *(synthetic(1, CALLED), synthetic(2, LOCAL), file(3, "file:///a/x")),
        *(synthetic(4, CALLED), file(6, f"data:image/png;base64,{LOCAL}", mime="image/png")),
        own,
        *(synthetic(7, CALLED), synthetic(8, "Image read"), file(9, f"data:image/png,{LOCAL}", synthetic=True)),
        synthetic(10, "Use the above message"),
    ]
    async with Plugin(Path("/nonexistent/python3")) as plugin:
        await plugin.load(directory=tmp_path)
        kept = await send(plugin, *parts)
        assert LOCAL not in json.dumps(kept)
        assert [p["id"] for p in kept] == [f"prt_{n}" for n in (0, 1, 2, 4, 6, 5, 7, 8, 10)]
        assert "/nonexistent/python3" in kept[2]["text"]
        assert own in kept
        assert await send(plugin, part(0, text="only a word: @x")) == [part(0, text="only a word: @x")]


async def test_a_refused_instance_passes_nothing_read_here(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path), env={"REMOTE_ANCHOR": str(tmp_path)}) as plugin:
        await plugin.load(directory="/usr")
        kept = await send(
            plugin, part(0, text="see"), synthetic(1, CALLED), synthetic(2, LOCAL), file(3, "file:///a/x")
        )
        assert "only the folder" in kept[2]["text"]
        assert len(kept) == 3


async def test_a_sidecar_that_hangs_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path, "exec sleep 60")) as plugin:
        await plugin.load(directory=tmp_path, startTimeout=300)
        kept = await send(plugin, synthetic(1, CALLED), synthetic(2, LOCAL), file(3, "file:///a/x"))
        assert "did not answer" in kept[1]["text"]


async def test_the_folder_of_a_loaded_skill_is_told(tmp_path: Path) -> None:
    told = tmp_path / "told"
    async with Plugin(fake_python(tmp_path), env={"FAKE_SKILL": str(told)}) as plugin:
        await plugin.load(directory=tmp_path)
        await plugin.call()
        for tool in ("skill", "other"):
            metadata = {"dir": f"/a/{tool}"}
            await plugin.do("after", name="a", asked={"tool": tool, "callID": "c"}, result={"metadata": metadata})
        await plugin.call(key="later")
        assert told.read_text() == "/a/skill"


async def test_a_deleted_session_is_forgotten(tmp_path: Path) -> None:
    forgotten = tmp_path / "forgotten"
    async with Plugin(fake_python(tmp_path), env={"FAKE_FORGOTTEN": str(forgotten)}) as plugin:
        await plugin.load(directory=tmp_path)
        await plugin.call()
        for kind in ("session.updated", "session.deleted"):
            event = {"type": kind, "properties": {"info": {"id": f"ses of {kind}"}}}
            await plugin.do("event", name="a", event=event)
        await plugin.call(key="later")
        assert forgotten.read_text() == "ses of session.deleted"
