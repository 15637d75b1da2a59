"""Every tool on a host of one's own (row D30); run in CI against a private sshd by `test_own_host_suite.py`."""

from __future__ import annotations

import pytest

from pybridge.errors import ToolError
from tests.own_host.conftest import OwnHost


async def test_D30_bash(own: OwnHost) -> None:
    assert (await own("bash", command="pwd")).output.strip() == own.folder
    with pytest.raises(ToolError, match="Exit code: 3"):
        await own("bash", command="exit 3")


async def test_D30_write_read_edit(own: OwnHost) -> None:
    await own("write", filePath="a/b.txt", content="one\ntwo\n")
    assert "2: two" in (await own("read", filePath="a/b.txt")).output
    await own("edit", filePath="a/b.txt", oldString="two", newString="zwei")
    assert (await own("bash", command="cat a/b.txt")).output == "one\nzwei\n"


async def test_D30_apply_patch(own: OwnHost) -> None:
    await own("write", filePath="f.txt", content="one\ntwo\n")
    patch = (
        "*** Begin Patch\n*** Update File: f.txt\n*** Move to: g.txt\n@@\n one\n-two\n+2\n"
        "*** Add File: h.txt\n+new\n*** End Patch"
    )
    assert (await own("apply_patch", patchText=patch)).output.startswith("Success.")
    assert (await own("bash", command="cat g.txt h.txt; ls")).output == "one\n2\nnew\ng.txt\nh.txt\n"


async def test_D30_glob_and_grep(own: OwnHost) -> None:
    await own("write", filePath="src/x.py", content="needle = 1\n")
    await own("write", filePath="src/y.txt", content="nothing\n")
    assert (await own("glob", pattern="**/*.py")).output.strip() == f"{own.folder}/src/x.py"
    assert f"{own.folder}/src/x.py:" in (await own("grep", pattern="needle")).output


async def test_D30_odd_names_and_bytes(own: OwnHost) -> None:
    name = "it's $(odd) \\ näme"
    await own("write", filePath=name, content="content\n")
    assert "1: content" in (await own("read", filePath=name)).output


async def test_D30_nothing_else_is_left(own: OwnHost) -> None:
    await own("write", filePath="f", content="x")
    await own("edit", filePath="f", oldString="x", newString="y")
    assert (await own("bash", command="ls -A")).output == "f\n"
