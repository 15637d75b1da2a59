"""Every tool, and sudo, on a host of one's own (row D30); run in CI against private servers by
`test_own_host_suite.py`."""

from __future__ import annotations

import asyncio

import pytest

from pybridge.errors import CommandFailedError, FileChangedError, FileMissingError, PatchError, ToolError
from tests.own_host.conftest import OwnHost
from tests.tools.kit import Call

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_D30_bash(own: OwnHost) -> None:
    assert (await own("bash", command="pwd")).output.strip() == own.folder
    assert (await own("bash", command="echo out; sleep 0.5; echo err >&2")).output == "out\nerr\n"
    with pytest.raises(ToolError, match="Exit code: 3"):
        await own("bash", command="exit 3")
    with pytest.raises(FileMissingError):
        await own("bash", command="touch made", workdir=f"{own.folder}/missing")


async def test_D30_a_timeout_ends_the_command_and_all_it_started(own: OwnHost) -> None:
    text = "(while :; do date > alive; sleep 0.2; done) & sleep 600"
    assert "exceeding timeout 2000 ms" in (await own("bash", command=text, timeout=2000)).output
    await own("bash", command="rm -f alive; sleep 1; [ ! -e alive ]")


async def test_D30_write_read_edit(own: OwnHost) -> None:
    await own("write", filePath="a/b.txt", content="one\ntwo\n")
    assert "2: two" in (await own("read", filePath="a/b.txt")).output
    await own("edit", filePath="a/b.txt", oldString="two", newString="zwei")
    assert (await own("bash", command="cat a/b.txt")).output == "one\nzwei\n"
    assert "b.txt" in (await own("read", filePath="a")).output


async def test_D30_a_large_file_a_mode_and_a_link_stay(own: OwnHost) -> None:
    content = "".join(f"line {n}\n" for n in range(60_000))
    await own("write", filePath="big.sh", content=content)
    await own("bash", command="chmod 750 big.sh; ln -s big.sh link")
    await own("edit", filePath="link", oldString="line 59999\n", newString="the end\n")
    seen = (await own("bash", command="ls -l big.sh | cut -c1-10; tail -1 big.sh; [ -h link ] && wc -l < link")).output
    assert seen.split() == ["-rwxr-x---", "the", "end", "60000"]


async def test_D30_nobody_elses_change_is_lost(own: OwnHost) -> None:
    await own("write", filePath="f", content="one\n")
    await own("read", filePath="f")
    await own("bash", command="echo theirs > f")
    with pytest.raises(FileChangedError):
        await own("write", filePath="f", content="mine\n")
    assert (await own("bash", command="cat f")).output == "theirs\n"


async def test_D30_apply_patch(own: OwnHost) -> None:
    await own("write", filePath="f.txt", content="one\ntwo\n")
    patch = (
        "*** Begin Patch\n*** Update File: f.txt\n*** Move to: g.txt\n@@\n one\n-two\n+2\n"
        "*** Add File: h.txt\n+new\n*** End Patch"
    )
    assert (await own("apply_patch", patchText=patch)).output.startswith("Success.")
    assert (await own("bash", command="cat g.txt h.txt; ls")).output == "one\n2\nnew\ng.txt\nh.txt\n"
    unfit = "*** Begin Patch\n*** Delete File: h.txt\n*** Update File: g.txt\n@@\n-absent\n+x\n*** End Patch"
    with pytest.raises(PatchError):
        await own("apply_patch", patchText=unfit)
    assert (await own("bash", command="ls")).output == "g.txt\nh.txt\n"


async def test_D30_glob_and_grep(own: OwnHost) -> None:
    await own("write", filePath="src/x.py", content="needle = 1\n")
    await own("write", filePath="src/y.txt", content="nothing\n")
    assert (await own("glob", pattern="**/*.py")).output.strip() == f"{own.folder}/src/x.py"
    assert f"{own.folder}/src/x.py:" in (await own("grep", pattern="need[l]e")).output


async def test_D30_odd_names_and_bytes(own: OwnHost) -> None:
    name = "it's $(odd) \\ näme"
    await own("write", filePath=name, content="content\n")
    assert "1: content" in (await own("read", filePath=name)).output


async def test_D30_many_calls_at_once(own: OwnHost) -> None:
    results = await asyncio.gather(*(own("bash", command=f"echo {n}") for n in range(12)))
    assert [result.output for result in results] == [f"{n}\n" for n in range(12)]


async def test_D30_sudo(own: OwnHost) -> None:
    """With REMOTE_SUDO_PASSWORD it works; without, it does not wait for one."""
    if own.settings.sudo_password is None:
        try:
            await own("bash", command="sudo -k true", timeout=60_000)
        except CommandFailedError as failed:
            assert "Exit code: 1" in str(failed)
        return
    ran = await own("bash", Call(), command="echo x | sudo -k tee made && sudo -k id -u && sudo -k rm made")
    assert ran.output == "x\n0\n"


async def test_D30_nothing_else_is_left(own: OwnHost) -> None:
    await own("write", filePath="f", content="x")
    await own("edit", filePath="f", oldString="x", newString="y")
    assert (await own("bash", command="ls -A")).output == "f\n"
