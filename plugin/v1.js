// Everything that is specific to the plugin interface of OpenCode 1.x.

import { readFileSync } from "node:fs"
import { refusal } from "./anchor.js"
import { complaint, LiveCall } from "./live.js"
import { deliver } from "./mentions.js"
import { restore } from "./permissions.js"
import { Reverts } from "./reverts.js"
import { SessionEvents } from "./session_events.js"
import { acquire } from "./sidecar.js"
import { StatusTeller } from "./status_channel.js"
import { Surroundings } from "./surroundings.js"
import { closeTerminal } from "./terminals.js"
import { FOLDER, MERGED, UserShellFolder, useRemoteShell } from "./user_shell.js"

// Answers waiting for their hook; more than ever run at once, so only what was forgotten is dropped.
const KEPT_ANSWERS = 256

/**
 * The hooks of one instance.
 * @param {{directory?: string}} input OpenCode's
 * @param {{python?: string, startTimeout?: number, cancelTimeout?: number}} options times in milliseconds
 * @param {object} shared see index.js
 * @param {string | undefined} failure why no tool can be used, if so
 */
export async function hooks(input, options, shared, failure) {
  const { tools } = JSON.parse(readFileSync(new URL("./schemas.json", import.meta.url), "utf8"))
  const refused = failure ?? refusal(process.env, input.directory)
  const sidecar = refused ? undefined : acquire(shared.sidecars, target(shared, options))

  // OpenCode cuts every plugin tool's output once more, below what its own tools may show, and sends the model to a
  // local file for the rest; and it says `truncated: false` of what it did not cut itself. The hook after the call puts
  // the answer back as it was.
  const answers = new Map()

  const surroundings = new Surroundings(input, sidecar, tools)

  const reverts = new Reverts(input.client, sidecar)
  const sessions = new SessionEvents(input.client, input.directory, (event) => {
    reverts.hear(event)
    if (event.type === "session.deleted") sidecar?.tell("session.forget", { sessionID: event.properties.info.id })
  })

  const complain = complaint(input.client)

  shared.status ??= new StatusTeller()
  if (sidecar) sidecar.watch((status) => shared.status.tell(status))
  else if (shared.sidecars.size === 0) shared.status.tell({ state: "failed", error: refused })

  const execute = async (name, args, context) => {
    if (refused) throw new Error(refused)
    const live = new LiveCall(input.client, context, complain)
    const answer = await sidecar.call(name, args, context, (progress) => live.show(progress)).finally(() => live.end())
    if (answers.size >= KEPT_ANSWERS) answers.clear()
    answers.set(context.callID, answer)
    return answer
  }

  let released = false
  return {
    tool: Object.fromEntries(
      Object.entries(tools).map(([name, { description, parameters }]) => [
        name,
        { description, args: parameters.properties, execute: (args, context) => execute(name, args, context) },
      ]),
    ),

    "tool.definition": async (asked, definition) => surroundings.define(asked.toolID, definition),

    "experimental.chat.system.transform": async (asked, output) => surroundings.tell(output.system),

    "experimental.chat.messages.transform": async (asked, output) => surroundings.remind(output.messages),

    "command.execute.before": async (asked, output) => surroundings.guide(asked.command, output.parts),

    "tool.execute.after": async (asked, result) => {
      if (asked.tool === "skill") sidecar?.tell("skill.loaded", { folder: result.metadata?.dir })
      const answer = answers.get(asked.callID)
      if (!answers.delete(asked.callID)) return
      result.output = answer.output
      result.metadata = { truncated: false, ...answer.metadata }
    },

    "chat.message": async (asked, output) => deliver({ input, sidecar, refused }, asked, output),

    event: async ({ event }) => {
      sessions.receive(event)
      await closeTerminal(input.client, event)
    },

    config: async (config) => {
      restore(config, shared.permission)
      surroundings.use(config)
      // No tool changes local files, so /undo would take back only what the user changed here while a call ran.
      if (!refused) config.snapshot = false
      useRemoteShell(config, options, refused)
    },

    // Asked before a command of the user's: a sidecar that died is started again.
    "shell.env": async (asked, output) => {
      output.env[MERGED] = "1"
      await sidecar?.wake()
    },

    dispose: async () => {
      if (released) return
      released = true
      sessions.close()
      await sidecar?.release()
    },
  }
}

function target(shared, options) {
  shared.shell ??= new UserShellFolder()
  return { env: ours(), secrets: shared.secrets, options, shell: shared.shell }
}

function ours() {
  const isOurs = (name) => /^(REMOTE|PYBRIDGE)_/.test(name) && name !== FOLDER
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => isOurs(name)))
}
