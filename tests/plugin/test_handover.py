"""Secrets handed over in a FIFO (law 6): read once, kept; what cannot be read is every tool's error (law 4)."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybridge.cli.opencode import handover
from tests.kit.counterparts import need_root
from tests.plugin.kit import PLUGIN, TOOLS, Plugin, fake_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no FIFOs")

SECRETS = {"REMOTE_PASSWORD": "p4ss wörd", "REMOTE_SUDO_PASSWORD": "sud0", "REMOTE_KEY_PASSPHRASE": "phr4se"}


class Fifo:
    """A FIFO, held open as the process that was started with it holds it."""

    def __init__(self, path: Path, content: bytes) -> None:
        os.mkfifo(path, 0o600)
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        if content:
            os.write(self.descriptor, content)

    @property
    def env(self) -> dict[str, str]:
        return {handover.VARIABLE: str(self.path)}


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    made = Fifo(tmp_path / "fifo", json.dumps(SECRETS).encode() + b"\n")
    yield made
    os.close(made.descriptor)


async def settings(plugin: Plugin, name: str = "a") -> dict[str, dict[str, str]]:
    """What the sidecar was given."""
    return (await plugin.call("settings", name=name))["result"]["metadata"]


async def refusal(plugin: Plugin, name: str = "a") -> str:
    """Load, see that each tool refuses with one message, and the launcher's denials are lifted: it is shown."""
    assert sorted((await plugin.load(name))["tools"]) == TOOLS
    messages = {(await plugin.call(tool=tool, name=name))["failure"] for tool in TOOLS}
    assert len(messages) == 1
    denied = {"permission": {"bash": "deny"}}
    config = await plugin.do("config", name=name, config=denied)
    assert Path(config.pop("shell")).name.startswith("pybridge-no-")
    assert config == {"permission": {"bash": "ask"}}
    assert handover.VARIABLE not in await plugin.do("env")
    return messages.pop()


def refused(env: dict[str, str]) -> Plugin:
    """A plugin whose sidecar must not be started."""
    own = json.dumps({"permission": {"bash": "ask"}, "agent": {}})
    return Plugin(Path("/no/python"), env={**env, "PYBRIDGE_USER_PERMISSION": own})


async def test_they_reach_the_sidecar_and_nothing_else(fifo: Fifo, tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path), env=fifo.env) as plugin:
        await plugin.load()
        seen = await settings(plugin)
        assert seen["secrets"] == SECRETS
        env = await plugin.do("env")
        for variables in (env, seen["environ"], seen["env"]):
            assert not {handover.VARIABLE, *SECRETS} & variables.keys()
        assert not fifo.path.exists()
        with pytest.raises(BlockingIOError):
            os.read(fifo.descriptor, 1)  # nothing is left in it


async def test_instances_share_them(fifo: Fifo, tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path), env=fifo.env) as plugin:
        first, second = plugin.begin("load", name="a", directory="/"), plugin.begin("load", name="b", directory="/")
        await first
        await second
        assert (await settings(plugin, "a"))["secrets"] == (await settings(plugin, "b"))["secrets"] == SECRETS
        await plugin.do("dispose", name="a")
        await plugin.do("dispose", name="b")
        await plugin.load("later")
        assert (await settings(plugin, "later"))["secrets"] == SECRETS


async def test_a_path_where_nothing_is(tmp_path: Path) -> None:
    async with refused({handover.VARIABLE: str(tmp_path / "gone")}) as plugin:
        message = await refusal(plugin)
        assert f"{tmp_path / 'gone'} is gone" in message
        assert "Nothing was run" in message
        assert "Start OpenCode again with `pybridge launch`" in message
        assert await refusal(plugin, "second") == message  # it has no PYBRIDGE_SECRETS to look at any more


async def test_a_fifo_whose_writer_has_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    async with refused({handover.VARIABLE: str(tmp_path / "fifo")}) as plugin:
        assert "is empty" in await refusal(plugin)
        assert not (tmp_path / "fifo").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b"hush {[\n", "damaged"), (b'"hush"\n', "damaged"), (b"null\n", "damaged")],
)
async def test_a_fifo_without_secrets(tmp_path: Path, content: bytes, words: str) -> None:
    fifo = Fifo(tmp_path / "other", content)
    try:
        async with refused(fifo.env) as plugin:
            message = await refusal(plugin)
            assert words in message
            assert "hush" not in message
    finally:
        os.close(fifo.descriptor)


@pytest.mark.parametrize("kind", ["file", "folder", "link", "open to others", "another user's"])
async def test_what_is_no_private_fifo_is_not_read(fifo: Fifo, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "path"
    match kind:
        case "file":
            path.write_text(json.dumps(SECRETS))
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(fifo.path)
        case "open to others":
            path = fifo.path
            path.chmod(0o620)
        case _:
            need_root("give a file to another user")
            path = fifo.path
            os.chown(path, 65534, -1)
    async with refused({handover.VARIABLE: str(path)}) as plugin:
        message = await refusal(plugin)
        assert str(path) in message
        assert "is not a FIFO that only you can use" in message or kind == "link"
        assert path.exists()
        assert os.read(fifo.descriptor, 1) == b"{"  # nothing was taken out of it


async def test_a_damaged_reader_is_the_error_of_all_tools_and_the_secrets_stay_where_they_are(
    fifo: Fifo, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(PLUGIN, tmp_path / "plugin"))
    (copy / "handover.js").write_text("const const = {{{")
    async with Plugin(fake_python(tmp_path), index=copy / "index.js", env=fifo.env) as plugin:
        for name in ("a", "b"):
            assert sorted((await plugin.load(name))["tools"]) == TOOLS
            for tool in TOOLS:
                assert "could not be loaded" in (await plugin.call(tool=tool, name=name))["failure"]
        assert handover.VARIABLE not in await plugin.do("env")


async def test_the_environments_own_still_count(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path), env={"REMOTE_PASSWORD": "direct"}) as plugin:
        await plugin.load()
        assert (await settings(plugin))["secrets"] == {"REMOTE_PASSWORD": "direct"}


async def test_without_remote_ssh_nothing_is_read(fifo: Fifo) -> None:
    async with Plugin(env={**fifo.env, "REMOTE_SSH": ""}) as plugin:
        assert (await plugin.load())["hooks"] == []
        assert fifo.path.exists()
