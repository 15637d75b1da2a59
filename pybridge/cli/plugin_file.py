"""The one file `pybridge install` puts into OpenCode's plugins folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

FILE_NAME = "pybridge.js"
FORMAT = 1
_FIRST_LINE = "// pybridge-plugin-file {format}: written by `pybridge install`, removed by `pybridge uninstall`.\n"
_OURS = re.compile(rb"// pybridge-plugin-file \d+: ")

# It must stand alone: pybridge may be gone, or broken, while this file is still there. OpenCode skips a plugin that
# fails to load, and its own tools would then act on the local machine (law 4), so every failure becomes the tools'.
_TEMPLATE = """\
import {{ fileURLToPath }} from "node:url"

const PYTHON = {python}
const SHIM = {shim}
const TOOLS = {{
  bash: ["command"],
  glob: ["pattern"],
  grep: ["pattern"],
  read: ["filePath"],
  write: ["content", "filePath"],
  edit: ["filePath", "oldString", "newString"],
  apply_patch: ["patchText"],
}}

function refusing(name, reason) {{
  return {{
    description: `${{name}} on the remote machine (unavailable)`,
    args: Object.fromEntries(TOOLS[name].map((key) => [key, {{ type: "string" }}])),
    execute: async () => {{
      throw new Error(
        `The remote tools are not available: pybridge cannot be loaded from ${{SHIM}} (${{reason}}).\\n` +
          "Nothing was run, neither here nor on the remote. Install pybridge again and run `pybridge install`, " +
          "or `pybridge uninstall` to be rid of it; then restart OpenCode.",
      )
    }},
  }}
}}

async function server(input, options) {{
  if (!process.env.REMOTE_SSH) return {{}}
  let hooks = {{}}
  let reason = "it registers no such tool"
  try {{
    hooks = (await (await import(SHIM)).serverWith({{ python: PYTHON }})(input, options)) ?? {{}}
  }} catch (error) {{
    reason = String(error?.message ?? error)
  }}
  const tool = {{ ...hooks.tool }}
  for (const name of Object.keys(TOOLS)) tool[name] ??= refusing(name, reason)
  // A command of the user's own is then given to this file as its shell, which is no program: it fails.
  const config = hooks.config ?? (async (settings) => void (settings.shell = fileURLToPath(import.meta.url)))
  return {{ ...hooks, tool, config }}
}}

export default {{ id: "pybridge", server }}
"""


def plugin_file(python: Path, shim: Path) -> bytes:
    """The file's content.

    Args:
        python: absolute path of the interpreter that has pybridge.
        shim: absolute path of the shim's entry.
    """
    text = _TEMPLATE.format(python=json.dumps(str(python)), shim=json.dumps(shim.as_uri()))
    return (_FIRST_LINE.format(format=FORMAT) + text).encode("utf-8")


def is_ours(path: Path) -> bool:
    """Whether a file was written by `pybridge install`, of whatever version."""
    try:
        return _OURS.match(path.read_bytes()[:200]) is not None
    except OSError:
        return False
