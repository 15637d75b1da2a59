"""The connection's state on its way from one thread of OpenCode's to another."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.plugin.kit import PLUGIN, node

CHANNEL = json.dumps((PLUGIN / "status_channel.js").as_uri())

SERVER = f"""
import {{ parentPort }} from "node:worker_threads"
import {{ StatusTeller }} from {CHANNEL}
const teller = new StatusTeller()
parentPort.on("message", (status) => teller.tell(status))
"""


def heard(script: str) -> Any:
    """What a script returns that sees a listener's `heard`, and `tell`, which speaks from another thread."""
    text = "\n".join(
        [
            'import { Worker } from "node:worker_threads"',
            f"import {{ listen, StatusTeller }} from {CHANNEL}",
            f"const worker = new Worker({json.dumps(SERVER)}, {{ eval: true }})",
            "const tell = (status) => worker.postMessage(status)",
            "const heard = []",
            "const until = async (count) => {",
            "  while (heard.length < count) await new Promise((resolve) => setTimeout(resolve, 10))",
            "}",
            "console.log(JSON.stringify(await (async () => {",
            script,
            "})() ?? null))",
            "process.exit(0)",
        ]
    )
    ran = subprocess.run(
        [node(), "--input-type=module", "--eval", text], capture_output=True, encoding="utf-8", timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


def test_each_change_is_heard_once() -> None:
    script = """listen((status) => heard.push(status), { interval: 5 })
      tell({ state: "connecting" }); await until(1); tell({ state: "ready", host: "box" }); await until(2)
      await new Promise((resolve) => setTimeout(resolve, 50)); return heard"""
    assert heard(script) == [{"state": "connecting"}, {"state": "ready", "host": "box"}]


def test_who_comes_later_asks() -> None:
    script = """const early = listen((status) => heard.push(status), { interval: 5 })
      tell({ state: "lost", error: "cut" }); await until(1); early()
      listen((status) => heard.push(status), { interval: 5 }); await until(2); return heard[1]"""
    assert heard(script) == {"state": "lost", "error": "cut"}


def test_silence_is_noticed_and_ends() -> None:
    script = """listen((status) => heard.push(status), { interval: 5, patience: 500 })
      await until(1); tell({ state: "ready" }); await until(2); await worker.terminate(); await until(3)
      return heard.map(({ state }) => state)"""
    assert heard(script) == ["silent", "ready", "silent"]


def test_a_listener_that_ended_hears_no_more() -> None:
    """Neither what is told, nor that nobody answers; until then a slow machine may have let it hear of silence."""
    script = """const end = listen((status) => heard.push(status), { interval: 5, patience: 50 })
      tell({ state: "ready" }); await until(1); end(); const before = heard.length
      tell({ state: "lost" }); await new Promise((resolve) => setTimeout(resolve, 200))
      return [before > 0, heard.length - before]"""
    assert heard(script) == [True, 0]
