// What a running call has printed so far, shown while it runs. OpenCode gives a plugin's tool no means of its own for it:
// the part of the message that stands for the call is replaced, over the server's own interface. Never after the call's
// result was returned: a part that is replaced too late counts as running again.

// Milliseconds one request may take. A call's result waits for it at most so long.
const TIMEOUT = 5_000
// A tool may be started before OpenCode has written down that it is: milliseconds between two looks, and how many.
const PAUSE = 250
const LOOKS = 40

/** One call, from its begin to its end. One request at a time; what comes meanwhile is drawn after it, the newest only. */
export class LiveCall {
  #client
  #context
  #complain
  #part
  #looks = 0
  #newest
  #drawing
  #timer
  #ended = false

  /**
   * @param {object} client OpenCode's, of this instance
   * @param {{sessionID: string, messageID: string, callID: string, abort?: AbortSignal}} context OpenCode's, of the call
   * @param {(reason: string) => void} complain told why nothing can be shown
   */
  constructor(client, context, complain) {
    this.#client = client
    this.#context = context
    this.#complain = complain
  }

  /** @param {{title?: string, metadata: object}} progress as the sidecar tells it */
  show(progress) {
    this.#newest = progress
    this.#draw()
  }

  /** The call is over: draw no more, and wait for what is under way. Never fails. */
  async end() {
    this.#ended = true
    clearTimeout(this.#timer)
    await this.#drawing
  }

  get #over() {
    return this.#ended || this.#context.abort?.aborted
  }

  #draw() {
    if (this.#drawing || this.#timer || !this.#newest || this.#over) return
    this.#drawing = this.#once()
      .catch((error) => {
        this.#newest = undefined // or it would be tried again without end
        this.#complain(error?.message ?? String(error))
      })
      .then(() => {
        this.#drawing = undefined
        this.#draw()
      })
  }

  async #once() {
    this.#part ??= await this.#look()
    if (!this.#part) return this.#later()
    if (this.#over) return
    const { title, metadata } = this.#newest
    this.#newest = undefined
    const part = this.#part
    const state = { ...part.state, ...(title === undefined ? {} : { title }), metadata }
    const { error } = await this.#client._client.patch({
      url: "/session/{id}/message/{messageID}/part/{partID}",
      path: { id: part.sessionID, messageID: part.messageID, partID: part.id },
      body: { ...part, state },
      headers: { "Content-Type": "application/json" },
      signal: AbortSignal.timeout(TIMEOUT),
    })
    if (error !== undefined) throw new Error(JSON.stringify(error))
  }

  async #look() {
    const { sessionID: id, messageID, callID } = this.#context
    const { data, error } = await this.#client.session.message({
      path: { id, messageID },
      signal: AbortSignal.timeout(TIMEOUT),
    })
    if (error !== undefined) throw new Error(JSON.stringify(error))
    return data.parts.find((part) => part.type === "tool" && part.callID === callID && part.state.status === "running")
  }

  #later() {
    this.#looks += 1
    if (this.#looks >= LOOKS) throw new Error("OpenCode does not know the running call")
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#draw()
    }, PAUSE)
  }
}

/**
 * Tells OpenCode's log why nothing can be shown: once, for what fails now fails with every piece of output.
 * @param {object} client OpenCode's, of this instance
 * @returns {(reason: string) => void}
 */
export function complaint(client) {
  let said = false
  return (reason) => {
    if (said) return
    said = true
    const message = `the output of running commands cannot be shown: ${reason}`
    Promise.resolve(client?.app?.log?.({ body: { service: "pybridge", level: "warn", message } })).catch(() => {})
  }
}
