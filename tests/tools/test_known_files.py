"""A change of a file that is known as it is needs no look before it: one round trip, and never a wrong one (law 3)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pybridge.errors import PermissionRejectedError, RemoteError
from pybridge.host import known_files
from pybridge.host.control_shell import ControlShell
from pybridge.host.framing import Reply
from pybridge.mirror.journal_entry import Side, State
from pybridge.tools import user_command
from tests.kit.figures import tell
from tests.kit.sshd import SshServer
from tests.tools.kit import Ask, Call, version
from tests.tools.opened import Opened, opened, records
from tests.tools.test_swapped_targets import CHANGES, HELD, SWAPS, become_link, below, lay_out

UPDATES = {name: CHANGES[name] for name in ("write", "edit", "update")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a test; local files of ours go to another one."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "local"))
    (tmp_path / "local").mkdir()
    (tmp_path / "remote").mkdir()
    return tmp_path / "remote"


@pytest.fixture
async def remote(openssh: SshServer, folder: Path) -> AsyncIterator[Opened]:
    """A session."""
    async with opened(openssh.ssh_command, folder) as remote:
        yield remote


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of control shells: `look` or `change`."""
    asked: list[str] = []
    request = ControlShell.request

    async def noted(shell: ControlShell, script: str, **options: Any) -> Reply:
        asked.append("change" if "pb_abort()" in script else "look")
        return await request(shell, script, **options)

    monkeypatch.setattr(ControlShell, "request", noted)
    return asked


def edit(number: int) -> dict[str, str]:
    """An edit that turns one number into the next."""
    return {"filePath": "f", "oldString": f"{number}", "newString": f"{number + 1}"}


async def look_and_change(requests: list[str], remote: Opened, tool: str, **args: str) -> list[str]:
    requests.clear()
    await remote(tool, **args)
    return list(requests)


async def test_a_file_that_was_read_or_changed_by_us_is_changed_without_a_look(
    remote: Opened, folder: Path, requests: list[str]
) -> None:
    (folder / "f").write_text("1\n")
    assert await look_and_change(requests, remote, "edit", **edit(1)) == ["look", "change"]
    assert await look_and_change(requests, remote, "edit", **edit(2)) == ["change"]
    assert await look_and_change(requests, remote, "write", filePath="f", content="5\n") == ["change"]
    (folder / "g").write_text("1\n")
    await remote("read", filePath="g")
    patch = "*** Begin Patch\n*** Update File: f\n@@\n-5\n+6\n*** Update File: g\n@@\n-1\n+2\n*** End Patch"
    assert await look_and_change(requests, remote, "apply_patch", patchText=patch) == ["change"]
    assert ((folder / "f").read_text(), (folder / "g").read_text()) == ("6\n", "2\n")


async def test_a_file_that_we_made_is_changed_without_a_look(remote: Opened, folder: Path, requests: list[str]) -> None:
    await remote("write", filePath="f", content="1\n")
    (folder / "f").chmod(0o751)
    assert await look_and_change(requests, remote, "edit", **edit(1)) == ["change"]
    assert (folder / "f").stat().st_mode & 0o777 == 0o751
    await remote(
        "apply_patch", patchText="*** Begin Patch\n*** Update File: f\n*** Move to: g\n@@\n-2\n+3\n*** End Patch"
    )
    assert await look_and_change(requests, remote, "edit", **{**edit(3), "filePath": "g"}) == ["change"]
    assert (folder / "g").stat().st_mode & 0o777 == 0o751
    # What was moved away is not taken for something that is still there.
    with pytest.raises(RemoteError, match="not found"):
        await remote("edit", **edit(3))
    assert (await remote("edit", filePath="f", oldString="", newString="new\n")).output


async def test_a_new_file_where_what_is_there_is_known_needs_no_look(
    remote: Opened, folder: Path, requests: list[str]
) -> None:
    (folder / "f").write_text("1\n")
    with pytest.raises(RemoteError, match="not found"):
        await remote("read", filePath="a")
    for name in ("a", "b"):
        assert await look_and_change(requests, remote, "write", filePath=name, content=name) == ["change"]
        assert (folder / name).read_text() == name
    assert await look_and_change(requests, remote, "write", filePath="f", content="2\n") == ["look", "change"]
    assert await look_and_change(requests, remote, "write", filePath="deep/a", content="a") == ["look", "change"]
    assert remote.session.journal is not None
    entry = remote.session.journal.records.entries()[-1]
    assert (entry.state, entry.files[0].before.digest) == (State.MADE, "absent")


@pytest.mark.parametrize("theirs", ["file", "folder", "link", "dangling"])
async def test_law3_what_others_put_there_meanwhile_is_seen(remote: Opened, folder: Path, theirs: str) -> None:
    (folder / "f").write_text("one\n")
    with pytest.raises(RemoteError, match="not found"):
        await remote("read", filePath="a")
    new = folder / "a"
    {
        "file": lambda: new.write_text("theirs\n"),
        "folder": new.mkdir,
        "link": lambda: new.symlink_to("f"),
        "dangling": lambda: new.symlink_to("none"),
    }[theirs]()
    if theirs == "folder":
        with pytest.raises(RemoteError, match="directory"):
            await remote("write", filePath="a", content="ours\n")
        assert new.is_dir() and not list(new.iterdir())
        return
    call = Call()
    await remote("write", call, filePath="a", content="ours\n")
    # As where it was looked at first: asked for with what is there, and written through links.
    assert new.is_symlink() == (theirs in ("link", "dangling")) and new.read_text() == "ours\n"
    diff = [ask.metadata["diff"] for ask in call.asks if ask.permission == "edit"][-1]
    assert ("-theirs" in diff, "-one" in diff) == (theirs == "file", theirs == "link")


async def bash(remote: Opened) -> None:
    await remote("bash", command="true")


async def users_own(remote: Opened) -> None:
    async def send(stream: int, data: bytes) -> None: ...

    await user_command.run(remote.session, "true", "/", Call().abort, send)


async def settled(remote: Opened) -> None:
    remote.host.files.known_files.forget_all()


@pytest.mark.parametrize("happens", [bash, users_own, settled])
async def test_after_what_may_have_changed_any_file_it_is_looked_at(
    remote: Opened, folder: Path, requests: list[str], happens: Callable[[Opened], Any]
) -> None:
    (folder / "f").write_text("1\n")
    await remote("edit", **edit(1))
    await happens(remote)
    assert await look_and_change(requests, remote, "edit", **edit(2)) == ["look", "change"]


async def test_nothing_is_known_while_a_command_runs(remote: Opened, folder: Path, requests: list[str]) -> None:
    (folder / "f").write_text("1\n")
    with remote.host.files.known_files.changing():
        await remote("read", filePath="f")
        assert await look_and_change(requests, remote, "edit", **edit(1)) == ["look", "change"]
    assert await look_and_change(requests, remote, "edit", **edit(2)) == ["look", "change"]
    assert await look_and_change(requests, remote, "edit", **edit(3)) == ["change"]


async def test_what_was_seen_long_ago_is_looked_at(
    remote: Opened, folder: Path, requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "f").write_text("1\n")
    monkeypatch.setattr(known_files, "KNOWN_SECONDS", 0.0)
    await remote("read", filePath="f")
    assert await look_and_change(requests, remote, "edit", **edit(1)) == ["look", "change"]


async def test_outside_the_workspace_and_large_files_are_looked_at(
    remote: Opened, folder: Path, tmp_path: Path, requests: list[str]
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("1\n")
    await remote("read", filePath=str(outside))
    assert await look_and_change(requests, remote, "edit", **{**edit(1), "filePath": str(outside)}) == [
        "look",
        "change",
    ]
    (folder / "f").write_text("1\n")
    await remote("read", filePath="f")
    await look_and_change(requests, remote, "write", filePath="f", content="x" * 600_000)
    assert requests[0] == "look"
    assert (folder / "f").stat().st_size == 600_000


async def test_law3_an_error_is_computed_on_what_the_remote_holds(remote: Opened, folder: Path) -> None:
    (folder / "f").write_text("one\n")
    await remote("read", filePath="f")
    (folder / "f").write_text("two\n")
    # It does not fit what we know, and fits what is there.
    await remote("edit", filePath="f", oldString="two", newString="three")
    (folder / "f").write_text("four four\n")
    with pytest.raises(RemoteError, match="Found multiple matches"):
        await remote("edit", filePath="f", oldString="four", newString="five")
    assert (folder / "f").read_text() == "four four\n"


async def test_law3_the_mirrors_content_counts_only_for_the_version_that_is_known(remote: Opened, folder: Path) -> None:
    (folder / "f").write_text("one\n")
    await remote("read", filePath="f")
    # Another session of ours saw the file while it held something else.
    remote.session.store.put(f"{folder}/f", version(b"one\ntheirs\n"), b"one\ntheirs\n")
    await remote("edit", filePath="f", oldString="one", newString="1")
    assert (folder / "f").read_text() == "1\n"


async def test_a_change_refused_on_what_is_known_is_refused(remote: Opened, folder: Path, requests: list[str]) -> None:
    (folder / "f").write_text("1\n")
    await remote("read", filePath="f")
    requests.clear()
    with pytest.raises(PermissionRejectedError):
        await remote("edit", Call(refuse=frozenset({"edit"})), **edit(1))
    assert requests == []
    # Allowed once is enough, where it is made in the end as it was shown.
    (folder / "f").chmod(0o700)
    call = Call()
    await remote("edit", call, **edit(1))
    assert len(call.asks) == 1


SAME_SECOND = "rewritten, equally long and in the same second"


def rewrite_in_the_same_second(path: Path) -> None:
    was = path.stat()
    path.write_text(HELD.replace("two", "owt"))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def link_hard(path: Path) -> None:
    path.unlink()
    os.link(path.parents[1] / "g", path)


MORE_SWAPS: dict[str, Callable[[Path], object]] = {
    **SWAPS,
    SAME_SECOND: rewrite_in_the_same_second,
    "another file in its place": lambda path: (path.unlink(), path.write_text("one\ntheirs\ntwo\n")),
    "a second name of another file": link_hard,
    "executable": lambda path: path.chmod(0o755),
    "not readable": lambda path: path.chmod(0),
    "not writable": lambda path: path.chmod(0o444),
}


def state(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a folder: mode, links, and content or where a symlink leads."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        seen = path.lstat()
        what = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = seen.st_mode, seen.st_nlink, str(what).replace(str(folder), "")
    return found


async def outcome(remote: Opened, case: Path, change: str, swap: str, *, known: bool) -> list[object]:
    """What becomes of a call on a file that was read and then became something else."""
    lay_out(case)
    await remote("read", filePath=f"{case}/w/sub/f")
    MORE_SWAPS[swap](case / "w/sub/f")
    if not known:
        remote.host.files.known_files.forget_all()
    tool, args = UPDATES[change]
    call, error = Call(), ""
    try:
        await remote(tool, call, **below(case / "w", args))
    except RemoteError as raised:
        error = f"{type(raised).__name__}: {raised}".replace(str(case), "")
    # Questions before the last one may have shown what we took for the file; and the last one, if it came to nothing.
    last = [] if error else [call.asks[-1].permission, str(call.asks[-1].metadata.get("diff")).replace(str(case), "")]
    return [error, last, state(case)]


@pytest.mark.parametrize("change", UPDATES)
async def test_law3_whatever_became_of_a_known_file_it_ends_as_if_it_had_been_looked_at(
    request: pytest.FixtureRequest, remote: Opened, folder: Path, change: str
) -> None:
    wrong = []
    for number, swap in enumerate(MORE_SWAPS):
        one, other = folder / f"known-{number}", folder / f"unseen{number}"
        got = await outcome(remote, one, change, swap, known=True)
        expected = await outcome(remote, other, change, swap, known=False)
        if got != expected:
            wrong.append(f"{swap}: {got}\n  not {expected}")
    if records().pending():
        wrong.append("records are left")
    tell(request, "hostile conditions", "target swapped after it was read", len(MORE_SWAPS), len(wrong))
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("change", UPDATES)
@pytest.mark.parametrize("swapped", ["the file", "its folder"])
async def test_law3_what_leads_outside_now_is_asked_for_before_anything_is_put_there(
    remote: Opened, folder: Path, change: str, swapped: str
) -> None:
    lay_out(folder)
    remote.session.workdir = remote.session.worktree = f"{folder}/w"
    await remote("read", filePath=f"{folder}/w/sub/f")
    if swapped == "the file":
        become_link(folder / "w/sub/f", f"{folder}/outside/f")
    else:
        (folder / "w/sub").rename(folder / "w/was")
        (folder / "w/sub").symlink_to(folder / "outside")
    before = {path: path.stat().st_mtime_ns for path in (folder / "outside", folder / "outside/f")}
    tool, args = UPDATES[change]
    call = Call(refuse=frozenset({"external_directory"}))
    with pytest.raises(PermissionRejectedError):
        await remote(tool, call, **below(folder / "w", args))
    assert [ask.permission for ask in call.asks] == ["edit", "external_directory"]
    # Not even a temporary lay there for a moment.
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (folder / "outside/f").read_text() == HELD


async def test_law3_a_file_led_outside_and_seen_there_by_another_call_is_not_written_unasked(
    remote: Opened, folder: Path
) -> None:
    lay_out(folder)
    remote.session.workdir = remote.session.worktree = f"{folder}/w"
    seen: list[str] = []

    def lead_outside(ask: Ask) -> None:
        if ask.permission == "edit" and not seen:
            seen.append(ask.permission)
            become_link(folder / "w/sub/f", f"{folder}/outside/f")

    class Reading(Call):
        async def ask(
            self, permission: str, patterns: Sequence[str], always: Sequence[str], metadata: Mapping[str, Any]
        ) -> None:
            await super().ask(permission, patterns, always, metadata)
            if len(self.asks) == 1:
                await remote("read", Call(session_id="ses_2"), filePath=f"{folder}/w/sub/f")

    call = Reading(refuse=frozenset({"external_directory"}), on_ask=lead_outside)
    with pytest.raises(PermissionRejectedError):
        await remote("edit", call, filePath=f"{folder}/w/sub/f", oldString="one", newString="1")
    assert [ask.permission for ask in call.asks] == ["edit", "external_directory"]
    assert (folder / "outside/f").read_text() == HELD


async def test_D20_the_journal_holds_what_was_replaced_not_what_was_taken_for_it(remote: Opened, folder: Path) -> None:
    (folder / "f").write_text("one\n")
    await remote("read", filePath="f")
    (folder / "f").write_text("one\ntheirs\n")
    await remote("edit", filePath="f", oldString="one", newString="1")
    assert (folder / "f").read_text() == "1\ntheirs\n"
    assert remote.session.journal is not None
    entries = remote.session.journal.records.entries()
    made = [entry for entry in entries if entry.state is State.MADE]
    assert [remote.session.journal.records.content(made[-1], 0, side) for side in Side] == [
        b"one\ntheirs\n",
        b"1\ntheirs\n",
    ]
