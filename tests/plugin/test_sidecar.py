"""Calls through the shim, with the real sidecar process and with broken ones."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from pybridge import __version__
from tests.plugin.kit import Plugin, fake_python, program

HANDSHAKE = f'{{"jsonrpc":"2.0","id":1,"result":{{"version":"{__version__}","pid":1}}}}'


async def test_a_call_and_its_result(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load()
        result = (await plugin.call(tool="read", text="grün 🌲 \u2028", filePath="/x"))["result"]
        assert result["title"] == "read title"
        assert result["output"] == "grün 🌲 \u2028"
        assert result["metadata"]["args"]["filePath"] == "/x"
        context = {k: result["metadata"][k] for k in ("session", "message", "call", "agent")}
        assert context == {"session": "ses_1", "message": "msg_1", "call": "call_k", "agent": "build"}


async def test_a_large_result_arrives_whole(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load()
        text = "ä0123456789" * 300_000
        assert (await plugin.call(text=text))["result"]["output"] == text


async def test_calls_run_at_the_same_time(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load()
        answers = await asyncio.gather(plugin.call("meet", key="1"), plugin.call("meet", key="2"))
        assert sorted(a["result"]["output"] for a in answers) == ["0", "1"]


async def test_an_error_reaches_the_model_word_for_word(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load()
        assert (await plugin.call("fail"))["failure"] == "The pretended tool failed.\nDo something else."


async def test_an_abort_is_passed_on_and_the_call_answers(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load()
        running = await plugin.begin_running("wait")
        await plugin.do("abort", key="k")
        assert (await running)["result"]["output"] == "ended because it was aborted"


async def test_an_abort_while_still_connecting(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path), env={"FAKE_CONNECT": "never"}) as plugin:
        await plugin.load()
        running = plugin.begin_call()
        await plugin.do("abort", key="k")
        assert (await running)["failure"] == "Tool execution aborted"  # as of OpenCode's own tools


async def test_an_abort_that_a_call_ignores_ends_it_all_the_same(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(cancelTimeout=200)
        running = await plugin.begin_running("ignore_abort")
        await plugin.do("abort", key="k")
        assert "unknown" in (await running)["failure"]
        assert (await plugin.call())["result"]["output"] == "hello"


async def test_a_sidecar_that_hangs_is_ended_at_an_abort_and_replaced(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(cancelTimeout=200, statusTimeout=200)
        await plugin.call()
        begun = tmp_path / "begun"
        running = plugin.begin_call("block", begun=str(begun))
        while not begun.exists():
            await asyncio.sleep(0.02)
        await plugin.do("abort", key="k")
        failure = (await running)["failure"]
        assert "did not react to an abort" in failure
        assert "unknown" in failure
        assert (await plugin.call())["result"]["output"] == "hello"


class TestPermission:
    async def test_granted(self, tmp_path: Path) -> None:
        async with Plugin(fake_python(tmp_path)) as plugin:
            await plugin.load()
            answer = await plugin.call("ask")
            assert answer["result"]["output"] == "done after asking"
            metadata = {"filepath": "a.txt", "diff": "-a\n+b"}
            assert answer["asked"] == [
                {"permission": "edit", "patterns": ["a.txt"], "always": ["*"], "metadata": metadata}
            ]

    async def test_a_rejection_is_opencodes_own_error_object(self, tmp_path: Path) -> None:
        async with Plugin(fake_python(tmp_path)) as plugin:
            await plugin.load()
            answer = await plugin.call("ask", ask="reject")
            assert answer["failure"] == "rejected, word for word"
            assert answer["original"] is True

    async def test_each_call_is_asked_for_itself(self, tmp_path: Path) -> None:
        async with Plugin(fake_python(tmp_path)) as plugin:
            await plugin.load()
            yes, no = await asyncio.gather(plugin.call("ask", key="1"), plugin.call("ask", key="2", ask="reject"))
            assert "result" in yes
            assert no["original"] is True


class TestDeath:
    async def test_midway_the_outcome_is_unknown_and_the_next_call_starts_anew(self, tmp_path: Path) -> None:
        async with Plugin(fake_python(tmp_path), env={"REMOTE_PASSWORD": "h1dden"}) as plugin:
            await plugin.load()
            await plugin.call()
            waiting = await plugin.begin_running("wait", key="other")
            failure = (await plugin.call("die"))["failure"]
            assert "ended with exit code 9" in failure
            assert "unknown" in failure
            assert "dying with ***" in failure
            assert "h1dden" not in failure
            assert "unknown" in (await waiting)["failure"]
            assert (await plugin.call())["result"]["output"] == "hello"

    async def test_a_call_is_never_sent_twice(self, tmp_path: Path) -> None:
        starts = tmp_path / "starts"
        script = f"""echo start >> "{starts}"
read line; echo '{HANDSHAKE}'
read line; echo "$line" >> "{starts}"; exit 1
"""
        async with Plugin(program(tmp_path, script)) as plugin:
            await plugin.load()
            assert "unknown" in (await plugin.call())["failure"]
            assert starts.read_text().count("start") == 1
            assert starts.read_text().count("tool.call") == 1

    async def test_while_idle_it_is_replaced_unnoticed(self, tmp_path: Path) -> None:
        async with Plugin(fake_python(tmp_path)) as plugin:
            await plugin.load()
            pid = (await plugin.call("settings"))["result"]["metadata"]["pid"]
            # A second call under way tells us when the shim has seen the death.
            waiting = await plugin.begin_running("wait", key="other")
            os.kill(pid, 9)
            assert "killed by SIGKILL" in (await waiting)["failure"]
            assert (await plugin.call())["result"]["output"] == "hello"

    async def test_garbage_on_its_output_ends_it(self, tmp_path: Path) -> None:
        async with Plugin(fake_python(tmp_path)) as plugin:
            await plugin.load()
            failure = (await plugin.call("garbage"))["failure"]
            assert "not of the protocol" in failure
            assert (await plugin.call())["result"]["output"] == "hello"


class TestStart:
    async def test_it_dies_at_once(self, tmp_path: Path) -> None:
        stub = program(tmp_path, "for i in $(seq 60); do echo line $i end >&2; done; exit 7")
        async with Plugin(stub) as plugin:
            await plugin.load()
            failure = (await plugin.call())["failure"]
            assert "exit code 7" in failure
            assert str(stub) in failure
            assert "line 60 end" in failure
            assert "line 11 end" in failure
            assert "line 10 end" not in failure

    async def test_each_call_tries_once_and_succeeds_once_repaired(self, tmp_path: Path) -> None:
        stub = program(tmp_path, "exit 7")
        async with Plugin(stub) as plugin:
            await plugin.load()
            assert "exit code 7" in (await plugin.call())["failure"]
            fake_python(tmp_path)
            assert (await plugin.call())["result"]["output"] == "hello"

    async def test_no_such_interpreter(self, tmp_path: Path) -> None:
        async with Plugin(tmp_path / "gone") as plugin:
            await plugin.load()
            failure = (await plugin.call())["failure"]
            assert str(tmp_path / "gone") in failure
            assert "PYBRIDGE_PYTHON" in failure

    async def test_an_old_python_is_refused_by_name(self, tmp_path: Path) -> None:
        stub = program(tmp_path, 'case $1 in --version) echo "Python 3.8.10" ;; *) exit 1 ;; esac')
        async with Plugin(stub) as plugin:
            await plugin.load()
            failure = (await plugin.call())["failure"]
            for part in (str(stub), "3.8.10", "3.11", "PYBRIDGE_PYTHON"):
                assert part in failure

    async def test_a_python_without_pybridge(self, tmp_path: Path) -> None:
        stub = program(tmp_path, f'exec "{sys.executable}" -I -S "$@"')
        async with Plugin(stub) as plugin:
            await plugin.load()
            failure = (await plugin.call())["failure"]
            assert "no pybridge installed" in failure
            assert str(stub) in failure

    async def test_modules_of_the_current_folder_are_not_run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "json.py").write_text(f"open({str(tmp_path / 'hijacked')!r}, 'w')")
        stub = program(tmp_path, f'exec "{sys.executable}" "$@"')
        monkeypatch.chdir(tmp_path)
        async with Plugin(stub, env={"REMOTE_SSH": "'"}) as plugin:
            await plugin.load()
            assert "REMOTE_SSH" in (await plugin.call())["failure"]
            assert not (tmp_path / "hijacked").exists()

    async def test_it_never_answers(self, tmp_path: Path) -> None:
        async with Plugin(program(tmp_path, "exec sleep 300")) as plugin:
            await plugin.load(startTimeout=300)
            failure = (await plugin.call())["failure"]
            assert "did not answer within 0.3 s" in failure

    async def test_greetings_before_the_handshake_are_ignored(self, tmp_path: Path) -> None:
        async with Plugin(fake_python(tmp_path, "echo Welcome to this wrapper")) as plugin:
            await plugin.load()
            assert (await plugin.call())["result"]["output"] == "hello"

    async def test_garbage_instead_of_a_handshake(self, tmp_path: Path) -> None:
        async with Plugin(program(tmp_path, "echo What is this; exit 0")) as plugin:
            await plugin.load()
            assert "[stdout] What is this" in (await plugin.call())["failure"]

    async def test_loading_does_not_wait_for_it(self, tmp_path: Path) -> None:
        async with Plugin(program(tmp_path, "exec sleep 300")) as plugin:
            assert (await plugin.load())["tools"]


class TestVersions:
    async def test_the_sidecar_refuses_another_plugin(self, tmp_path: Path) -> None:
        stub = fake_python(tmp_path)
        import shutil

        from tests.plugin.kit import PLUGIN

        copy = Path(shutil.copytree(PLUGIN, tmp_path / "plugin"))
        (copy / "version.js").write_text('export const VERSION = "9.9.9"\n')
        async with Plugin(stub, index=copy / "index.js") as plugin:
            await plugin.load()
            failure = (await plugin.call())["failure"]
            for part in ("9.9.9", __version__, "pybridge install"):
                assert part in failure

    async def test_the_plugin_refuses_another_sidecar(self, tmp_path: Path) -> None:
        answer = HANDSHAKE.replace(__version__, "0.0.1")
        async with Plugin(program(tmp_path, f"read line; echo '{answer}'; read line")) as plugin:
            await plugin.load()
            failure = (await plugin.call())["failure"]
            for part in ("0.0.1", __version__, "pybridge install"):
                assert part in failure


class TestEnd:
    async def test_dispose_ends_a_call_and_the_process(self, tmp_path: Path) -> None:
        marker = tmp_path / "closed"
        async with Plugin(fake_python(tmp_path), env={"FAKE_CLOSED_MARKER": str(marker)}) as plugin:
            await plugin.load()
            pid = (await plugin.call("settings"))["result"]["metadata"]["pid"]
            running = await plugin.begin_running("wait")
            await plugin.do("dispose", name="a")
            assert (await running)["result"]["output"] == "ended because it was aborted"
            assert marker.exists()
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    async def test_what_does_not_go_is_killed(self, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        script = f"echo $$ > '{pid_file}'; read line; echo '{HANDSHAKE}'; trap '' TERM; read line; exec sleep 300"
        async with Plugin(program(tmp_path, script)) as plugin:
            await plugin.load()
            running = plugin.begin_call()
            await plugin.do("dispose", name="a")
            assert "was closed" in (await running)["failure"]
            with pytest.raises(ProcessLookupError):
                os.kill(int(pid_file.read_text()), 0)

    async def test_it_ends_when_opencode_is_killed(self, tmp_path: Path) -> None:
        marker = tmp_path / "closed"
        async with Plugin(fake_python(tmp_path), env={"FAKE_CLOSED_MARKER": str(marker)}) as plugin:
            await plugin.load()
            pid = (await plugin.call("settings"))["result"]["metadata"]["pid"]
            plugin._process.kill()
            await plugin._process.wait()
            await asyncio.wait_for(_gone(pid), 30)
            assert marker.exists()


async def _gone(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.05)


async def states_until(plugin: Plugin, last: str) -> list[str]:
    """The connection's states as the terminal interface hears them, up to one that comes."""
    while not (states := [status["state"] for status in await plugin.do("statuses")]) or states[-1] != last:
        await asyncio.sleep(0.01)
    return states


async def test_the_interface_hears_how_the_connection_is(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load()
        assert (await states_until(plugin, "ready"))[0] == "connecting"
        statuses = await plugin.do("statuses")
        assert statuses[-1] == {"state": "ready", "host": "pretended.example", "workdir": "/srv/project"}
        await plugin.call("die")
        assert (await states_until(plugin, "lost"))[-1] == "lost"
        assert "next call starts it again" in (await plugin.do("statuses"))[-1]["error"]
        await plugin.call()
        states = await states_until(plugin, "ready")
        assert states[states.index("lost") + 1] == "connecting"


async def test_the_interface_hears_why_there_is_no_connection(tmp_path: Path) -> None:
    async with Plugin(tmp_path / "no-such-python") as plugin:
        await plugin.load()
        await states_until(plugin, "failed")
        assert "no-such-python" in (await plugin.do("statuses"))[-1]["error"]
    async with Plugin(fake_python(tmp_path), env={"REMOTE_ANCHOR": "/elsewhere"}) as plugin:
        await plugin.load()
        await states_until(plugin, "failed")
        assert "/elsewhere" in (await plugin.do("statuses"))[-1]["error"]
