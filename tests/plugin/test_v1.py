"""Hooks of OpenCode's V1 plugin interface: schemas, permissions handed back, the anchor folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pybridge.tools.arguments import ARGUMENTS
from tests.plugin.kit import TOOLS, Plugin, fake_python

DENIED: dict[str, Any] = {tool: "deny" for tool in TOOLS}


async def configured(plugin: Plugin, config: dict[str, Any], name: str = "a") -> dict[str, Any]:
    """What the plugin makes of a configuration, without the shell and the snapshots, which have tests of their own."""
    changed = await plugin.do("config", name=name, config=config)
    assert Path(changed.pop("shell")).is_file()
    changed.pop("snapshot", None)
    return changed


async def test_definitions_have_the_schema_of_the_python_models(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load()
        for tool in TOOLS:
            expected = ARGUMENTS[tool].model_json_schema()
            answer = await plugin.do("definition", name="a", tool=tool)
            assert answer["definition"]["jsonSchema"] == expected
            assert answer["args"] == expected["properties"]


async def test_other_tools_definitions_are_left_alone(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load()
        answer = await plugin.do("definition", name="a", tool="toString")
        assert answer["definition"]["jsonSchema"]["required"] == ["everything"]


async def test_permissions_are_handed_back_to_every_instance(tmp_path: Path) -> None:
    own = {
        "permission": {"bash": {"*": "ask"}},
        "agent": {"build": {"edit": "deny"}, "plan": None, "not there": "allow"},
    }
    config = {
        "permission": dict(DENIED),
        "agent": {
            "build": {"permission": DENIED, "model": "m"},
            "plan": {"permission": DENIED},
            "mine": {"permission": 1},
        },
    }
    expected = {
        "permission": {"bash": {"*": "ask"}},
        "agent": {"build": {"permission": {"edit": "deny"}, "model": "m"}, "plan": {}, "mine": {"permission": 1}},
    }
    async with Plugin(fake_python(tmp_path), env={"PYBRIDGE_USER_PERMISSION": json.dumps(own)}) as plugin:
        for name in ("a", "b"):
            await plugin.load(name)
            assert await configured(plugin, config, name) == expected
            assert "PYBRIDGE_USER_PERMISSION" not in await plugin.do("env")


async def test_a_user_without_permissions_gets_none(tmp_path: Path) -> None:
    env = {"PYBRIDGE_USER_PERMISSION": json.dumps({"permission": None, "agent": {}})}
    async with Plugin(fake_python(tmp_path), env=env) as plugin:
        await plugin.load()
        assert await configured(plugin, {"permission": DENIED, "theme": "x"}) == {"theme": "x"}


async def test_without_a_launcher_the_permissions_are_left_alone(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load()
        config = {"permission": {"bash": "ask"}}
        assert await configured(plugin, config) == config


async def test_opencodes_own_snapshots_are_off_where_the_tools_act_on_the_remote(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path), env={"REMOTE_ANCHOR": str(tmp_path)}) as plugin:
        for name, folder, expected in (("a", tmp_path, False), ("b", Path("/"), True)):
            await plugin.load(name, folder)
            assert (await plugin.do("config", name=name, config={"snapshot": True}))["snapshot"] is expected


class TestAnchor:
    @pytest.fixture
    def anchor(self, tmp_path: Path) -> Path:
        folder = tmp_path / "anchor"
        folder.mkdir()
        return folder

    async def test_the_anchor_itself_by_any_spelling(self, anchor: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(anchor)
        async with Plugin(fake_python(tmp_path), env={"REMOTE_ANCHOR": str(tmp_path / "link")}) as plugin:
            for number, directory in enumerate([anchor, tmp_path / "link", f"{anchor}/../anchor/"]):
                await plugin.load(str(number), directory)
                assert (await plugin.call(name=str(number)))["result"]["output"] == "hello"

    async def test_another_folder_is_refused_by_name(self, anchor: Path, tmp_path: Path) -> None:
        own = json.dumps({"permission": None, "agent": {}})
        env = {"REMOTE_ANCHOR": str(anchor), "PYBRIDGE_USER_PERMISSION": own}
        async with Plugin(fake_python(tmp_path), env=env) as plugin:
            await plugin.load("a", anchor)
            assert sorted((await plugin.load("b", tmp_path))["tools"]) == TOOLS
            for tool in TOOLS:
                failure = (await plugin.call(name="b", tool=tool))["failure"]
                assert str(tmp_path) + "," in failure
                assert str(anchor) in failure
            assert (await plugin.call(name="a"))["result"]["output"] == "hello"
            # Its tools are ours and refuse, so the model may be told why.
            assert await configured(plugin, {"permission": DENIED}, "b") == {}
            await plugin.do("dispose", name="b")
            assert (await plugin.call(name="a"))["result"]["output"] == "hello"

    @pytest.mark.parametrize("directory", ["", "/no/such/folder"])
    async def test_a_folder_that_is_not_there_is_refused(self, anchor: Path, tmp_path: Path, directory: str) -> None:
        async with Plugin(fake_python(tmp_path), env={"REMOTE_ANCHOR": str(anchor)}) as plugin:
            await plugin.load("a", directory)
            assert "Nothing was run" in (await plugin.call())["failure"]

    async def test_an_anchor_that_is_gone_is_still_the_anchor(self, tmp_path: Path) -> None:
        gone = tmp_path / "gone"
        async with Plugin(fake_python(tmp_path), env={"REMOTE_ANCHOR": str(gone)}) as plugin:
            await plugin.load("a", gone)
            assert (await plugin.call())["result"]["output"] == "hello"

    async def test_an_anchor_that_is_gone_refuses_all_others(self, tmp_path: Path) -> None:
        async with Plugin(fake_python(tmp_path), env={"REMOTE_ANCHOR": str(tmp_path / "gone")}) as plugin:
            await plugin.load("a", tmp_path)
            assert "Nothing was run" in (await plugin.call())["failure"]

    @pytest.mark.parametrize(("value", "allowed"), [("1", True), ("true", True), ("0", False), ("", False)])
    async def test_all_dirs(self, anchor: Path, tmp_path: Path, value: str, allowed: bool) -> None:
        env = {"REMOTE_ANCHOR": str(anchor), "REMOTE_ALL_DIRS": value}
        async with Plugin(fake_python(tmp_path), env=env) as plugin:
            await plugin.load("a", tmp_path)
            assert ("result" in await plugin.call()) is allowed


async def test_instances_share_one_sidecar_that_ends_with_the_last(tmp_path: Path) -> None:
    marker = tmp_path / "closed"
    async with Plugin(fake_python(tmp_path), env={"FAKE_CLOSED_MARKER": str(marker)}) as plugin:
        await plugin.load("a", "/")
        await plugin.load("b", tmp_path)
        one, other = [(await plugin.call("settings", name=n))["result"]["metadata"]["pid"] for n in "ab"]
        assert one == other
        await plugin.do("dispose", name="a")
        await plugin.do("dispose", name="a")  # twice counts once
        assert (await plugin.call(name="b"))["result"]["output"] == "hello"
        await plugin.do("dispose", name="b")
        assert marker.read_text() == "closed\n"
        with pytest.raises(ProcessLookupError):
            os.kill(one, 0)
        await plugin.load("c")
        assert (await plugin.call("settings", name="c"))["result"]["metadata"]["pid"] != one
