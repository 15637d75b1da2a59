"""What the plugin adds to OpenCode's start: in node by itself, and in OpenCode where that is there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import time
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from pathlib import Path

from benchmarks.adapter import ROOT
from benchmarks.measuring import Measured
from benchmarks.own_sidecar import environment

OWN_TIME = "of that, waiting for pybridge's plugin"

_LOAD = """
const [plugin, directory, python] = process.argv.slice(1)
const started = performance.now()
const { server } = await import(plugin)
const hooks = await server({ directory, client: {} }, { python })
const taken = performance.now() - started
if (Object.keys(hooks.tool).length !== 7) throw new Error("no tools")
console.log(taken)
await hooks.dispose()
process.exit()
"""

_TIMED = """
import { appendFileSync } from "node:fs"
const begun = performance.now()
const plugin = await import(PLUGIN)
let taken = performance.now() - begun
async function timed(action) {
  const begun = performance.now()
  const result = await action()
  taken += performance.now() - begun
  return result
}
const server = async (input, options) => {
  const hooks = await timed(() => plugin.server(input, options))
  const { config } = hooks
  hooks.config = async (live) => {
    await timed(() => config(live))
    appendFileSync(LOG, taken + "\\n")
  }
  return hooks
}
export { server }
export default { id: "pybridge", server }
"""


async def in_node(ssh: str, workdir: str, scratch: Path, runs: int) -> Measured:
    """Seconds from the import of the plugin until OpenCode has its tools and hooks; the sidecar starts meanwhile."""
    node = shutil.which("node")
    if node is None:
        return Measured(why="no node here")
    found = Measured()
    variables = _remote(scratch, ssh, workdir)
    words = [node, "--input-type=module", "-e", _LOAD, (ROOT / "plugin" / "index.js").as_uri(), workdir, sys.executable]
    for _ in range(runs):
        process = await asyncio.create_subprocess_exec(*words, env=variables, stdout=PIPE, stderr=PIPE, cwd=scratch)
        out, err = await process.communicate()
        if process.returncode != 0:
            return Measured(why=err.decode(errors="replace").strip()[-200:])
        found.seconds.append(float(out) / 1000)
    return found


async def in_opencode(ssh: str, workdir: str, scratch: Path, runs: int) -> dict[str, Measured]:
    """What `opencode serve` takes to open a folder for its first client: it loads the plugins then.

    With an empty plugin and with ours, in turn; and under OWN_TIME the part of it in which OpenCode waits for ours:
    loading it, making its hooks, and the hook for the configuration. Nothing where there is no OpenCode.
    """
    opencode = os.environ.get("PYBRIDGE_OPENCODE") or shutil.which("opencode")
    if opencode is None:
        return {}
    empty, timed, log, anchor = (scratch / name for name in ("empty-plugin.js", "timed-plugin.js", "log", "anchor"))
    plugin = (ROOT / "plugin" / "index.js").as_uri()
    timed.write_text(_TIMED.replace("PLUGIN", json.dumps(plugin)).replace("LOG", json.dumps(str(log))))
    empty.write_text('export const server = async () => ({})\nexport default { id: "empty", server }\n')
    anchor.mkdir(exist_ok=True)
    plain = {**environment(scratch), "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}
    ours = {**plain, **_remote(scratch, ssh, workdir), "PYBRIDGE_PYTHON": sys.executable}
    variants = {
        "with an empty plugin": plain | _config(empty),
        "with pybridge's plugin": ours | _config(timed),
    }
    found = {name: Measured() for name in variants}
    for run in range(runs + 1):
        for name, variables in variants.items():
            seconds = await _folder_opened(opencode, variables, anchor)
            if run:  # the first one fills caches
                found[name].seconds.append(seconds)
    own = [float(line) / 1000 for line in log.read_text().split()] if log.exists() else []
    found[OWN_TIME] = Measured(own[1:], why="" if own else "OpenCode loaded no plugin")
    return found


def _config(plugin: Path) -> dict[str, str]:
    return {"OPENCODE_CONFIG_CONTENT": json.dumps({"plugin": [plugin.as_uri()]})}


async def _folder_opened(opencode: str, variables: Mapping[str, str], folder: Path) -> float:
    words = [opencode, "serve", "--hostname", "127.0.0.1", "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *words, env=dict(variables), cwd=folder, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            while not (said := re.search(rb"http://[\d.]+:(\d+)", await process.stdout.readline())):
                if process.returncode is not None:
                    raise RuntimeError("OpenCode ended at once")
            return await asyncio.to_thread(_ask, int(said[1]), folder)
    finally:
        process.terminate()
        await process.wait()


def _ask(port: int, folder: Path) -> float:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/config", headers={"x-opencode-directory": str(folder)})
    started = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
    return time.perf_counter() - started


def _remote(home: Path, ssh: str, workdir: str) -> dict[str, str]:
    return {**environment(home), "REMOTE_SSH": ssh, "REMOTE_WORKDIR": workdir}
