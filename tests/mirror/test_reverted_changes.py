"""What /undo has undone, kept across sidecars."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.mirror import reverted_changes
from pybridge.mirror.reverted_changes import Reverted, RevertedChanges

pytestmark = pytest.mark.unit

ONE = Reverted({"a": "prt_1"}, [], [])


def test_changes_outlive_the_process_until_there_are_none(tmp_path: Path) -> None:
    folder = tmp_path / "reverted"
    assert RevertedChanges(folder).get("ses_1") == Reverted()
    RevertedChanges(folder).put("ses_1", Reverted())  # nothing to forget
    RevertedChanges(folder).put("ses_1", Reverted({"b": "prt_1", "a": "prt_2"}, ["a"], ["b"]))
    RevertedChanges(folder).put("../ses/2", Reverted({"c": "prt_3"}, [], []))
    assert RevertedChanges(folder).get("ses_1") == Reverted({"b": "prt_1", "a": "prt_2"}, ["a"], ["b"])
    assert RevertedChanges(folder).get("../ses/2") == Reverted({"c": "prt_3"}, [], [])
    assert RevertedChanges(folder).get("ses_2") == Reverted()
    RevertedChanges(folder).put("ses_1", Reverted())
    assert RevertedChanges(folder).get("ses_1") == Reverted()
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"session": "another", "changes": {"a": "b"}, "undoing": [], "redoing": []}',
        b'{"session": "ses_1", "changes": {"a": "b"}}',
        b'{"session": "ses_1", "changes": ["a"]}',
        b"\xff",
    ],
)
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    RevertedChanges(tmp_path).put("ses_1", ONE)
    [file] = tmp_path.iterdir()
    file.write_bytes(content)
    assert RevertedChanges(tmp_path).get("ses_1") == Reverted()
    RevertedChanges(tmp_path).put("ses_1", ONE)
    assert RevertedChanges(tmp_path).get("ses_1") == ONE


def test_sessions_left_for_ever_do_not_fill_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverted_changes, "MOST", 3)
    for number in range(10):
        RevertedChanges(tmp_path).put(f"ses_{number}", ONE)
    assert len(list(tmp_path.iterdir())) == 3
    assert RevertedChanges(tmp_path).get("ses_9") == ONE
