// OpenCode's /undo and /redo: it takes messages back, or brings them back, and changes files on this machine only. Each
// move is told to the sidecar, which does the same to the remote's files; what became of them is shown as a notice.

// Milliseconds.
const TIMEOUT = 10_000
const NOTICE = 10_000
// More sessions than anyone has open: what is forgotten is told once more, which changes nothing.
const KEPT = 1_000

/** The sessions of one instance. */
export class Reverts {
  #client
  #sidecar
  #points = new Map()

  /**
   * @param {object} client OpenCode's, of this instance
   * @param {import("./sidecar.js").Sidecar | undefined} sidecar
   */
  constructor(client, sidecar) {
    this.#client = client
    this.#sidecar = sidecar
  }

  /**
   * Hear an event of OpenCode's. Returns at once and never fails.
   * @param {{type: string, properties?: object}} event
   */
  hear({ type, properties }) {
    const { id, revert } = properties?.info ?? {}
    if (!this.#sidecar || !id) return
    if (type === "session.deleted") this.#points.delete(id)
    if (type !== "session.updated") return
    const point = revert ? { messageID: revert.messageID, partID: revert.partID ?? null } : null
    const text = JSON.stringify(point)
    if (this.#points.get(id) === text) return
    if (this.#points.size >= KEPT) this.#points.clear()
    this.#points.set(id, text)
    this.#tell(id, point).catch(() => {})
  }

  async #tell(sessionID, point) {
    let notice
    try {
      notice = await this.#sidecar.reverted({ sessionID, point }, () => conversation(this.#client, sessionID))
    } catch (error) {
      if (!point) return // most sessions were never moved at all
      notice = { message: `Whether files were restored on the remote is unknown: ${error.message}`, variant: "error" }
    }
    if (!notice?.message) return
    await this.#client.tui.showToast({ body: { duration: NOTICE, ...notice }, signal: AbortSignal.timeout(TIMEOUT) })
  }
}

// What is left of a session: its messages with their calls, and the sessions of its sub-agents.
async function conversation(client, id) {
  const [session, messages, children] = await Promise.all([
    answer(client.session.get({ path: { id }, signal: AbortSignal.timeout(TIMEOUT) })),
    answer(client.session.messages({ path: { id }, signal: AbortSignal.timeout(TIMEOUT) })),
    descendants(client, id),
  ])
  return { messages: messages.map((message) => outline(message, session.time.created)), children }
}

// Messages older than their session are copies: it is a fork of the one they were sent in.
function outline({ info, parts }, begin) {
  return { id: info.id, copied: info.time.created < begin, parts: parts.map(part) }
}

function part({ id, callID, state }) {
  const { start, end } = state?.time ?? {}
  return { id, call: callID ?? null, session: state?.metadata?.sessionId ?? null, time: end ? [start, end] : null }
}

async function descendants(client, parent) {
  const children = await answer(client.session.children({ path: { id: parent }, signal: AbortSignal.timeout(TIMEOUT) }))
  const below = await Promise.all(children.map(({ id }) => descendants(client, id)))
  return [...children.map(({ id }) => ({ id, parent })), ...below.flat()]
}

async function answer(asked) {
  const { data, error } = await asked
  if (error !== undefined) throw new Error(JSON.stringify(error))
  return data
}
