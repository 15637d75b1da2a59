"""Showing a running call's output: what is sent to OpenCode's server, and what never is."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.plugin.kit import PLUGIN, node

SERVER = """
const running = { id: "prt_1", sessionID: "ses_1", messageID: "msg_1", type: "tool", callID: "call_1", tool: "bash",
  state: { status: "running", input: { command: "c" }, time: { start: 7 } } }
const sent = [], logged = [], waiting = []
let part = running, answer = async () => ({ data: {} })
const client = {
  session: { message: async ({ path }) => ({ data: { parts: path.messageID === "msg_1" ? [part] : [] } }) },
  _client: { patch: (request) => { sent.push(request); return answer(request) } },
  app: { log: async ({ body }) => { logged.push(body.message) } },
}
const hanging = () => new Promise((resolve) => waiting.push(resolve))
const tick = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms))
const abort = new AbortController()
const call = new LiveCall(client, { sessionID: "ses_1", messageID: "msg_1", callID: "call_1", abort: abort.signal },
  complaint(client))
const show = (output) => call.show({ metadata: { output } })
const outputs = () => sent.map((request) => request.body.state.metadata.output)
"""


def played(script: str) -> Any:
    """What a script returns that sees one call and a pretended server."""
    text = "\n".join(
        [
            f"import {{ complaint, LiveCall }} from {json.dumps((PLUGIN / 'live.js').as_uri())}",
            SERVER,
            "console.log(JSON.stringify(await (async () => {",
            script,
            "})() ?? null))",
        ]
    )
    ran = subprocess.run(
        [node(), "--input-type=module", "--eval", text], capture_output=True, encoding="utf-8", timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


def test_the_part_is_replaced_with_all_that_it_was() -> None:
    sent = played("""show("a"); await tick(); const { signal, ...request } = sent[0]; return request""")
    assert sent["path"] == {"id": "ses_1", "messageID": "msg_1", "partID": "prt_1"}
    assert sent["body"] == {
        **{"id": "prt_1", "sessionID": "ses_1", "messageID": "msg_1", "type": "tool", "callID": "call_1"},
        "tool": "bash",
        "state": {"status": "running", "input": {"command": "c"}, "time": {"start": 7}, "metadata": {"output": "a"}},
    }


def test_one_at_a_time_and_then_the_newest() -> None:
    script = """answer = hanging; show("a"); await tick(); show("ab"); show("abc"); await tick()
      const before = outputs(); waiting[0]({}); await tick(); return [before, outputs()]"""
    assert played(script) == [["a"], ["a", "abc"]]


def test_the_end_waits_for_what_is_under_way_and_nothing_follows() -> None:
    script = """answer = hanging; show("a"); await tick(); show("ab")
      let over = false; const ending = call.end().then(() => { over = true })
      await tick(20); const early = over; waiting[0]({}); await ending; show("abc"); await tick(20)
      return [early, over, outputs()]"""
    assert played(script) == [False, True, ["a"]]


def test_nothing_is_sent_after_an_abort() -> None:
    script = (
        """show("a"); await tick(); abort.abort(); show("ab"); await tick(20); await call.end(); return outputs()"""
    )
    assert played(script) == ["a"]


def test_a_part_that_is_not_running_is_not_touched_until_it_is() -> None:
    script = """part = { ...running, state: { status: "pending", input: {}, raw: "" } }
      show("a"); await tick(20); const before = outputs(); part = running; show("ab")
      while (!sent.length) await tick(20)
      return [before, outputs()]"""
    assert played(script) == [[], ["ab"]]


def test_a_failure_is_logged_once_and_stops_nothing() -> None:
    script = """answer = async () => ({ error: { name: "BadRequest" } })
      for (const output of ["a", "ab", "abc"]) { show(output); await tick() }
      answer = async () => { throw new Error("gone") }; show("abcd"); await call.end()
      return [outputs(), logged]"""
    outputs, logged = played(script)
    assert outputs == ["a", "ab", "abc", "abcd"]
    assert logged == ['the output of running commands cannot be shown: {"name":"BadRequest"}']


def test_a_server_without_the_interface_is_borne() -> None:
    script = """const context = { sessionID: "s", messageID: "m", callID: "c" }
      const blind = new LiveCall(undefined, context, complaint(undefined))
      blind.show({ metadata: {} }); await blind.end(); return "over" """
    assert played(script) == "over"
