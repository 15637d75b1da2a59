// Loads the plugin as OpenCode would and does what it is told, one JSON object per line:
// node driver.mjs PATH_OF_INDEX_JS  <  {"id": 1, "op": "load", ...}  ->  {"id": 1, "value": ...} or {"id": 1, "error": ...}
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"

class RejectedError extends Error {}

const instances = new Map()
const aborts = new Map()

// What OpenCode's terminal interface would hear of the connection.
const statuses = []
const channel = new BroadcastChannel("pybridge.status")
channel.onmessage = ({ data }) => {
  if (data.status) statuses.push(data.status)
}

// What OpenCode's own server answers, and the notices it was asked to show.
const opencode = { messages: {}, children: {}, toasts: [], sessions: {}, stream: [], streams: 0 }
async function* events() {
  for (;;) {
    if (opencode.stream.length) yield opencode.stream.shift()
    else await new Promise((resolve) => setTimeout(resolve, 10).unref())
  }
}
const client = {
  global: {
    event: async () => {
      opencode.streams += 1
      return { stream: events() }
    },
  },
  session: {
    get: async ({ path: { id } }) => ({ data: opencode.sessions[id] ?? { id, time: { created: 1_000 } } }),
    messages: async ({ path: { id } }) =>
      id in opencode.messages ? { data: opencode.messages[id] } : { error: { name: "NotFoundError" } },
    children: async ({ path: { id } }) => ({ data: (opencode.children[id] ?? []).map((child) => ({ id: child })) }),
  },
  tui: { showToast: async ({ body }) => void opencode.toasts.push(body) },
}

const operations = {
  async load({ name, directory, options, withClient }) {
    const module = await import(pathToFileURL(process.argv[2]).href)
    const hooks = await module.default.server(withClient ? { directory, client } : { directory }, options)
    instances.set(name, hooks)
    return { id: module.default.id, hooks: Object.keys(hooks), tools: Object.keys(hooks.tool ?? {}) }
  },
  async call({ name, key, tool, args, ask }) {
    const controller = new AbortController()
    aborts.set(key, controller)
    const asked = []
    const rejection = new RejectedError("rejected, word for word")
    const context = { sessionID: "ses_1", messageID: "msg_1", callID: `call_${key}`, agent: "build" }
    try {
      const result = await instances.get(name).tool[tool].execute(args, {
        ...context,
        abort: controller.signal,
        ask: async (request) => {
          asked.push(request)
          if (ask === "reject") throw rejection
        },
        metadata: () => {},
      })
      return { result, asked }
    } catch (error) {
      return { failure: error.message, original: error === rejection, asked }
    }
  },
  async abort({ key }) {
    aborts.get(key).abort()
  },
  async config({ name, config }) {
    await instances.get(name).config?.(config)
    return config
  },
  // As OpenCode does: the built-in tool first, then the plugin's of the same name, both at once.
  async definition({ name, tool, builtIn }) {
    const hook = instances.get(name)["tool.definition"]
    const ours = instances.get(name).tool[tool]
    const jsonSchema = { type: "object", properties: {}, required: ["everything"] }
    const definition = { description: ours?.description ?? "another's", jsonSchema }
    const first = builtIn ? hook?.({ toolID: tool }, builtIn) : undefined
    await Promise.all([first, hook?.({ toolID: tool }, definition)])
    return { definition, builtIn, args: ours?.args ?? null }
  },
  async command({ name, command, parts }) {
    await instances.get(name)["command.execute.before"]?.({ command, sessionID: "ses_1", arguments: "" }, { parts })
    return parts
  },
  async messages({ name, messages }) {
    await instances.get(name)["experimental.chat.messages.transform"]?.({}, { messages })
    return messages
  },
  async system({ name, system, config }) {
    if (config) await instances.get(name).config?.(config)
    await instances.get(name)["experimental.chat.system.transform"]?.({ sessionID: "ses_1" }, { system })
    return system
  },
  async message({ name, message, parts }) {
    await instances.get(name)["chat.message"]?.({ sessionID: message.sessionID }, { message, parts })
    return parts
  },
  async after({ name, asked, result }) {
    await instances.get(name)["tool.execute.after"]?.(asked, result)
    return result
  },
  async event({ name, event }) {
    await instances.get(name).event?.({ event })
  },
  async dispose({ name }) {
    await instances.get(name).dispose?.()
  },
  async opencode(changes) {
    return Object.assign(opencode, changes)
  },
  async statuses() {
    return statuses
  },
  async shell_env({ name, kill }) {
    if (kill) process.kill(kill, "SIGKILL") // nobody has been told of it when the hook runs
    const output = { env: {} }
    await instances.get(name)["shell.env"]({ cwd: "/" }, output)
    return output.env
  },
  async env() {
    return process.env
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, op, ...rest } = JSON.parse(line)
  operations[op](rest).then(
    (value) => console.log(JSON.stringify({ id, value: value ?? null })),
    (error) => console.log(JSON.stringify({ id, error: String(error?.stack ?? error) })),
  )
}
process.exit(0)
