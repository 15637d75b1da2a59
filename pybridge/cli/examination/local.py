"""Is everything there on this machine: OpenCode, the plugin, the sidecar."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pybridge import __version__
from pybridge.cli.examination.finding import Finding, bad, good
from pybridge.cli.install import plugin_path
from pybridge.cli.opencode.binary import find_opencode, opencode_version
from pybridge.cli.package_files import shim_entry
from pybridge.cli.plugin_file import is_ours, plugin_file
from pybridge.errors import ConfigurationError, RemoteError

HANDSHAKE_SECONDS = 20.0


def examine_opencode(env: Mapping[str, str]) -> Finding:
    """OpenCode's executable and version."""
    try:
        binary = find_opencode(env)
        return good("OpenCode", f"{opencode_version(binary, env)}, {binary}")
    except Exception as error:
        return bad("OpenCode", error)


def examine_plugin(env: Mapping[str, str]) -> Finding:
    """The shim, and the file of `pybridge install` if there is one."""
    try:
        shim = shim_entry()
        installed = plugin_path(env, project=False)
        if not installed.exists():
            return good("plugin", f"{shim}\nloaded by `pybridge launch`; not installed for other starts of OpenCode")
        if not is_ours(installed):
            raise ConfigurationError(
                f"{installed} is not from `pybridge install`.", next_step="Move it away, if it is not wanted."
            )
        if installed.read_bytes() != plugin_file(Path(sys.executable), shim):
            raise ConfigurationError(
                f"{installed} was written by another installation of pybridge.",
                next_step="Run `pybridge install` again.",
            )
        return good("plugin", f"{shim}\ninstalled as {installed}")
    except Exception as error:
        return bad("plugin", error)


async def examine_sidecar(env: Mapping[str, str]) -> Finding:
    """Start the sidecar as the plugin does and shake hands; it gets no target, so nothing is connected to."""
    python = env.get("PYBRIDGE_PYTHON") or sys.executable
    try:
        version = await _handshake(python)
    except Exception as error:
        return bad("sidecar", error)
    if version != __version__:
        what = f"{python} has pybridge {version}, and this is pybridge {__version__}."
        return bad("sidecar", ConfigurationError(what, next_step="Correct PYBRIDGE_PYTHON, or leave it out."))
    return good("sidecar", f"pybridge {version}, {python}")


async def _handshake(python: str) -> str:
    step = "Set PYBRIDGE_PYTHON to a Python 3.11 or newer that has pybridge, or leave it out."
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("REMOTE_", "PYBRIDGE_"))}
    hello = {"version": __version__, "env": {}, "secrets": {}}
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}).encode() + b"\n"
    try:
        process = await asyncio.create_subprocess_exec(
            python,
            *("-m", "pybridge.sidecar"),
            env=clean,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise ConfigurationError(f"{python} cannot be started: {error.strerror or error}.", next_step=step) from error
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    said = asyncio.create_task(process.stderr.read())
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            process.stdin.write(request)
            while line := await process.stdout.readline():
                answer = json.loads(line)
                if answer.get("id") == 1:
                    return str(answer["result"]["version"])
            raise ConfigurationError(
                f"The sidecar ({python} -m pybridge.sidecar) ended at once:\n"
                + (await said).decode("utf-8", "replace")[-1000:].strip(),
                next_step=step,
            )
    except (TimeoutError, OSError) as error:
        what = f"The sidecar ({python} -m pybridge.sidecar) did not answer within {HANDSHAKE_SECONDS:.0f} s."
        raise RemoteError(what, next_step=step) from error
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
        said.cancel()
