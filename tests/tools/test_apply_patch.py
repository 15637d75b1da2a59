"""apply_patch: one question, one round trip, all or nothing, on a host that is a dictionary."""

from __future__ import annotations

import pytest

from pybridge.errors import FileChangedError, PatchError, PermissionRejectedError
from tests.tools.kit import Ask, Call, Desk

pytestmark = pytest.mark.unit


def patch(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


async def test_D23_all_files_are_one_question_and_two_round_trips(desk: Desk) -> None:
    desk.host.contents |= {f"/w/{n}.txt": b"old\n" for n in range(20)}
    text = patch(*(line for n in range(20) for line in (f"*** Update File: {n}.txt", "@@", "-old", "+new")))
    context = Call()
    result = await desk("apply_patch", context, patchText=text)
    assert set(desk.host.contents.values()) == {b"new\n"}
    assert (len(desk.host.fetches), len(desk.host.applies), len(context.asks)) == (1, 1, 1)
    assert context.asks[0].patterns == [f"{n}.txt" for n in range(20)]
    assert result.title == result.output
    assert [f["type"] for f in result.metadata["files"]] == ["update"] * 20


async def test_D23_metadata_of_every_kind(desk: Desk) -> None:
    desk.host.contents |= {"/w/m": b"a\nold\n", "/w/d": b"x\n"}
    text = patch(
        "*** Add File: n", "+new", "*** Delete File: d", "*** Update File: m", "*** Move to: sub/m", "@@", "-old"
    )
    context = Call()
    result = await desk("apply_patch", context, patchText=text)
    files = result.metadata["files"]
    shown = [(f["type"], f["filePath"], f["relativePath"], f["additions"], f["deletions"]) for f in files]
    assert shown == [
        ("add", "/w/n", "n", 1, 0),
        ("delete", "/w/d", "d", 0, 2),
        ("move", "/w/m", "sub/m", 0, 1),
    ]
    assert files[2]["movePath"] == "/w/sub/m" and "movePath" not in files[0]
    assert result.metadata["diff"] == "".join(f["patch"] + "\n" for f in files)
    assert result.metadata["diagnostics"] == {}
    assert result.output == "Success. Updated the following files:\nA n\nD d\nM sub/m"
    assert context.asks[0].metadata == {"filepath": "n, d, m", "diff": result.metadata["diff"], "files": files}
    assert context.asks[0].patterns == ["n", "d", "m", "sub/m"]
    assert desk.host.contents == {"/w/n": b"new\n", "/w/sub/m": b"a\n"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "patchText is required"),
        ("*** Begin Patch\n*** End Patch", "patch rejected: empty patch"),
        ("junk", "apply_patch verification failed: Error: Invalid patch format: missing Begin/End markers"),
        (patch("junk"), "apply_patch verification failed: no hunks found"),
        (
            patch("*** Update File: gone", "@@", "-a", "+b"),
            "apply_patch verification failed: Failed to read file to update: /w/gone",
        ),
        (patch("*** Delete File: gone"), "apply_patch verification failed: Failed to read file to delete: /w/gone"),
        (
            patch("*** Update File: d", "@@", "-a", "+b"),
            "apply_patch verification failed: Failed to read file to update: /w/d",
        ),
        (
            patch("*** Update File: f", "@@ def x", "-a", "+b"),
            "apply_patch verification failed: Error: Failed to find context 'def x' in /w/f",
        ),
        (
            patch("*** Update File: f", "@@", "-a", "+b"),
            "apply_patch verification failed: Error: Failed to find expected lines in /w/f:\na",
        ),
    ],
)
async def test_D23_errors_name_what_does_not_fit(desk: Desk, text: str, message: str) -> None:
    desk.host.contents |= {"/w/f": b"text\n", "/w/d/f": b""}
    context = Call()
    with pytest.raises(PatchError) as caught:
        await desk("apply_patch", context, patchText=text)
    assert str(caught.value).startswith(message)
    assert (context.asks, desk.host.applies) == ([], [])


@pytest.mark.parametrize("how", [("*** Add File: there", "+mine"), ("*** Update File: f", "*** Move to: there")])
async def test_law_3_a_file_that_exists_is_not_overwritten(desk: Desk, how: tuple[str, ...]) -> None:
    desk.host.contents |= {"/w/there": b"theirs\n", "/w/f": b"f\n"}
    with pytest.raises(PatchError, match="already exists: /w/there"):
        await desk("apply_patch", patchText=patch(*how))
    assert desk.host.contents["/w/there"] == b"theirs\n"


async def test_a_file_may_be_deleted_and_added_and_changed_twice(desk: Desk) -> None:
    desk.host.contents |= {"/w/f": b"old\n", "/w/g": b"1\n2\n"}
    text = patch(
        *("*** Delete File: f", "*** Add File: f", "+new"),
        *("*** Update File: g", "@@", "-1", "+one", "*** Update File: g", "@@", "-2", "+two"),
    )
    await desk("apply_patch", patchText=text)
    assert desk.host.contents == {"/w/f": b"new\n", "/w/g": b"one\ntwo\n"}
    assert [c.path for c in desk.host.applies[0]] == ["/w/f", "/w/g"]


async def test_a_moved_file_is_put_before_it_is_removed_and_keeps_its_mode(desk: Desk) -> None:
    desk.host.contents["/w/a"] = b"x\n"
    await desk("apply_patch", patchText=patch("*** Update File: a", "*** Move to: b", "@@", "-x", "+y"))
    put, removed = desk.host.applies[0]
    assert (put.path, put.content, put.mode_from) == ("/w/b", b"y\n", "/w/a")
    assert (removed.path, removed.content) == ("/w/a", None)


async def test_D27_a_patch_is_computed_again_on_what_changed(desk: Desk) -> None:
    desk.host.contents |= {"/w/a": b"1\n2\n", "/w/b": b"x\n"}
    context = Call()

    def meanwhile(ask: Ask) -> None:
        if len(context.asks) == 1:
            desk.host.contents["/w/a"] = b"1\n2\n3\n"

    context.on_ask = meanwhile
    text = patch("*** Update File: a", "@@", "-1", "+one", "*** Update File: b", "@@", "-x", "+y")
    await desk("apply_patch", context, patchText=text)
    assert desk.host.contents == {"/w/a": b"one\n2\n3\n", "/w/b": b"y\n"}
    assert len(context.asks) == 2


async def test_D27_a_patch_that_fits_no_more_changes_nothing(desk: Desk) -> None:
    desk.host.contents |= {"/w/a": b"1\n", "/w/b": b"x\n"}
    context = Call(on_ask=lambda ask: desk.host.contents.update({"/w/a": b"other\n"}))
    text = patch("*** Update File: b", "@@", "-x", "+y", "*** Update File: a", "@@", "-1", "+one")
    with pytest.raises(FileChangedError) as caught:
        await desk("apply_patch", context, patchText=text)
    assert "/w/a was changed by someone else" in str(caught.value)
    assert "Read the files again" in str(caught.value)
    assert desk.host.contents == {"/w/a": b"other\n", "/w/b": b"x\n"}


async def test_a_rejected_patch_changes_nothing(desk: Desk) -> None:
    with pytest.raises(PermissionRejectedError):
        await desk("apply_patch", Call(refuse=frozenset({"edit"})), patchText=patch("*** Add File: f", "+x"))
    assert desk.host.applies == []


async def test_every_way_into_the_workspace_is_asked(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"x\n"
    context = Call(refuse=frozenset({"external_directory"}))
    with pytest.raises(PermissionRejectedError):
        await desk(
            "apply_patch", context, patchText=patch("*** Update File: f", "*** Move to: /etc/f", "@@", "-x", "+y")
        )
    assert context.asked("external_directory") == [["/etc/*"]]
