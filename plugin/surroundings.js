// What OpenCode tells the model about where it works. The texts go to the sidecar and come back true for the remote.

import { withoutLocalFacts } from "./local_facts.js"

// Milliseconds: longer than the sidecar's own deadlines, which begin when it has started, and than it may take to start.
const TIMEOUT = 35_000

/** One instance's texts. */
export class Surroundings {
  #builtIn = new Map()
  #config

  /**
   * @param {object} input OpenCode's, of this instance
   * @param {object | undefined} sidecar nothing is corrected without one
   * @param {Record<string, {description: string, parameters: object}>} tools ours, as OpenCode was given them
   */
  constructor(input, sidecar, tools) {
    this.directory = input.directory ?? ""
    this.worktree = input.worktree || "/"
    this.sidecar = sidecar
    this.tools = tools
  }

  /** OpenCode's live configuration; other plugins may still change it. */
  use(config) {
    this.#config = config
  }

  /**
   * A tool as it is about to be offered. OpenCode asks for the built-in tools first, then for ours of the same names:
   * the model gets ours with what the built-in one says of itself.
   * @param {string} name
   * @param {{description: string, parameters?: object, jsonSchema?: object}} definition changed in place
   */
  async define(name, definition) {
    if (!Object.hasOwn(this.tools, name)) return
    const own = this.tools[name]
    if (definition.description !== own.description) {
      this.#builtIn.set(name, { description: definition.description, parameters: described(definition.parameters) })
      return
    }
    const { description, parameters } = this.#builtIn.get(name) ?? {}
    // OpenCode lists every property of plain JSON-Schema arguments as required; here the schema is put right.
    definition.jsonSchema = structuredClone(own.parameters)
    for (const [key, shape] of Object.entries(definition.jsonSchema.properties)) {
      if (parameters?.[key]) shape.description = parameters[key]
    }
    definition.description = await this.#described(name, description)
  }

  /** @param {string[]} system the system prompt; changed in place */
  async tell(system) {
    if (!this.sidecar) return
    const { directory, worktree } = this
    const instructions = (this.#config?.instructions ?? []).filter((entry) => typeof entry === "string")
    for (const [at, text] of system.entries()) {
      if (!text.includes("<env>") && !text.includes(directory)) continue // a title, a summary
      try {
        const params = { system: text, directory, worktree, instructions }
        const answer = await this.sidecar.request("surroundings.prompt", params, TIMEOUT)
        if (answer.system !== null) system[at] = answer.system
      } catch {
        system[at] = withoutLocalFacts(text, directory)
      }
    }
  }

  /**
   * OpenCode's own command that writes AGENTS.md names the folder for it.
   * @param {string} command its name
   * @param {object[]} parts of the message it becomes; changed in place
   */
  async guide(command, parts) {
    if (command !== "init") return
    for (const part of parts) {
      if (part.type === "text") await this.#replace(part, "surroundings.command")
    }
  }

  /**
   * OpenCode's plan mode reminds of a local file for the plan.
   * @param {{parts: object[]}[]} messages about to be sent; changed in place
   */
  async remind(messages) {
    for (const part of messages.flatMap(({ parts }) => parts)) {
      if (part.type === "text" && part.synthetic && part.text.includes("opencode/plans/")) {
        await this.#replace(part, "surroundings.reminder")
      }
    }
  }

  async #replace(part, method) {
    if (!this.sidecar) return
    try {
      part.text = (await this.sidecar.request(method, { text: part.text, worktree: this.worktree }, TIMEOUT)).text
    } catch {
      // It names a path that is of no use then; so is every tool.
    }
  }

  async #described(name, from) {
    const fallback = this.tools[name].description
    if (!this.sidecar) return fallback
    try {
      const params = { tool: name, description: from ?? null, directory: this.directory }
      return (await this.sidecar.request("surroundings.tool", params, TIMEOUT)).description
    } catch {
      return fallback
    }
  }
}

// What the built-in tool says of its parameters; nothing where its schema is of another kind than known.
function described(schema) {
  try {
    const fields = Object.entries(schema?.fields ?? {})
    const texts = fields.map(([key, field]) => [key, field?.ast?.annotations?.description])
    return Object.fromEntries(texts.filter(([, text]) => typeof text === "string" && text))
  } catch {
    return {}
  }
}
