"""Undo and redo of what the tools changed, on real servers: every byte and mode comes back, and nobody's work goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybridge.mirror.journal_entry import Entry, Side, State
from pybridge.tools.session import Session
from pybridge.tools.undoing import Outcome, Result, redo, undo
from tests.tools.conftest import Remote
from tests.tools.kit import Call, Desk


def journaled(session: Session) -> list[Entry]:
    assert session.journal is not None
    return session.journal.records.entries()


def results(outcomes: list[Outcome]) -> list[Result]:
    return [outcome.result for outcome in outcomes]


def tree(folder: Path) -> dict[str, tuple[bytes | str, int]]:
    """Every file and link below a folder, with its content or target, and its mode."""
    found: dict[str, tuple[bytes | str, int]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[path.name] = (os.readlink(path), 0)
        elif path.is_file():
            found[str(path.relative_to(folder))] = (path.read_bytes(), path.stat().st_mode & 0o7777)
    return found


async def test_an_edit_a_write_and_a_patch_are_undone_and_redone_to_the_byte_and_the_mode(remote: Remote) -> None:
    folder = remote.folder
    (folder / "edited.txt").write_bytes(b"one\r\ntwo\r\n")
    (folder / "edited.txt").chmod(0o640)
    (folder / "latin.txt").write_bytes("caf\xe9 one\n".encode("latin-1"))
    (folder / "binary.bin").write_bytes(bytes(range(256)))
    (folder / "run.sh").write_bytes(b"#!/bin/sh\necho one\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "gone.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "gone.sh").chmod(0o700)
    (folder / "real.txt").write_bytes(b"behind a link\n")
    (folder / "link.txt").symlink_to("real.txt")
    before = tree(folder)
    await remote("edit", filePath="edited.txt", oldString="two", newString="zwei")
    await remote("edit", filePath="latin.txt", oldString="one", newString="two")
    await remote("write", filePath="binary.bin", content="text now\n")
    await remote("write", filePath="sub/new.txt", content="new\n")
    await remote("write", filePath="link.txt", content="changed behind a link\n")
    patch = """*** Begin Patch
*** Add File: added.txt
+added
*** Update File: run.sh
*** Move to: moved/run2.sh
@@
-echo one
+echo two
*** Delete File: gone.sh
*** End Patch"""
    await remote("apply_patch", patchText=patch)
    after = tree(folder)
    assert after != before
    assert after["moved/run2.sh"][1] == 0o755
    outcomes = await undo(remote.session, journaled(remote.session))
    assert results(outcomes) == [Result.RESTORED] * 6, [o.text for o in outcomes]
    assert tree(folder) == before
    assert {entry.state for entry in journaled(remote.session)} == {State.UNDONE}
    assert results(await undo(remote.session, journaled(remote.session))) == [Result.ALREADY] * 6
    outcomes = await redo(remote.session, journaled(remote.session))
    assert results(outcomes) == [Result.RESTORED] * 6, [o.text for o in outcomes]
    assert tree(folder) == after
    assert results(await redo(remote.session, journaled(remote.session))) == [Result.ALREADY] * 6
    assert results(await undo(remote.session, journaled(remote.session))) == [Result.RESTORED] * 6
    assert tree(folder) == before


async def test_a_file_made_again_is_one_for_the_changes_after_it(desk: Desk) -> None:
    await desk("write", filePath="new.txt", content="one\n")
    await desk("edit", filePath="new.txt", oldString="one", newString="two")
    for _ in range(2):
        outcomes = await undo(desk.session, journaled(desk.session))
        assert results(outcomes) == [Result.RESTORED] * 2, [o.text for o in outcomes]
        assert desk.host.contents == {}
        outcomes = await redo(desk.session, journaled(desk.session))
        assert results(outcomes) == [Result.RESTORED] * 2, [o.text for o in outcomes]
        assert desk.host.contents == {"/w/new.txt": b"two\n"}
