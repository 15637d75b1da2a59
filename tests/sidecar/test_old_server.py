"""A server with old algorithms only, behind the real sidecar: the seven tools work, and no library says a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.legacy_servers import legacy_command, start_legacy
from tests.sidecar.kit import REAL, Sidecar
from tests.sidecar.test_remote import call


@pytest.mark.whole
async def test_the_seven_tools_on_an_old_server_and_not_a_word_of_deprecation(tmp_path: Path) -> None:
    server = start_legacy(tmp_path / "server")
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    # The libraries' warnings would be shown, were they not silenced: cryptography's are on the end of old algorithms.
    local = {"HOME": str(home), "USERPROFILE": str(home), "PYBRIDGE_LOG": "debug", "PYTHONWARNINGS": "always"}
    file = work / "a.txt"
    try:
        async with Sidecar(REAL, local) as sidecar:
            await sidecar.initialize({"REMOTE_SSH": legacy_command(server), "REMOTE_WORKDIR": str(work)})
            await call(sidecar, "write", filePath=str(file), content="one\ntwo\n")
            assert "2: two" in (await call(sidecar, "read", filePath=str(file)))["result"]["output"]
            await call(sidecar, "edit", filePath=str(file), oldString="two", newString="three")
            patch = f"*** Begin Patch\n*** Update File: {file}\n@@\n one\n-three\n+four\n*** End Patch"
            await call(sidecar, "apply_patch", patchText=patch)
            assert file.read_text() == "one\nfour\n"
            assert str(file) in (await call(sidecar, "glob", pattern="*.txt"))["result"]["output"]
            assert "Line 2: four" in (await call(sidecar, "grep", pattern="fo.r"))["result"]["output"]
            assert (await call(sidecar, "bash", command="cat a.txt"))["result"]["output"] == "one\nfour\n"
        said = sidecar.stderr.decode()
    finally:
        server.stop()
    said += "".join(path.read_text() for path in home.rglob("*.log"))
    for word in ("deprecat", "cryptography", "warning:"):
        assert word not in said.lower()
