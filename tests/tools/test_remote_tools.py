"""Every tool over a real sshd: what the model reads, and what then stands on the remote."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pybridge.errors import (
    CommandFailedError,
    FileChangedError,
    FileMissingError,
    PatchError,
    PermissionRejectedError,
    SpecialFileError,
    ToolError,
)
from pybridge.locations import state_folder
from pybridge.mirror.temporaries import TemporaryRecords
from tests.tools.conftest import Remote
from tests.tools.kit import Call


async def test_D16_bash_shows_both_streams_in_order_of_arrival(remote: Remote) -> None:
    command = "echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three"
    result = await remote("bash", command=command)
    assert result.output == "one\ntwo\nthree\n"
    assert result.title == command
    assert result.metadata == {"output": "one\ntwo\nthree\n", "exit": 0, "truncated": False}


async def test_D16_bash_nonzero_exit_is_an_error_with_output_and_code(remote: Remote) -> None:
    with pytest.raises(CommandFailedError) as caught:
        await remote("bash", command="echo out; echo err >&2; exit 3")
    assert str(caught.value) == "out\nerr\n\nExit code: 3"


async def test_D16_bash_success_with_complaints_on_stderr_is_success(remote: Remote) -> None:
    assert (await remote("bash", command="echo 'permission denied' >&2")).output == "permission denied\n"


async def test_D16_bash_names_the_signal(remote: Remote) -> None:
    with pytest.raises(CommandFailedError, match="Killed by signal KILL$"):
        await remote("bash", command="kill -9 $$")


async def test_D16_bash_timeout_is_a_result_that_says_so(remote: Remote) -> None:
    sleeper = f"sleep 4{os.getpid()}.{id(remote)}"  # like no other's on this machine
    result = await remote("bash", command=f"echo begun; {sleeper}", timeout=700)
    assert result.output == (
        "begun\n\n\n<shell_metadata>\nshell tool terminated command after exceeding timeout 700 ms. If this command is "
        "expected to take longer and is not waiting for interactive input, retry with a larger timeout value in "
        "milliseconds.\n</shell_metadata>"
    )
    assert result.metadata["exit"] is None
    assert (await remote("bash", command=f"pgrep -f '^{sleeper}' || echo none")).output == "none\n"


async def test_D16_bash_abort_is_a_result_that_says_so(remote: Remote) -> None:
    context = Call()
    running = asyncio.ensure_future(remote("bash", context, command="echo begun; sleep 60"))
    while not any("begun" in shown.get("output", "") for shown in context.shown):
        await asyncio.sleep(0.02)
    context.abort.set()
    result = await running
    assert result.output == "begun\n\n\n<shell_metadata>\nUser aborted the command\n</shell_metadata>"


async def test_D16_bash_keeps_the_tail_and_all_of_it_in_a_file_that_read_and_grep_serve(remote: Remote) -> None:
    result = await remote("bash", command="seq 1 100000")
    path = result.metadata["outputPath"]
    assert result.output.startswith(f"...output truncated...\n\nFull output saved to: {path}\n\n")
    assert result.output.endswith("\n99999\n100000\n")
    assert len(result.output.encode()) < 51200 + 200
    assert Path(path).read_text().split() == [str(n) for n in range(1, 100001)]
    page = await remote("read", filePath=path, offset=50_000, limit=1)
    assert "\n50000: 50000\n" in page.output
    found = await remote("grep", pattern="^7777.$", path=path)
    assert found.metadata["matches"] == 10
    assert f"{path}:\n  Line 77770: 77770\n" in found.output


async def test_D16_bash_characters_split_between_pieces_stay_whole(remote: Remote) -> None:
    result = await remote("bash", command=r"printf '\303'; sleep 0.3; printf '\251\n'")
    assert result.output == "é\n"


async def test_bash_missing_workdir_runs_nothing(remote: Remote) -> None:
    marker = remote.folder / "ran"
    with pytest.raises(FileMissingError, match="nope"):
        await remote("bash", command=f"touch {marker}", workdir="nope")
    assert not marker.exists()


async def test_bash_without_output_and_with_a_workdir(remote: Remote) -> None:
    (remote.folder / "sub").mkdir()
    assert (await remote("bash", command="true")).output == "(no output)"
    assert (await remote("bash", command="pwd", workdir="sub")).output == f"{remote.folder}/sub\n"


async def test_D17_glob_newest_first(remote: Remote) -> None:
    for age, name in enumerate(["new.py", "mid.py", "old.py"]):
        (remote.folder / name).touch()
        os.utime(remote.folder / name, (1_700_000_000, 1_700_000_000 - age * 100))
    result = await remote("glob", pattern="*.{py,js}")
    assert result.output.split("\n") == [f"{remote.folder}/{name}" for name in ("new.py", "mid.py", "old.py")]
    assert result.metadata == {"count": 3, "truncated": False}


async def test_D18_grep_takes_a_folder_and_a_single_file(remote: Remote) -> None:
    (remote.folder / "a.txt").write_text("needle\nhay\nneedle two\n")
    (remote.folder / "b.py").write_text("needle\n")
    one = await remote("grep", pattern="needle", path="a.txt")
    assert one.output == (f"Found 2 matches\n{remote.folder}/a.txt:\n  Line 1: needle\n\n  Line 3: needle two\n")
    assert one.metadata == {"matches": 2, "truncated": False}
    python = await remote("grep", pattern="needle", include="*.py")
    assert python.output == f"Found 1 matches\n{remote.folder}/b.py:\n  Line 1: needle\n"


async def test_D18_grep_shows_matches_that_are_not_utf8(remote: Remote) -> None:
    (remote.folder / "latin.txt").write_bytes(b"caf\xe9 needle\n")
    result = (await remote("grep", pattern="needle")).to_json()
    assert "Line 1: caf\ufffd needle" in result["output"]


@pytest.mark.parametrize("line", [b"z" * 2500, b"z" * 2500 + b"\xff"])
async def test_D18_grep_finds_a_line_that_matches_in_very_many_places(remote: Remote, line: bytes) -> None:
    (remote.folder / "f.txt").write_bytes(line + b"\nz\n")
    result = await remote("grep", pattern="z")
    shown = "z" * 2000
    assert result.output == f"Found 2 matches\n{remote.folder}/f.txt:\n  Line 1: {shown}...\n  Line 2: z\n"


async def test_D19_read_pages_a_file(remote: Remote) -> None:
    path = remote.folder / "f.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n" + b"x\n" * 2998)
    result = await remote("read", filePath=str(path))
    assert result.title == "f.txt"
    assert result.output.startswith(f"<path>{path}</path>\n<type>file</type>\n<content>\n1: one\n2: two\n3: x\n")
    assert result.output.endswith(
        "\n2000: x\n\n(Showing lines 1-2000 of 3000. Use offset=2001 to continue.)\n</content>"
    )
    rest = await remote("read", filePath="f.txt", offset=2999)
    assert rest.output.endswith("\n2999: x\n3000: x\n\n(End of file - total 3000 lines)\n</content>")


async def test_D19_read_cuts_the_lines_of_a_large_file_out_on_the_remote(remote: Remote) -> None:
    path = remote.folder / "large.txt"
    path.write_text("".join(f"line {n} {'ü' * 40}\n" for n in range(1, 60_001)))
    result = await remote("read", filePath=str(path), offset=30_000, limit=2)
    line = "ü" * 40
    assert (
        f"\n30000: line 30000 {line}\n30001: line 30001 {line}\n\n(Showing lines 30000-30001 of 60000." in result.output
    )


async def test_D19_read_lists_a_folder_from_the_remote(remote: Remote) -> None:
    folder = remote.folder / "d"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.txt", "A.txt", ".hidden"):
        (folder / name).touch()
    (folder / "link").symlink_to("sub")
    result = await remote("read", filePath=str(folder))
    assert result.output == (
        f"<path>{folder}</path>\n<type>directory</type>\n<entries>\n.hidden\nA.txt\nb.txt\nlink/\nsub/\n\n"
        "(5 entries)\n</entries>"
    )


async def test_D20_read_tells_text_from_binary(remote: Remote) -> None:
    (remote.folder / "text").write_text("plain\n")
    (remote.folder / "link.bin").symlink_to("text")
    (remote.folder / "nul").write_bytes(b"a\0b")
    os.mkfifo(remote.folder / "fifo")
    assert "1: plain" in (await remote("read", filePath="link.bin")).output
    with pytest.raises(ToolError, match=r"Cannot read binary file: .*/nul$"):
        await remote("read", filePath="nul")
    with pytest.raises(SpecialFileError, match="fifo"):
        await remote("read", filePath="fifo")
    assert "Linux version" in (await remote("read", filePath="/proc/version")).output


async def test_read_missing_file_names_those_alike(remote: Remote) -> None:
    (remote.folder / "settings.json").touch()
    with pytest.raises(FileMissingError) as caught:
        await remote("read", filePath="Settings.js")
    assert str(caught.value) == (
        f"File not found: {remote.folder}/Settings.js\n\nDid you mean one of these?\n{remote.folder}/settings.json"
    )


async def test_read_shows_an_image_as_it_is(remote: Remote) -> None:
    (remote.folder / "dot").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    answer = (await remote("read", filePath="dot")).to_json()
    assert answer["output"] == "Image read successfully"
    assert answer["attachments"][0]["url"].startswith("data:image/png;base64,iVBORw0KGgo")


async def test_read_appends_the_instructions_of_the_folder_once(remote: Remote) -> None:
    folder = remote.folder / "pkg" / "inner"
    folder.mkdir(parents=True)
    (remote.folder / "AGENTS.md").write_text("of the root\n")
    (remote.folder / "pkg" / "AGENTS.md").write_text("be nice\n")
    (folder / "f.py").write_text("pass\n")
    first = await remote("read", filePath=str(folder / "f.py"))
    path = f"{remote.folder}/pkg/AGENTS.md"
    assert first.output.endswith(
        f"\n</content>\n\n<system-reminder>\nInstructions from: {path}\nbe nice\n\n</system-reminder>"
    )
    assert first.metadata["loaded"] == [path]
    assert "system-reminder" not in (await remote("read", filePath=str(folder / "f.py"))).output
    assert "be nice" in (await remote("read", Call("ses_2", message_id="msg_2"), filePath=str(folder / "f.py"))).output


async def test_D21_write_creates_and_replaces_with_a_diff_in_the_question(remote: Remote) -> None:
    path = remote.folder / "new" / "f.txt"
    created = await remote("write", filePath=str(path), content="one\n")
    assert (created.output, created.title) == ("Wrote file successfully.", "new/f.txt")
    assert created.metadata == {"diagnostics": {}, "filepath": str(path), "exists": False}
    path.write_bytes(b"\xef\xbb\xbfone\n")
    context = Call("ses_2")
    await remote("write", context, filePath=str(path), content="two\n")
    assert path.read_bytes() == b"\xef\xbb\xbftwo\n"
    (ask,) = context.asks
    assert (ask.permission, ask.patterns, ask.always) == ("edit", ["new/f.txt"], ["*"])
    assert ask.metadata["diff"].endswith("@@ -1,1 +1,1 @@\n-one\n+two\n")


async def test_D21_write_onto_what_someone_changed_since_it_was_read(remote: Remote) -> None:
    path = remote.folder / "f.txt"
    path.write_text("one\n")
    await remote("read", filePath=str(path))
    path.write_text("theirs\n")
    with pytest.raises(FileChangedError, match="changed since it was read; read it again"):
        await remote("write", filePath=str(path), content="mine\n")
    assert path.read_text() == "theirs\n"
    await remote("read", filePath=str(path))
    await remote("write", filePath=str(path), content="mine\n")
    await remote("write", filePath=str(path), content="mine again\n")
    assert path.read_text() == "mine again\n"


async def test_D22_edit_keeps_line_ends_mark_and_mode(remote: Remote) -> None:
    path = remote.folder / "f.sh"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    path.chmod(0o755)
    result = await remote("edit", filePath=str(path), oldString="one\ntwo", newString="1\n2")
    assert result.output == "Edit applied successfully."
    assert path.read_bytes() == b"\xef\xbb\xbf1\r\n2\r\n"
    assert path.stat().st_mode & 0o777 == 0o755
    assert result.metadata["filediff"]["additions"] == 2


async def test_D24_parallel_edits_of_one_file_all_arrive(remote: Remote) -> None:
    path = remote.folder / "f.txt"
    path.write_text("".join(f"line {n};\n" for n in range(10)))
    await asyncio.gather(
        *(remote("edit", filePath=str(path), oldString=f"line {n};", newString=f"LINE {n};") for n in range(10))
    )
    assert path.read_text() == "".join(f"LINE {n};\n" for n in range(10))


async def test_D23_apply_patch_adds_changes_moves_and_deletes(remote: Remote) -> None:
    (remote.folder / "a.txt").write_bytes(b"one\r\ntwo\r\n")
    (remote.folder / "m.txt").write_text("old\n")
    (remote.folder / "m.txt").chmod(0o640)
    (remote.folder / "d.txt").write_text("gone\n")
    patch = (
        "*** Begin Patch\n*** Update File: a.txt\n@@\n one\n-two\n+2\n*** Add File: n/new.txt\n+hi\n"
        "*** Delete File: d.txt\n*** Update File: m.txt\n*** Move to: moved.txt\n@@\n-old\n+new\n*** End Patch"
    )
    result = await remote("apply_patch", patchText=patch)
    assert result.output == ("Success. Updated the following files:\nM a.txt\nA n/new.txt\nD d.txt\nM moved.txt")
    assert (remote.folder / "a.txt").read_bytes() == b"one\r\n2\r\n"
    assert (remote.folder / "n/new.txt").read_text() == "hi\n"
    assert (remote.folder / "moved.txt").read_text() == "new\n"
    assert (remote.folder / "moved.txt").stat().st_mode & 0o777 == 0o640
    assert not (remote.folder / "d.txt").exists() and not (remote.folder / "m.txt").exists()


async def test_D23_apply_patch_takes_a_unified_diff(remote: Remote) -> None:
    (remote.folder / "a.txt").write_text("one\ntwo\n")
    patch = "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    assert (await remote("apply_patch", patchText=patch)).output.endswith("\nM a.txt")
    assert (remote.folder / "a.txt").read_text() == "one\n2\n"


async def test_D23_a_patch_that_does_not_fit_changes_nothing(remote: Remote) -> None:
    (remote.folder / "a.txt").write_text("one\n")
    patch = "*** Begin Patch\n*** Add File: new.txt\n+x\n*** Update File: a.txt\n@@\n-other\n+2\n*** End Patch"
    with pytest.raises(PatchError, match="Failed to find expected lines in .*a.txt:\nother"):
        await remote("apply_patch", patchText=patch)
    assert sorted(p.name for p in remote.folder.iterdir()) == [".git", "a.txt"]


async def test_D27_a_change_by_someone_else_is_merged_not_lost(remote: Remote) -> None:
    path = remote.folder / "f.txt"
    path.write_text("one\ntwo\n")
    context = Call(on_ask=lambda ask: path.write_text("one\ntwo\nthree\n") if "three" not in path.read_text() else None)
    await remote("edit", context, filePath=str(path), oldString="one", newString="1")
    assert path.read_text() == "1\ntwo\nthree\n"
    assert len(context.asked("edit")) == 2


async def test_D25_names_and_patterns_are_never_read_by_a_shell(remote: Remote) -> None:
    name = "$(touch pwned) 'it`s'; -n.txt"
    await remote("write", filePath=name, content="needle\n")
    assert "1: needle" in (await remote("read", filePath=name)).output
    await remote("edit", filePath=name, oldString="needle", newString="$(touch pwned)")
    assert (await remote("glob", pattern="*$(touch pwned)*")).metadata["count"] == 1
    assert (await remote("grep", pattern=r"\$\(touch pwned\)", path=name)).metadata["matches"] == 1
    assert sorted(p.name for p in remote.folder.iterdir()) == sorted([name, ".git"])


async def test_nothing_is_left_on_the_remote(remote: Remote) -> None:
    await remote("write", filePath="f.txt", content="one\n")
    await remote("edit", filePath="f.txt", oldString="one", newString="two")
    assert [p.name for p in remote.folder.rglob("*") if p.name != ".git"] == ["f.txt"]
    assert TemporaryRecords(state_folder() / "temporaries", "test-host").pending() == []


async def test_D26_what_is_read_again_comes_from_the_mirror_only_if_it_still_stands(remote: Remote) -> None:
    path = remote.folder / "f.txt"
    path.write_text("one\n")
    await remote("read", filePath=str(path))
    kept = remote.session.store.get(str(path))
    assert kept is not None and kept[1] == b"one\n"
    path.write_text("two\n")
    assert "1: two" in (await remote("read", filePath=str(path))).output


async def test_a_refused_file_leaves_no_copy_here(remote: Remote) -> None:
    path = remote.folder.parent / "outside.txt"
    path.write_text("private\n")
    with pytest.raises(PermissionRejectedError):
        await remote("read", Call(refuse=frozenset({"external_directory"})), filePath=str(path))
    assert remote.session.store.get(str(path)) is None
    await remote("read", filePath=str(path))
    assert remote.session.store.get(str(path)) is not None
