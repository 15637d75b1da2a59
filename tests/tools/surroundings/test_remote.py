"""The surroundings of a real remote folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from pybridge.errors import ConnectionLostError
from pybridge.host.host import Host
from pybridge.tools.surroundings import remote as surroundings
from pybridge.tools.surroundings.remote import Surroundings, Wanted, platform, upwards
from tests.tools.conftest import Remote

NAMES = ("AGENTS.md", "CLAUDE.md", "CONTEXT.md")


def asking(remote: Remote, **more: object) -> Surroundings:
    return Surroundings(remote.session, cast(Host, remote.session.host), **more)  # type: ignore[arg-type]


async def ask(remote: Remote, *entries: str, references: tuple[str, ...] = ()) -> surroundings.RemoteSurroundings:
    return await asking(remote).now(Wanted(NAMES, entries, references), 60)


@pytest.mark.parametrize(
    ("system", "shown"),
    [
        ("Linux 6.1 x86_64", "linux"),
        ("Darwin 23 arm64", "darwin"),
        ("FreeBSD 14", "freebsd"),
        ("SunOS 5", "sunos"),
        ("CYGWIN_NT-10.0 3", "cygwin"),
        ("", "unknown"),
    ],
)
def test_platforms_are_spelled_as_node_does(system: str, shown: str) -> None:
    assert platform(system) == shown


def test_upwards() -> None:
    assert upwards("/a/b", "/a") == ["/a/b", "/a"]
    assert upwards("/a/b", "/") == ["/a/b", "/a", "/"]
    assert upwards("/", "/") == ["/"]


async def test_what_it_is(remote: Remote) -> None:
    (remote.folder / ".git" / "objects").mkdir()
    found = await ask(remote)
    assert (found.workdir, found.worktree, found.git) == (str(remote.folder), "/", False)  # .git is no repository
    assert found.platform == "linux"
    assert len(found.date.split()) == 4


async def test_the_first_name_there_is_counts_at_every_level(remote: Remote) -> None:
    (remote.folder / "CONTEXT.md").write_text("not this\n")
    (remote.folder / "CLAUDE.md").write_text("near\n")
    (remote.folder.parent / "CLAUDE.md").write_text("far\n")
    found = await ask(remote)
    assert [(Path(i.path), i.text) for i in found.project] == [
        (remote.folder / "CLAUDE.md", "near\n"),
        (remote.folder.parent / "CLAUDE.md", "far\n"),
    ]


async def test_an_empty_file_hides_the_names_after_it(remote: Remote) -> None:
    (remote.folder / "AGENTS.md").touch()
    (remote.folder / "CLAUDE.md").write_text("not this\n")
    assert (await ask(remote)).project == []


async def test_what_is_left_out_is_logged_once(remote: Remote, caplog: pytest.LogCaptureFixture) -> None:
    asked = asking(remote, clock=iter(range(0, 1000, 10)).__next__)
    for _ in range(3):
        await asked.now(Wanted(NAMES, ("../*.md",)), 60)
    assert len([record for record in caplog.records if "left out" in record.message]) == 1


async def test_entries_spelled_out_and_with_wildcards(remote: Remote) -> None:
    for name in ("docs/b.md", "docs/a.md", "docs/deep/c.md", "top.md", "docs/d.txt", ".hidden/x.md"):
        (remote.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (remote.folder / name).write_text(f"{name}\n")
    (remote.folder.parent / "above.md").write_text("above\n")
    found = await ask(remote, "docs/*.md", "top.md", "../above.md", "above.md", "gone.md", "**/c.md", "../*.md", "[")
    texts = {entry: [i.text.strip() for i in read] for entry, read in found.entries.items()}
    assert texts == {
        "docs/*.md": ["docs/a.md", "docs/b.md"],
        "top.md": ["top.md"],
        "../above.md": ["above"],
        "above.md": ["above"],
        "gone.md": [],
        "**/c.md": ["docs/deep/c.md"],
        "../*.md": [],
        "[": [],
    }


async def test_globs_that_take_too_long_are_left_out(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*args: object, **more: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(surroundings, "GLOB_DEADLINE", 0.01)
    monkeypatch.setattr(remote.session.host.search, "glob", slow)
    (remote.folder / "a.md").write_text("a\n")
    found = await ask(remote, "*.md", "a.md")
    assert [len(read) for read in found.entries.values()] == [0, 1]


async def test_odd_files_fail_nothing(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "MAX_FILE_BYTES", 1000)
    (remote.folder / "AGENTS.md").write_bytes(b"caf\xe9\n")
    (remote.folder / "large.md").write_text("x" * 1001)
    (remote.folder / "empty.md").touch()
    (remote.folder / "folder.md").mkdir()
    (remote.folder / "link.md").symlink_to("AGENTS.md")
    found = await ask(remote, "large.md", "empty.md", "folder.md", "link.md")
    assert [i.text for i in found.project] == ["caf\ufffd\n"]
    texts = {entry: [i.text for i in read] for entry, read in found.entries.items()}
    assert "1001 bytes. Read the file." in texts["large.md"][0]
    assert (texts["empty.md"], texts["folder.md"], texts["link.md"]) == ([], [], ["caf\ufffd\n"])


async def test_all_instructions_together_are_bounded(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "MAX_CHARACTERS", 25)
    for name in "abc":
        (remote.folder / f"{name}.md").write_text(name * 10)
    found = await ask(remote, "a.md", "b.md", "c.md")
    texts = [i.text for read in found.entries.values() for i in read]
    assert texts[:2] == ["a" * 10, "b" * 10]
    assert "too long" in texts[2]


async def test_references_there(remote: Remote) -> None:
    (remote.folder / "file").touch()
    paths = (str(remote.folder), str(remote.folder / "gone"), str(remote.folder / "file"))
    assert (await ask(remote, references=paths)).references == {str(remote.folder): str(remote.folder)}


async def test_the_time_zone_is_that_of_a_login(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    host = cast(Host, remote.session.host)
    scripts: list[str] = []
    run_control = host.run_control

    async def noting(script: str, *, timeout: float = 30.0) -> bytes:
        scripts.append(script)
        return await run_control(script, timeout=timeout)

    monkeypatch.setattr(host, "run_control", noting)
    for zone, expected in (("'Pacific/Kiritimati'", "Pacific/Kiritimati"), ("'x'; touch y", None)):
        monkeypatch.setattr(host, "login", type(host.login)(exports=f"export A='1'\nexport TZ={zone}\nexport B='2'"))
        found = await asking(remote).now(Wanted(NAMES), 60)
        assert found.date != "unknown"
        assert ("TZ=" in scripts[-1]) is (expected is not None)
    assert not (remote.folder / "y").exists()


async def test_what_was_known_stands_in_for_minutes(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    asked = asking(remote, clock=lambda: now[0])
    wanted = Wanted(NAMES)
    first = await asked.now(wanted, 60)

    async def lost(*args: object, **more: object) -> bytes:
        raise ConnectionLostError("gone")

    monkeypatch.setattr(remote.session.host, "run_control", lost)
    assert await asked.now(wanted, 60) is first
    now[0] = surroundings.STALE_SECONDS
    assert await asked.now(wanted, 60) is first
    now[0] += 1
    with pytest.raises(ConnectionLostError):
        await asked.now(wanted, 60)


async def test_a_remote_that_is_silent_is_not_waited_for(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asking(remote)

    async def silent(*args: object, **more: object) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(remote.session.host, "run_control", silent)
    with pytest.raises(TimeoutError):
        await asked.now(Wanted(NAMES), 0.01)
    await asked.close()
