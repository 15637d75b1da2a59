"""Small files fetched together are what they are when each is fetched alone, in every userland."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from pybridge.host.control_shell import ControlShell
from pybridge.host.framing import Reply
from pybridge.host.host import Host
from pybridge.host.model import ABSENT, Fetch, Fetched, FileVersion, Lines
from tests.host.test_files import HOSTILE
from tests.host.test_lying_programs import lying

pytestmark = pytest.mark.usefixtures("environment_in_the_way")


@pytest.fixture
def environment_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the remote's with the names that the script uses."""
    for name in ("P0", "R0", "S0", "D0", "pb_asked", "pb_is"):
        monkeypatch.setenv(name, "/etc/passwd")


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests made of control shells."""
    asked: list[str] = []
    request = ControlShell.request

    async def noted(shell: ControlShell, script: str, **options: float | bool) -> Reply:
        asked.append(script)
        return await request(shell, script, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ControlShell, "request", noted)
    return asked


def lay_out(folder: Path) -> list[str]:
    """Files of many kinds; their names."""
    contents = {
        "text": b"one\ntwo\n",
        "empty": b"",
        "zero": b"\0",
        "binary": bytes(range(256)) * 20,
        "no end": b"end",
        "large": b"x" * 70_000,
        "larger": b"line\n" * 60_000,
        "script.sh": b"#!/bin/sh\n",
        **{name: name.encode("utf-8", "surrogateescape") for name in HOSTILE},
    }
    for name, content in contents.items():
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name.encode("utf-8", "surrogateescape"))).write_bytes(content)
    (folder / "script.sh").chmod(0o754)
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("text")
    (folder / "link to a backslash").symlink_to("\\")
    (folder / "dangling").symlink_to("none")
    (folder / "denied").write_bytes(b"secret\n")
    (folder / "denied").chmod(0)
    os.mkfifo(folder / "fifo")
    more = ["folder", "link", "link to a backslash", "dangling", "denied", "fifo", "none", "folder/none", "text/none"]
    return [*contents, *more, "text"]


async def alone(host: Host, requests: list[Fetch]) -> list[Fetched]:
    return [(await host.files.fetch([request]))[0] for request in requests]


async def check_all(host: Host, folder: Path, scripts: list[str]) -> None:
    names = lay_out(folder)
    held = {"text": FileVersion("sha256:" + "0" * 64, 1), "zero": ABSENT}
    first = await alone(host, [Fetch(f"{folder}/{name}") for name in names])
    same = {file.path: file.version for file in first[::3] if file.version}
    requests = [
        Fetch(path, held.get(name, same.get(path)), 100_000, lines=Lines(2, 3) if name == "larger" else None)
        for name in names
        if (path := f"{folder}/{name}")
    ]
    singly = await alone(host, requests)
    scripts.clear()
    together = await host.files.fetch(requests)
    assert len(scripts) == 1
    for file, other in zip(together, singly, strict=True):
        assert repr(file.error) == repr(other.error)
        assert {**vars(file), "error": None} == {**vars(other), "error": None}


async def test_they_are_the_same_as_alone(host: Host, tmp_path: Path, scripts: list[str]) -> None:
    await check_all(host, tmp_path, scripts)


async def test_they_are_the_same_as_alone_in_every_userland(local: Host, tmp_path: Path, scripts: list[str]) -> None:
    await check_all(local, tmp_path, scripts)


async def test_more_than_one_program_is_given(local: Host, tmp_path: Path, scripts: list[str]) -> None:
    paths = [tmp_path / ("d" * 200) / f"{number}{'n' * 200}" for number in range(300)]
    paths[0].parent.mkdir()
    for number, path in enumerate(paths):
        path.write_text(f"{number}\n" * 300)
    files = await local.files.fetch([Fetch(str(path)) for path in paths])
    assert [file.content for file in files] == [path.read_bytes() for path in paths]
    assert len(scripts) == 1


@pytest.mark.parametrize("program", ["sha256sum", "cat"])
async def test_law3_what_changes_in_that_moment_is_fetched_alone(
    tmp_path: Path, scripts: list[str], program: str
) -> None:
    (tmp_path / "work").mkdir()
    paths = [tmp_path / "work" / f"{number}" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_text(f"{number}\n")
    # Somebody writes before the digest is taken, or between that and the contents.
    async with lying(tmp_path, program, f'printf "a much longer text\\n" > {paths[1]}') as host:
        (tmp_path / "lies").touch()
        scripts.clear()
        files = await host.files.fetch([Fetch(str(path)) for path in paths])
    assert [file.content for file in files] == [b"0\n", b"a much longer text\n", b"2\n", b"3\n"]
    for file, path in zip(files, paths, strict=True):
        assert file.stat is not None and file.stat.size == path.stat().st_size
    assert len(scripts) == 2 and "pb_gather" not in scripts[1] and str(paths[0]) not in scripts[1]


async def test_a_file_that_goes_in_that_moment_is_missing(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    paths = [tmp_path / "work" / f"{number}" for number in range(3)]
    for path in paths:
        path.write_text("x\n")
    async with lying(tmp_path, "sha256sum", f"rm -f {paths[1]}") as host:
        (tmp_path / "lies").touch()
        files = await host.files.fetch([Fetch(str(path)) for path in paths])
    assert [file.content for file in files] == [b"x\n", None, b"x\n"]
    assert files[1].version == ABSENT


async def test_a_file_that_becomes_a_fifo_hinders_nobody(local: Host, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a\n")
    os.mkfifo(tmp_path / "b")
    async with asyncio.timeout(20):
        a, b = await local.files.fetch([Fetch(str(tmp_path / name)) for name in "ab"])
    assert (a.content, b.content) == (b"a\n", None)
    shutil.rmtree(tmp_path)
