"""Commands of the user's own: where they run, and what is passed on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from pybridge.host.model import Command, CommandResult
from pybridge.tools import user_command
from pybridge.transport.process import Stream
from tests.tools.kit import Desk


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    folder = tmp_path / "anchor"
    (folder / "sub" / "deeper").mkdir(parents=True)
    return folder


def working_folder(desk: Desk, anchor: Path, folder: Path) -> str:
    return user_command.working_folder(replace(desk.session, anchors=(anchor,)), str(folder))


@pytest.mark.unit
def test_the_anchor_stands_for_the_workdir_by_any_spelling(desk: Desk, anchor: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(anchor)
    for one, other in ((anchor, anchor), (link, anchor), (anchor, link), (anchor, anchor / "sub" / "..")):
        assert working_folder(desk, one, other) == "/w"
    assert working_folder(desk, link, anchor / "sub" / "deeper") == "/w/sub/deeper"


@pytest.mark.unit
def test_every_other_folder_stands_for_the_workdir(desk: Desk, anchor: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "anchored", Path("/"), Path("/no/such/folder")):
        assert working_folder(desk, anchor, folder) == "/w"
    assert user_command.working_folder(desk.session, "/anywhere") == "/w"


@pytest.mark.unit
async def test_output_is_sent_in_order_before_the_end(desk: Desk) -> None:
    sent: list[tuple[int, bytes]] = []
    asked: list[Command] = []

    class Host:
        async def run(self, command: Command) -> CommandResult:
            asked.append(command)
            command.on_output(Stream.STDOUT, b"one")
            command.on_output(Stream.STDERR, b"two")
            assert command.room is not None
            await command.room()
            assert sent == [(1, b"one"), (2, b"two")]
            command.on_output(Stream.STDOUT, b"three")
            return CommandResult(3, None)

    async def send(stream: int, data: bytes) -> None:
        sent.append((stream, data))

    abort = asyncio.Event()
    session = replace(desk.session, host=Host())  # type: ignore[arg-type]
    ended = await user_command.run(session, "make it", "/", abort, send)
    assert ended.code == 3
    assert sent == [(1, b"one"), (2, b"two"), (1, b"three")]
    assert (asked[0].text, asked[0].workdir, asked[0].timeout, asked[0].abort) == ("make it", "/w", None, abort)
