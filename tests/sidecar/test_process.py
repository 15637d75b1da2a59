"""The sidecar process: the protocol on its standard streams, and its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pybridge import __version__
from pybridge.sidecar.stdio import MAX_LINE_BYTES
from tests.sidecar.kit import FAKE, REAL, Sidecar


async def test_handshake() -> None:
    async with Sidecar() as sidecar:
        answer = await sidecar.initialize()
        assert answer["result"] == {"version": __version__, "pid": sidecar.process.pid}
        again = await sidecar.initialize()
        assert again["error"]["code"] == -32600


async def test_another_version_is_refused_by_name() -> None:
    async with Sidecar() as sidecar:
        answer = await sidecar.ask("initialize", {"version": "9.9.9"})
        assert "9.9.9" in answer["error"]["message"]
        assert __version__ in answer["error"]["message"]
        assert answer["error"]["data"] == {"version": __version__}


@pytest.mark.parametrize("params", [{"env": 5}, {"env": {"A": 1}}, {"secrets": ["x"]}])
async def test_handshake_with_bad_parameters(params: dict[str, Any]) -> None:
    async with Sidecar() as sidecar:
        answer = await sidecar.ask("initialize", {"version": __version__, **params})
        assert answer["error"]["code"] == -32602
        assert "result" in await sidecar.initialize()


async def test_a_call_before_the_handshake() -> None:
    async with Sidecar() as sidecar:
        assert (await sidecar.call())["error"]["code"] == -32600


async def test_malformed_lines_are_answered_and_not_fatal() -> None:
    async with Sidecar() as sidecar:
        await sidecar.initialize()
        await sidecar.send(b"\n  \n{broken\n")
        answer = await sidecar.answer(None)
        assert answer["error"]["code"] == -32700
        await sidecar.send(b'{"jsonrpc":"2.0","id":"s","method":"no such"}\n')
        assert (await sidecar.answer("s"))["error"]["code"] == -32601
        await sidecar.send(b'{"jsonrpc":"2.0","id":77,"result":"nobody asked"}\n')
        await sidecar.notify("$/cancel", {"id": ["no id"]})
        await sidecar.notify("$/cancel", {"id": 4711})
        await sidecar.notify("unheard of", {})
        assert (await sidecar.call())["result"]["output"] == "hello"


async def test_bad_parameters_of_a_call() -> None:
    async with Sidecar() as sidecar:
        await sidecar.initialize()
        for params in ({}, {"tool": 5}, {"tool": "bash", "context": 5}, {"tool": "bash", "context": {"agent": 1}}):
            assert (await sidecar.ask("tool.call", params))["error"]["code"] == -32602


async def test_a_batch_is_answered_as_one() -> None:
    async with Sidecar() as sidecar:
        await sidecar.initialize()
        call = {"jsonrpc": "2.0", "method": "tool.call", "params": {"tool": "bash", "args": {"command": "meet"}}}
        batch = [{**call, "id": "a"}, 5, {"jsonrpc": "2.0", "method": "$/cancel"}, {**call, "id": "b"}]
        await sidecar.send(json.dumps(batch).encode() + b"\n")
        answer: Any = {}
        while not isinstance(answer, list):
            answer = await sidecar.receive()
        assert {a["id"] for a in answer} == {"a", "b", None}
        assert sorted(a["result"]["output"] for a in answer if "result" in a) == ["0", "1"]


async def test_a_line_over_the_limit_is_refused_without_being_held() -> None:
    async with Sidecar() as sidecar:
        await sidecar.initialize()
        await sidecar.call()
        before = _peak_memory(sidecar.process.pid)
        piece = b" " * (1024 * 1024)
        for _ in range(MAX_LINE_BYTES // len(piece) + 40):
            await sidecar.send(piece)
        await sidecar.send(b"\n")
        answer = await sidecar.answer(None)
        assert answer["error"]["code"] == -32600
        assert str(MAX_LINE_BYTES + 40 * len(piece)) in answer["error"]["message"]
        assert (await sidecar.call())["result"]["output"] == "hello"
        # It may hold up to the limit before it knows, and never more.
        assert _peak_memory(sidecar.process.pid) - before < MAX_LINE_BYTES + 16 * len(piece)


async def test_a_long_line_within_the_limit() -> None:
    async with Sidecar() as sidecar:
        await sidecar.initialize()
        text = "0123456789" * 1_000_000
        assert (await sidecar.call(text=text))["result"]["output"] == text


async def test_two_calls_at_once() -> None:
    async with Sidecar() as sidecar:
        await sidecar.initialize()
        first, second = await sidecar.begin_call("meet"), await sidecar.begin_call("meet")
        answers: list[dict[str, Any]] = []
        while len(answers) < 2:
            message = await sidecar.receive()
            if "id" in message:
                answers.append(message)
        assert {a["id"] for a in answers} == {first, second}
        assert sorted(a["result"]["output"] for a in answers) == ["0", "1"]


async def test_a_cancelled_call_still_answers() -> None:
    async with Sidecar() as sidecar:
        await sidecar.initialize()
        number = await sidecar.begin_call("wait")
        while (await sidecar.receive()).get("method") != "tool.progress":
            pass
        await sidecar.notify("$/cancel", {"id": number})
        answer = await sidecar.answer(number)
        assert answer["result"]["output"] == "ended because it was aborted"


async def test_a_cancel_right_behind_its_call_is_not_lost() -> None:
    async with Sidecar() as sidecar:
        await sidecar.initialize()
        await sidecar.call()
        call = {
            "jsonrpc": "2.0",
            "id": "x",
            "method": "tool.call",
            "params": {"tool": "bash", "args": {"command": "wait"}},
        }
        cancel = {"jsonrpc": "2.0", "method": "$/cancel", "params": {"id": "x"}}
        await sidecar.send(json.dumps(call).encode() + b"\n" + json.dumps(cancel).encode() + b"\n")
        # Either answer is true: cancelled before it began, or while it ran.
        assert "abort" in json.dumps(await sidecar.answer("x"))


async def test_progress_comes_before_the_result() -> None:
    async with Sidecar() as sidecar:
        await sidecar.initialize()
        number = await sidecar.begin_call("wait")
        seen: list[Any] = []
        while True:
            message = await sidecar.receive()
            if message.get("method") == "tool.progress":
                seen.append(message["params"])
                await sidecar.notify("$/cancel", {"id": number})
            elif "id" in message:
                break
        assert seen == [{"call": number, "title": "waiting", "metadata": {"output": "so far"}}]


class TestPermission:
    async def _asked(self, sidecar: Sidecar) -> tuple[int, dict[str, Any]]:
        await sidecar.initialize()
        number = await sidecar.begin_call("ask")
        while (message := await sidecar.receive()).get("method") != "permission.ask":
            assert "id" not in message, message
        assert message["params"] == {
            "call": number,
            "permission": "edit",
            "patterns": ["a.txt"],
            "always": ["*"],
            "metadata": {"filepath": "a.txt", "diff": "-a\n+b"},
        }
        return number, message

    async def test_granted(self) -> None:
        async with Sidecar() as sidecar:
            number, question = await self._asked(sidecar)
            await sidecar.send(json.dumps({"jsonrpc": "2.0", "id": question["id"], "result": {}}).encode() + b"\n")
            assert (await sidecar.answer(number))["result"]["output"] == "done after asking"

    async def test_rejected_word_for_word(self) -> None:
        async with Sidecar() as sidecar:
            number, question = await self._asked(sidecar)
            error = {"code": -32010, "message": "No, says OpenCode."}
            await sidecar.send(json.dumps({"jsonrpc": "2.0", "id": question["id"], "error": error}).encode() + b"\n")
            answer = (await sidecar.answer(number))["error"]
            assert (answer["code"], answer["message"]) == (-32010, "No, says OpenCode.")

    async def test_a_failure_to_ask_is_no_consent(self) -> None:
        async with Sidecar() as sidecar:
            number, question = await self._asked(sidecar)
            await sidecar.send(json.dumps({"jsonrpc": "2.0", "id": question["id"], "error": "broken"}).encode() + b"\n")
            assert "could not be asked" in (await sidecar.answer(number))["error"]["message"]

    async def test_cancelled_while_it_is_asked(self) -> None:
        async with Sidecar() as sidecar:
            number, _ = await self._asked(sidecar)
            await sidecar.notify("$/cancel", {"id": number})
            assert (await sidecar.answer(number))["error"]["data"] == {"code": "cancelled"}


class TestErrors:
    async def test_a_remote_error_keeps_its_message(self) -> None:
        async with Sidecar() as sidecar:
            await sidecar.initialize()
            assert (await sidecar.call("fail"))["error"] == {
                "code": -32000,
                "message": "The pretended tool failed.\nDo something else.",
                "data": {"code": "tool"},
            }

    @pytest.mark.parametrize("command", ["bug", "no_json", "there is no such method"])
    async def test_a_fault_of_ours_says_so_and_ends_nothing(self, command: str) -> None:
        async with Sidecar() as sidecar:
            await sidecar.initialize()
            error = (await sidecar.call(command))["error"]
            assert error["code"] == -32603
            assert "fault of pybridge" in error["message"]
            assert (await sidecar.call())["result"]["output"] == "hello"
        assert b"Traceback" in sidecar.stderr


async def test_stray_output_does_not_reach_the_protocol() -> None:
    async with Sidecar() as sidecar:
        await sidecar.initialize()
        assert (await sidecar.call("print"))["result"]["output"] == "printed"
    for text in (b"a stray print", b"a stray write", b"a child input"):
        assert text in sidecar.stderr


class TestConnecting:
    async def test_the_handshake_does_not_wait_for_it(self) -> None:
        async with Sidecar(env={"FAKE_CONNECT": "never"}) as sidecar:
            await sidecar.initialize()
            assert (await sidecar.ask("status"))["result"] == {"state": "connecting"}

    async def test_status_when_ready(self) -> None:
        async with Sidecar() as sidecar:
            await sidecar.initialize()
            await sidecar.call()
            ready = {"state": "ready", "host": "pretended.example", "workdir": "/srv/project"}
            assert (await sidecar.ask("status"))["result"] == ready

    async def test_states_are_notified(self) -> None:
        async with Sidecar() as sidecar:
            params = {"version": __version__, "env": {}, "secrets": {}}
            await sidecar.begin("initialize", params)
            states: list[str] = []
            while "ready" not in states:
                message = await sidecar.receive()
                if message.get("method") == "status":
                    states.append(message["params"]["state"])
            assert states == ["connecting", "ready"]

    async def test_a_failure_is_told_to_the_waiting_call_and_the_next_tries_again(self) -> None:
        async with Sidecar(env={"FAKE_CONNECT": "refused_once"}) as sidecar:
            await sidecar.initialize()
            # Whether the first attempt has failed before this call arrives or not, one of two calls gets through.
            answers = [await sidecar.call(), await sidecar.call()]
            assert answers[1]["result"]["output"] == "hello"

    async def test_a_wrong_password_is_never_tried_again(self) -> None:
        async with Sidecar(env={"FAKE_CONNECT": "wrong_password"}) as sidecar:
            await sidecar.initialize()
            for _ in range(3):
                error = (await sidecar.call())["error"]
                assert error["message"].startswith("attempt 1: the password is wrong")
                assert error["data"] == {"code": "authentication"}
                assert "restart OpenCode" in error["message"]
            assert (await sidecar.ask("status"))["result"]["state"] == "failed"

    async def test_cancelled_while_it_waits(self) -> None:
        async with Sidecar(env={"FAKE_CONNECT": "never"}) as sidecar:
            await sidecar.initialize()
            number = await sidecar.begin_call()
            await sidecar.notify("$/cancel", {"id": number})
            assert "Nothing was done" in (await sidecar.answer(number))["error"]["message"]


class TestEnd:
    @pytest.mark.parametrize("how", ["eof", "SIGTERM", "shutdown"])
    async def test_calls_are_aborted_and_the_connection_closed(self, tmp_path: Path, how: str) -> None:
        marker = tmp_path / "closed"
        async with Sidecar(env={"FAKE_CLOSED_MARKER": str(marker)}) as sidecar:
            await sidecar.initialize()
            number = await sidecar.begin_call("wait")
            await sidecar.call()  # answered after the one before has begun
            if how == "eof":
                assert sidecar.process.stdin is not None
                sidecar.process.stdin.close()
            elif how == "SIGTERM":
                sidecar.process.send_signal(signal.SIGTERM)
            else:
                await sidecar.begin("shutdown")
            assert sidecar.process.stdout is not None
            rest = (await sidecar.process.stdout.read()).splitlines()
            answers = {m["id"]: m for m in map(json.loads, rest) if "id" in m}
            assert answers[number]["result"]["output"] == "ended because it was aborted"
            assert await sidecar.ended() == 0
            assert marker.read_text() == "closed\n"

    @pytest.mark.parametrize("connect", ["", "never"])
    async def test_a_call_that_ignores_the_abort_does_not_hold_it_up(self, connect: str) -> None:
        async with Sidecar(env={"FAKE_CONNECT": connect}) as sidecar:
            await sidecar.initialize()
            await sidecar.begin_call("ignore_abort")
            assert await sidecar.end() == 0

    def test_a_shim_that_does_not_read_does_not_hold_it_up(self) -> None:
        call = {"jsonrpc": "2.0", "method": "tool.call", "params": {"tool": "bash", "args": {"text": "x" * 5_000_000}}}
        handshake = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"version": __version__}}
        lines = [
            json.dumps(message).encode() + b"\n" for message in (handshake, *({**call, "id": n} for n in (1, 2, 3)))
        ]
        pipe = subprocess.PIPE
        with subprocess.Popen([sys.executable, *FAKE], stdin=pipe, stdout=pipe) as process:
            assert process.stdin is not None
            process.stdin.write(b"".join(lines))
            process.stdin.close()
            try:
                assert process.wait(20) == 0
            finally:
                process.kill()

    async def test_before_the_handshake(self) -> None:
        async with Sidecar(REAL) as sidecar:
            assert await sidecar.end() == 0

    async def test_ctrl_c_is_opencodes_business(self) -> None:
        async with Sidecar() as sidecar:
            await sidecar.initialize()
            sidecar.process.send_signal(signal.SIGINT)
            assert (await sidecar.call())["result"]["output"] == "hello"


class TestRealProgram:
    async def test_a_bad_setting_is_named(self) -> None:
        async with Sidecar(REAL) as sidecar:
            await sidecar.initialize({"REMOTE_SSH": "host", "REMOTE_POOL_FILE_SIZE": "many"})
            error = (await sidecar.call())["error"]
            assert error["data"] == {"code": "configuration"}
            assert "REMOTE_POOL_FILE_SIZE" in error["message"]

    async def test_heavy_modules_are_not_needed_for_the_handshake(self) -> None:
        code = "import sys, pybridge.sidecar.run; print({'asyncssh', 'pydantic', 'typer'} & set(sys.modules))"
        done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.strip() == "set()"

    async def test_it_reads_a_file_as_its_input(self, tmp_path: Path) -> None:
        # asyncio's own pipes refuse regular files; a person trying it by hand may well use one.
        script = tmp_path / "input"
        script.write_text('{"jsonrpc":"2.0","id":1,"method":"status"}')
        with script.open() as file:
            done = await asyncio.to_thread(
                subprocess.run, [sys.executable, *REAL], stdin=file, capture_output=True, timeout=30
            )
        assert json.loads(done.stdout) == {"jsonrpc": "2.0", "id": 1, "result": {"state": "connecting"}}


def _peak_memory(pid: int) -> int:
    """Bytes of memory a process has held at most."""
    status = Path(f"/proc/{pid}/status")
    if not os.access(status, os.R_OK):
        pytest.skip("there is no /proc to measure memory by")
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
