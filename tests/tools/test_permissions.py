"""Which path is meant, how it is shown, what is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path, PureWindowsPath

import pytest

from pybridge.errors import CancelledByUserError, PermissionRejectedError, ToolArgumentsError
from pybridge.host.model import Fetched
from pybridge.tools.permissions import is_inside, relative, remote_path
from tests.tools.kit import REJECTION, Call, Desk, memory_desk

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("a/b", "/w/a/b"),
        ("", "/w"),
        ("/etc/hosts", "/etc/hosts"),
        ("a/../../x", "/x"),
        ("~/n", "/home/u/n"),
        (r"C:\anchor\src\a.py", "/w/src/a.py"),
    ],
)
def test_D12_every_spelling_becomes_a_remote_absolute_path(desk: Desk, given: str, meant: str) -> None:
    desk.session.anchors = (PureWindowsPath(r"C:\anchor"),)
    assert remote_path(desk.session, given) == meant


def test_a_path_with_a_nul_is_refused(desk: Desk) -> None:
    with pytest.raises(ToolArgumentsError):
        remote_path(desk.session, "a\0b")


async def test_D12_the_answer_names_the_remote_path_not_the_local_one(desk: Desk, tmp_path: Path) -> None:
    desk.session.anchors = (tmp_path / "anchor",)
    desk.host.contents["/w/src/a.py"] = b"x\n"
    result = await desk("read", filePath=str(tmp_path / "anchor" / "src" / "a.py"))
    assert result.output.startswith("<path>/w/src/a.py</path>")
    assert str(tmp_path) not in str(result.to_json())


def test_paths_are_shown_from_the_work_tree(tmp_path: Path) -> None:
    nested = memory_desk(tmp_path, workdir="/w/sub", worktree="/w").session
    assert relative(nested, "/w/sub/a") == "sub/a"
    assert relative(nested, "/w") == ""
    assert relative(nested, "/etc") == "../etc"
    assert is_inside(nested, "/w/other")


def test_a_work_tree_that_is_the_root_is_no_workspace(tmp_path: Path) -> None:
    bare = memory_desk(tmp_path, workdir="/w", worktree="/").session
    assert relative(bare, "/w/a") == "w/a"
    assert is_inside(bare, "/w/a") and not is_inside(bare, "/etc")


OUTSIDE = [
    ("read", {"filePath": "../etc/x"}),
    ("read", {"filePath": "link/x"}),
    ("write", {"filePath": "link/x", "content": "mine"}),
    ("edit", {"filePath": "link/x", "oldString": "text", "newString": "mine"}),
    ("grep", {"pattern": "t", "path": "link/x"}),
    ("apply_patch", {"patchText": "*** Begin Patch\n*** Delete File: link/x\n*** End Patch"}),
]


@pytest.mark.parametrize(("tool", "args"), OUTSIDE)
async def test_D13_a_way_out_of_the_workspace_is_asked_before_anything_is_shown_or_done(
    desk: Desk, tool: str, args: dict[str, str]
) -> None:
    desk.host.contents |= {"/w/a": b"", "/etc/x": b"text"}
    desk.host.links["/w/link"] = "/etc"
    context = Call(refuse=frozenset({"external_directory"}))
    with pytest.raises(PermissionRejectedError) as caught:
        await desk(tool, context, **args)
    assert str(caught.value) == REJECTION
    assert context.asks[-1].permission == "external_directory"
    assert context.asks[-1].patterns == context.asks[-1].always == ["/etc/*"]
    assert context.asks[-1].metadata == {"filepath": "/etc/x", "parentDir": "/etc"}
    assert desk.host.applies == [] and desk.host.searches == []


async def test_D13_a_folder_outside_is_asked_for_itself(desk: Desk) -> None:
    desk.host.contents["/etc/x"] = b""
    context = Call()
    await desk("glob", context, pattern="*", path="/etc")
    await desk("read", context, filePath="/etc")
    assert context.asked("external_directory") == [["/etc/*"], ["/etc/*"]]


async def test_D13_rules_see_where_a_symlink_leads(desk: Desk) -> None:
    desk.host.contents["/w/.env"] = b"SECRET=1\n"
    desk.host.links["/w/notes.txt"] = "/w/.env"
    context = Call()
    await desk("read", context, filePath="notes.txt")
    assert context.asked("read") == [["notes.txt", ".env"]]


async def test_a_workdir_reached_through_a_symlink_is_no_way_out(desk: Desk) -> None:
    desk.host.contents["/w/a"] = b"x\n"
    desk.host.links["/home/u/project"] = "/w"
    context = Call()
    await desk("read", context, filePath="~/project/a")
    assert context.asked("external_directory") == []


async def test_what_each_tool_asks(desk: Desk) -> None:
    desk.host.contents["/w/a"] = b"x\n"
    context = Call()
    await desk("read", context, filePath="a")
    await desk("glob", context, pattern="*.py", path="/w")
    await desk("grep", context, pattern="x", include="*.c")
    await desk("edit", context, filePath="a", oldString="x", newString="y")
    assert [(a.permission, a.patterns, a.always) for a in context.asks] == [
        ("read", ["a"], ["*"]),
        ("glob", ["*.py"], ["*"]),
        ("grep", ["x"], ["*"]),
        ("edit", ["a"], ["*"]),
    ]
    assert context.asks[1].metadata == {"pattern": "*.py", "path": "/w"}
    assert context.asks[2].metadata == {"pattern": "x", "include": "*.c"}
    assert set(context.asks[3].metadata) == {"filepath", "diff"}


async def test_a_patch_asks_for_each_file_outside_and_once_for_all_it_changes(desk: Desk) -> None:
    """In the patch's order, a file twice where it has two sections; a target of a move after them."""
    desk.host.contents |= {"/w/a": b"1\n2\n", "/etc/x": b"x\n", "/etc/y": b"y\n"}
    context = Call()
    patch = ["*** Update File: a", "@@", "-1", "+one", "*** Delete File: /etc/x", "*** Delete File: /etc/y"]
    patch += ["*** Update File: a", "*** Move to: b", "@@", "-2", "+two"]
    await desk("apply_patch", context, patchText="\n".join(["*** Begin Patch", *patch, "*** End Patch"]))
    assert context.asked("external_directory") == [["/etc/*"], ["/etc/*"]]
    assert [ask.metadata["filepath"] for ask in context.asks[:2]] == ["/etc/x", "/etc/y"]
    assert context.asked("edit") == [["a", "../etc/x", "../etc/y", "a", "b"]]
    assert context.asks[2].metadata["filepath"] == "a, ../etc/x, ../etc/y, a"


async def test_an_abort_ends_a_wait_for_the_remote(desk: Desk) -> None:
    """What only looks is not waited for any more; nothing is asked or done after it."""
    begun = asyncio.Event()

    async def hang(requests: object) -> list[Fetched]:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    desk.host.fetch = hang  # type: ignore[method-assign]
    for tool, args in OUTSIDE:
        begun.clear()
        context = Call()
        running = asyncio.ensure_future(desk(tool, context, **args))
        await begun.wait()
        asked = len(context.asks)
        context.abort.set()
        with pytest.raises(CancelledByUserError):
            await running
        assert len(context.asks) == asked
    assert desk.host.applies == [] and desk.host.searches == []
