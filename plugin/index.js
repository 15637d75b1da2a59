// The entry OpenCode loads. It is tiny and never throws: OpenCode skips a plugin that fails, and its own tools would then
// act on the local machine while the user believes to be on the remote one. Whatever fails becomes the tools' error.

import { fileURLToPath } from "node:url"

const SECRETS = ["REMOTE_PASSWORD", "REMOTE_SUDO_PASSWORD", "REMOTE_KEY_PASSPHRASE"]

// The parameters of each tool, known here too, for the case that schemas.json cannot be read.
const TOOLS = {
  bash: ["command"],
  glob: ["pattern"],
  grep: ["pattern"],
  read: ["filePath"],
  write: ["content", "filePath"],
  edit: ["filePath", "oldString", "newString"],
  apply_patch: ["patchText"],
}

function refusing(message) {
  const tool = {}
  for (const [name, required] of Object.entries(TOOLS)) {
    tool[name] = {
      description: `${name} on the remote machine (unavailable)`,
      args: Object.fromEntries(required.map((key) => [key, { type: "string" }])),
      execute: async () => {
        throw new Error(message)
      },
    }
  }
  return { tool, config: async (config) => void refuseCommands(config) }
}

// `!command` and the like. This file is no program: OpenCode cannot start it, and without one would take its own shell.
function refuseCommands(config) {
  if (!/pybridge-no-[^/]*$/.test(config.shell ?? "")) config.shell = fileURLToPath(import.meta.url)
}

// One per process: several copies of this module (configuration and plugins folder), and OpenCode's instances, share it.
function sharedState() {
  const key = Symbol.for("pybridge")
  return (globalThis[key] ??= { secrets: {}, handover: undefined, permission: undefined, sidecars: new Map() })
}

// Other children of OpenCode's (MCP and language servers) inherit process.env: what is secret must not stay there.
function takeSecrets(shared) {
  for (const name of SECRETS) {
    const value = process.env[name]
    if (value) shared.secrets[name] = value
    delete process.env[name]
  }
  // The launcher's way. Every instance waits for the one reading, and learns why there are no secrets if there are none.
  const fifo = process.env.PYBRIDGE_SECRETS
  delete process.env.PYBRIDGE_SECRETS
  if (fifo) {
    shared.handover = import("./handover.js").then(({ receive }) => receive(fifo, shared.secrets, SECRETS))
    shared.handover.catch(() => {}) // for whoever waits for it
  }
  if (process.env.PYBRIDGE_USER_PERMISSION !== undefined) {
    shared.permission = process.env.PYBRIDGE_USER_PERMISSION
    delete process.env.PYBRIDGE_USER_PERMISSION
  }
}

/**
 * The plugin, with options fixed by whoever installed it.
 * @param {{python?: string}} fixed `python`: the interpreter recorded at installation, used unless PYBRIDGE_PYTHON is set
 */
export function serverWith(fixed) {
  return async function server(input, options) {
    if (!process.env.REMOTE_SSH) return {}
    try {
      const shared = sharedState()
      takeSecrets(shared)
      const failure = await shared.handover
      const v1 = await import("./v1.js")
      return await v1.hooks(input ?? {}, { ...fixed, ...options }, shared, failure)
    } catch (error) {
      return refusing(
        `The remote tools are not available: pybridge's OpenCode plugin could not be loaded (${error?.message ?? error}).\n` +
          "Nothing was run, neither here nor on the remote. Install pybridge again, then restart OpenCode.",
      )
    }
  }
}

export const server = serverWith({})

export default { id: "pybridge", server }
