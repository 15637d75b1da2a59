"""A file of a gigabyte: some lines are read, what is in it is found, and it is never taken as a whole (law 9)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kit.effort import by_effort
from tests.kit.figures import tell
from tests.kit.sshd import SshServer

pytestmark = pytest.mark.whole

MIB = 1024 * 1024
GROWTH = 48 * 1024
"""Kilobytes that calls on a huge file may need more than the same calls on a small one."""
PATCH = "*** Begin Patch\n*** Update File: f\n@@\n-needle 1\n+x\n*** End Patch"


def run(server: SshServer, folder: Path, calls: list[tuple[str, dict[str, object]]]) -> dict[str, Any]:
    """The calls, made by a process of its own."""
    local = folder.parent / "local"
    local.mkdir(exist_ok=True)
    names = ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME")
    environment = {**os.environ, **{name: str(local) for name in names}, "PYTHONPATH": str(Path(__file__).parents[2])}
    words = [sys.executable, "-m", "tests.tools.calls_on_one_file", server.ssh_command, str(folder), json.dumps(calls)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lay_out(path: Path, size: int, kind: str) -> None:
    """A file of lines, with `needle N` as every last line of a megabyte; of one line; or with a hole."""
    with path.open("wb") as file:
        if kind == "a hole":
            file.truncate(size)
            file.seek(size)
            file.write(b"\nneedle 1\n")
            return
        block = b"x" * (MIB - 100) if kind == "one line" else (b"x" * 99 + b"\n") * (MIB // 100 - 1)
        for number in range(1, size // MIB + 1):
            file.write(block)
            file.write(b"needle " if kind == "one line" else b"needle %d\n" % number)


@pytest.mark.parametrize("kind", ["lines", "one line", "a hole"])
def test_law9_a_huge_file_costs_no_more_memory_than_a_small_one(
    request: pytest.FixtureRequest, openssh: SshServer, tmp_path: Path, kind: str
) -> None:
    size = by_effort(256, 1024, 1024) * MIB
    calls: list[tuple[str, dict[str, object]]] = [
        ("read", {"filePath": "f"}),
        ("read", {"filePath": "f", "offset": size // 100 - 40_000 if kind == "lines" else 1, "limit": 3}),
        ("grep", {"pattern": "needle 1$", "path": "f"}),
        ("glob", {"pattern": "*"}),
        ("edit", {"filePath": "f", "oldString": "needle 1", "newString": "x"}),
        ("write", {"filePath": "f", "content": "x"}),
        ("apply_patch", {"patchText": PATCH}),
        ("write", {"filePath": "next", "content": "works\n"}),
    ]
    small, large = tmp_path / "small", tmp_path / "large"
    for folder, bytes_ in ((small, 32 * MIB), (large, size)):
        folder.mkdir()
        lay_out(folder / "f", bytes_, kind)
    before = (large / "f").stat()
    try:
        usual = run(openssh, small, [calls[0], *calls[2:]])
        huge = run(openssh, large, calls)
        after = (large / "f").stat()
    finally:
        (large / "f").unlink()
    first, page, found, globbed, *refused, works = huge["said"]
    if kind == "a hole":
        assert first.startswith("ToolError: Cannot read binary file")
    else:
        assert first.startswith(f"<path>{large}/f</path>\n<type>file</type>\n<content>\n1: xxx")
    if kind == "lines":
        assert page.count(": xxx") == 3
        assert "Found 1 matches" in found and "needle 1\n" in found + "\n"
    assert f"{large}/f" in globbed
    for answer in refused:
        assert "over 16 MB are not changed as a whole" in answer, answer
        assert "with sed through bash" in answer
    assert works == "Wrote file successfully."
    assert (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)
    assert sorted(path.name for path in large.iterdir()) == ["next"]
    grown = huge["peak_kilobytes"] - usual["peak_kilobytes"]
    tell(request, "hostile conditions", f"a file of {size // MIB} MB, {kind}", len(calls), int(grown > GROWTH))
    assert grown <= GROWTH, f"{huge['peak_kilobytes']} KB, {usual['peak_kilobytes']} KB for the small one"
