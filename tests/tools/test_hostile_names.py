"""Names as unkind as Linux allows, through every tool, on three userlands; looked at with plain calls of the system."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybridge.errors import PatchError
from pybridge.host.host import Host, HostOptions
from pybridge.settings import Settings
from pybridge.tools.registry import call
from pybridge.tools.session import Session, open_session
from pybridge.transport.local_process import LocalCarrier
from tests.host.conftest import busybox_programs, local_host
from tests.kit.counterparts import need
from tests.tools.kit import Call

PIECES = [" ", "\n", "'", '"', "$(touch pwned)", "`touch pwned`", "\\", "-", "--", "*", "?", "[a]", "{b,c}", "!",
          "~", "\t", "\r", "\x01", "\x1b[1m", "\x7f", "é", "\U0001f600", ";", "&", "|", "#", "%s",
          "\\n", "a", "Z"]  # fmt: skip
MOST_BYTES = 255


def _allowed(name: str) -> bool:
    return name not in (".", "..") and 0 < len(os.fsencode(name)) <= MOST_BYTES


NAMES = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join),
    st.sampled_from([b"\xff\xfe", b"a\xe9b"]).map(os.fsdecode),
    st.sampled_from(["n" * MOST_BYTES, "é" * 127, "-" * MOST_BYTES]),
).filter(_allowed)
SOME = st.lists(NAMES, min_size=1, max_size=3, unique=True)
WITHOUT_DEADLINE = {
    "deadline": None, "derandomize": True, "database": None, "suppress_health_check": list(HealthCheck),
}  # fmt: skip


@pytest.fixture(scope="module", params=["dash and rg", "no rg", "busybox"])
def userland(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], str]:
    """The words that start a shell, and its PATH."""
    folder = tmp_path_factory.mktemp("userland")
    if request.param == "busybox":
        return [need("busybox"), "ash"], busybox_programs(folder / "programs")
    if request.param == "dash and rg":
        need("rg")
        return [need("dash")], os.environ["PATH"]
    for place in ("/usr/bin", "/bin"):
        for program in Path(place).iterdir():
            if program.name not in ("rg", "bash") and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return [need("dash")], str(folder)


@pytest.fixture(autouse=True, scope="module")
def own_places(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Local files of ours go to a folder of the test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp("local")))
        yield


async def every_tool(session: Session, folder: Path, name: str) -> None:
    """One file made, read, found, changed by each tool; nothing else comes to be."""
    path, place = f"{folder}/{name}", folder / name

    async def use(tool: str, **args: object) -> str:
        return (await call(tool, args, Call(), session)).output

    def stands() -> bytes:
        return place.read_bytes()

    await use("write", filePath=path, content="needle one\n")
    assert stands() == b"needle one\n"
    assert "needle one" in await use("read", filePath=path)
    await use("edit", filePath=path, oldString="one", newString="two")
    assert stands() == b"needle two\n"
    assert path in await use("glob", pattern="*", path=str(folder))
    assert f"{path}:" in await use("grep", pattern="needle", path=str(folder))
    patch = f"*** Begin Patch\n*** Update File: {path}\n@@\n-needle two\n+needle three\n*** End Patch"
    if name == name.rstrip() and not set(name) & {"\n", "\r"}:
        await use("apply_patch", patchText=patch)
        assert stands() == b"needle three\n"
    else:
        # OpenCode's format of patches is made of lines and trims them: no such name can be said in it.
        with pytest.raises(PatchError):
            await use("apply_patch", patchText=patch)
        assert stands() == b"needle two\n"
    assert [found.name for found in folder.iterdir()] == [name]
    word = "'" + path.replace("'", "'\\''") + "'"
    await use("bash", command=f"rm -- {word}")
    assert list(folder.iterdir()) == []


async def on_a_remote(userland: tuple[list[str], str], names: list[str]) -> None:
    shell, path = userland
    with tempfile.TemporaryDirectory() as top:
        home, folder = Path(top, "home"), Path(top, "work")
        home.mkdir()
        folder.mkdir()
        carrier: LocalCarrier = local_host(shell, path=path, environment={"HOME": str(home), "LC_ALL": "C.UTF-8"})
        try:
            host = await Host.connect(carrier, HostOptions(workdir=str(folder), login=False))
            assert ("rg" in host.facts.tools) == (path == os.environ["PATH"]), "the userland is another one"
            session = await open_session(Settings(ssh="ssh x", workdir=str(folder)), host, target_slug="names")
            try:
                for name in names:
                    await every_tool(session, folder, name)
            finally:
                await host.close()
                session.store.close()
        finally:
            await carrier.close()


@settings(max_examples=6, **WITHOUT_DEADLINE)
@given(names=SOME)
def test_every_tool_takes_unkind_names(userland: tuple[list[str], str], names: list[str]) -> None:
    asyncio.run(on_a_remote(userland, names))


@pytest.mark.whole
@settings(max_examples=60, **WITHOUT_DEADLINE)
@given(names=SOME)
def test_every_tool_takes_many_unkind_names(userland: tuple[list[str], str], names: list[str]) -> None:
    asyncio.run(on_a_remote(userland, names))
