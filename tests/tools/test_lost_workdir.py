"""The workdir is removed, or its mount is gone, while it is worked in: each call says so, and nothing is made there."""

from __future__ import annotations

import shutil

import pytest

from pybridge.errors import FileMissingError, RemoteError, TextNotFoundError
from tests.tools.conftest import Remote
from tests.tools.kit import Call, Desk

PATCH = "*** Begin Patch\n*** {} File: a.txt\n{}\n*** End Patch"

CALLS = [
    ("bash", {"command": "pwd"}),
    ("read", {"filePath": "a.txt"}),
    ("glob", {"pattern": "*"}),
    ("grep", {"pattern": "one"}),
    ("write", {"filePath": "a.txt", "content": "x"}),
    ("write", {"filePath": "deep/er/a.txt", "content": "x"}),
    ("write", {"filePath": "large.txt", "content": "x" * 3_000_000}),
    ("edit", {"filePath": "a.txt", "oldString": "one", "newString": "two"}),
    ("edit", {"filePath": "a.txt", "oldString": "", "newString": "two"}),
    ("apply_patch", {"patchText": PATCH.format("Update", "@@\n-one\n+two")}),
    ("apply_patch", {"patchText": PATCH.format("Add", "+two")}),
]


async def test_every_tool_says_that_the_folder_is_gone_and_works_when_it_is_back(remote: Remote) -> None:
    (remote.folder / "a.txt").write_text("one\n")
    away = remote.folder.with_name("away")
    await remote("read", filePath="a.txt")
    remote.folder.rename(away)
    for tool, arguments in CALLS:
        with pytest.raises(RemoteError) as failed:
            await remote(tool, **arguments)
        assert isinstance(failed.value, FileMissingError), (tool, failed.value)
        assert f"The folder {remote.folder}, in which this session works, does not exist" in str(failed.value), tool
        assert "works again" in str(failed.value) or "work again" in str(failed.value)
        assert not remote.folder.exists(), tool
    away.rename(remote.folder)
    assert "1: one" in (await remote("read", filePath="a.txt")).output
    await remote("edit", filePath="a.txt", oldString="one", newString="two")
    await remote("write", filePath="deep/er/b.txt", content="made\n")
    assert (await remote("bash", command="cat a.txt deep/er/b.txt")).output == "two\nmade\n"


async def test_a_file_in_its_place_is_named(remote: Remote) -> None:
    shutil.rmtree(remote.folder)
    remote.folder.write_text("in the way\n")
    with pytest.raises(FileMissingError, match="is not a folder any more"):
        await remote("read", filePath="a.txt")
    with pytest.raises(RemoteError):
        await remote("write", filePath="a.txt", content="x")
    assert remote.folder.read_text() == "in the way\n"


async def test_what_lies_elsewhere_can_still_be_used(remote: Remote) -> None:
    shutil.rmtree(remote.folder)
    other = remote.folder.with_name("other")
    await remote("write", filePath=f"{other}/new.txt", content="made\n")
    assert (await remote("bash", command=f"mkdir {remote.folder}; cat new.txt", workdir=str(other))).output == "made\n"
    await remote("write", filePath="a.txt", content="again\n")
    assert (remote.folder / "a.txt").read_text() == "again\n"


async def test_an_error_with_another_reason_stays_as_it_is(desk: Desk) -> None:
    desk.host.contents["/w/a.txt"] = b"one\n"
    with pytest.raises(FileMissingError) as missing:
        await desk("read", filePath="/w/none.txt")
    assert str(missing.value) == "File not found: /w/none.txt"
    looks = len(desk.host.fetches)
    with pytest.raises(TextNotFoundError):
        await desk("edit", Call(), filePath="/w/a.txt", oldString="two", newString="three")
    assert len(desk.host.fetches) == looks + 1  # the edit's own: this error cannot come from a lost folder
