// OpenCode's news of sessions. Older versions (1.15) keep most of them from the plugin's `event` hook; there they are
// taken from the stream that OpenCode's own interfaces draw from.

const WANTED = ["session.updated", "session.deleted"]
// Any of these is followed by a `session.updated`, or comes after one, where the hook hears of them at all.
const HINTS = ["session.status", "session.diff", "session.idle"]
// Milliseconds: how long that one may take, and a request.
const PATIENCE = 500
const TIMEOUT = 10_000

/** Of one instance. */
export class SessionEvents {
  #client
  #directory
  #hear
  #told = false
  #waiting = false
  #end = new AbortController()

  /**
   * @param {object} client OpenCode's, of this instance
   * @param {string | undefined} directory the instance's folder
   * @param {(event: {type: string, properties: object}) => void} hear told of sessions that changed or were deleted
   */
  constructor(client, directory, hear) {
    this.#client = client
    this.#directory = directory
    this.#hear = hear
  }

  /** What the `event` hook was given. Returns at once and never fails. */
  receive(event) {
    if (event.type === "session.created") this.#told = true
    if (WANTED.includes(event.type)) {
      this.#told = true
      this.#hear(event)
    } else if (!this.#told && !this.#waiting && HINTS.includes(event.type)) {
      this.#waiting = true
      const id = event.properties?.sessionID
      setTimeout(() => this.#told || this.#listen(id).catch(() => {}), PATIENCE).unref?.()
    }
  }

  /** The instance is disposed of. */
  close() {
    this.#told = true
    this.#end.abort()
  }

  async #listen(id) {
    const { stream } = await this.#client.global.event({ signal: this.#end.signal })
    this.#look(id).catch(() => {})
    for await (const { directory, payload } of stream) {
      if (directory === this.#directory && WANTED.includes(payload?.type)) this.#hear(payload)
    }
  }

  // What changed before the stream began.
  async #look(id) {
    const { data } = await this.#client.session.get({ path: { id }, signal: AbortSignal.timeout(TIMEOUT) })
    if (data) this.#hear({ type: "session.updated", properties: { info: data } })
  }
}
