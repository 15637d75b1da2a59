"""The entry: inert without REMOTE_SSH, never throwing, always seven tools (law 4), secrets gone (law 6)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pybridge import __version__
from pybridge.sidecar import schemas
from pybridge.tools.arguments import ARGUMENTS
from tests.plugin.kit import PLUGIN, TOOLS, Plugin, fake_python, program


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The plugin in a folder of its own, to be damaged."""
    return Path(shutil.copytree(PLUGIN, tmp_path / "plugin"))


async def refused(plugin: Plugin) -> str:
    """Load, see that every tool refuses with the same message, and give it."""
    assert sorted((await plugin.load())["tools"]) == TOOLS
    messages = {(await plugin.call(tool=tool))["failure"] for tool in TOOLS}
    assert len(messages) == 1
    return messages.pop()


async def test_without_remote_ssh_there_is_nothing(copy: Path, tmp_path: Path) -> None:
    (copy / "v1.js").write_text("this must not even be read (")
    async with Plugin(index=copy / "index.js", env={"REMOTE_SSH": "", "REMOTE_PASSWORD": "kept"}) as plugin:
        assert (await plugin.load())["hooks"] == []
        assert (await plugin.do("env"))["REMOTE_PASSWORD"] == "kept"


@pytest.mark.parametrize(
    "file", ["v1.js", "sidecar.js", "peer.js", "process.js", "python.js", "version.js", "schemas.json"]
)
@pytest.mark.parametrize("damage", ["missing", "broken"])
async def test_a_damaged_file_becomes_the_error_of_all_tools(
    copy: Path, tmp_path: Path, file: str, damage: str
) -> None:
    if damage == "missing":
        (copy / file).unlink()
    else:
        (copy / file).write_text("const const = {{{")
    given = json.dumps({"permission": None, "agent": {}})
    env = {"REMOTE_PASSWORD": "secret", "PYBRIDGE_USER_PERMISSION": given}
    async with Plugin(fake_python(tmp_path), index=copy / "index.js", env=env) as plugin:
        message = await refused(plugin)
        assert "could not be loaded" in message
        assert "Nothing was run" in message
        denied = {"permission": {"bash": "deny"}}
        # A file that is no program in place of the shell: the user's own commands run nowhere either.
        assert await plugin.do("config", name="a", config=denied) == {**denied, "shell": str(copy / "index.js")}
        assert "REMOTE_PASSWORD" not in await plugin.do("env")


async def test_a_plugin_that_throws_while_it_loads(copy: Path) -> None:
    (copy / "v1.js").write_text("throw new Error('thrown on purpose')")
    async with Plugin(index=copy / "index.js") as plugin:
        assert "thrown on purpose" in await refused(plugin)


async def test_tools_known_without_the_schemas_are_those_with(copy: Path, tmp_path: Path) -> None:
    (copy / "v1.js").unlink()
    async with Plugin(index=copy / "index.js") as plugin:
        await plugin.load()
        for tool in TOOLS:
            args = (await plugin.do("definition", name="a", tool=tool))["args"]
            assert sorted(args) == sorted(ARGUMENTS[tool].model_json_schema()["required"])


async def test_secrets_leave_the_environment_and_reach_the_sidecar_apart(tmp_path: Path) -> None:
    secrets = {"REMOTE_PASSWORD": "p4ss", "REMOTE_SUDO_PASSWORD": "sud0", "REMOTE_KEY_PASSPHRASE": "phr4se"}
    env = {**secrets, "REMOTE_WORKDIR": "/srv", "PYBRIDGE_LOG": "debug", "OTHER": "not ours"}
    async with Plugin(fake_python(tmp_path), env=env) as plugin:
        await plugin.load()
        assert not secrets.keys() & (await plugin.do("env")).keys()
        seen = (await plugin.call("settings"))["result"]["metadata"]
        assert seen["secrets"] == secrets
        assert not secrets.keys() & seen["environ"].keys()
        assert not secrets.keys() & seen["env"].keys()
        assert seen["env"]["REMOTE_WORKDIR"] == "/srv"
        assert seen["env"]["PYBRIDGE_LOG"] == "debug"
        assert "OTHER" not in seen["env"]
        # An instance made later, when the environment has them no more, still has them.
        await plugin.do("dispose", name="a")
        await plugin.load("b")
        assert (await plugin.call("settings", name="b"))["result"]["metadata"]["secrets"] == secrets


async def test_the_recorded_interpreter_is_used_unless_another_is_set(tmp_path: Path) -> None:
    recorded = fake_python(tmp_path)
    async with Plugin() as plugin:
        await plugin.load(python=str(recorded))
        assert (await plugin.call())["result"]["output"] == "hello"
    async with Plugin(program(tmp_path, "exit 3", "other")) as plugin:
        await plugin.load(python=str(recorded))
        failure = (await plugin.call())["failure"]
        assert "set by PYBRIDGE_PYTHON" in failure
        assert "exit code 3" in failure


async def test_pybridge_on_path_is_the_last_resort(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    fake = fake_python(tmp_path).rename(tmp_path / "bin" / "pybridge")
    import os

    async with Plugin(env={"PATH": os.pathsep.join([str(fake.parent), os.environ["PATH"]])}) as plugin:
        await plugin.load(python=str(tmp_path / "gone"))
        assert (await plugin.call())["result"]["output"] == "hello"


async def test_no_python_at_all(tmp_path: Path) -> None:
    async with Plugin(env={"PATH": str(tmp_path)}) as plugin:
        await plugin.load(python=str(tmp_path / "gone"))
        failure = (await plugin.call())["failure"]
        assert str(tmp_path / "gone") in failure
        assert "PYBRIDGE_PYTHON" in failure


@pytest.mark.unit
def test_schemas_are_current() -> None:
    assert schemas.is_current()


@pytest.mark.unit
def test_a_stale_schema_file_is_noticed(tmp_path: Path) -> None:
    stale = tmp_path / "schemas.json"
    assert not schemas.is_current(stale)
    stale.write_text(schemas.generate().replace("command", "comand", 1))
    assert not schemas.is_current(stale)


@pytest.mark.unit
def test_plugin_and_package_have_one_version() -> None:
    assert f'VERSION = "{__version__}"' in (PLUGIN / "version.js").read_text()


@pytest.mark.unit
def test_the_plugin_needs_no_package() -> None:
    manifest = json.loads((PLUGIN / "package.json").read_text())
    assert not [key for key in manifest if "ependencies" in key]
    for file in PLUGIN.glob("*.js"):
        for line in file.read_text().splitlines():
            if line.startswith("import "):
                assert '"./' in line or '"node:' in line, (file, line)
