// The connection's state, from the plugin of OpenCode's server to that of its terminal interface. The two run in
// different threads of one process and share no variable; a broadcast channel joins them. (An interface in a process of
// its own, as with `opencode attach`, hears nothing.)

const NAME = "pybridge.status"
// Milliseconds between two questions, and how long there may be no answer: a busy machine is slow to answer.
const INTERVAL = 1_000
const PATIENCE = 30_000

/**
 * @typedef {{state: "connecting" | "ready" | "reconnecting" | "lost" | "failed" | "silent", host?: string,
 *   workdir?: string, error?: string}} Status `silent`: the server's plugin does not answer
 */

/** The server's end: tells each change, and whoever asks. */
export class StatusTeller {
  #channel
  #status

  constructor() {
    try {
      this.#channel = new BroadcastChannel(NAME)
      this.#channel.onmessage = ({ data }) => {
        if (data?.ask && this.#status) this.#channel.postMessage({ status: this.#status })
      }
      this.#channel.unref?.() // it keeps no process from ending
    } catch {
      // Without a channel the interface shows no state.
    }
  }

  /** @param {Status} status */
  tell(status) {
    this.#status = status
    this.#channel?.postMessage({ status })
  }
}

/**
 * The interface's end.
 * @param {(status: Status) => void} hear told each change
 * @param {{interval?: number, patience?: number}} [times] milliseconds
 * @returns {() => void} ends it
 */
export function listen(hear, { interval = INTERVAL, patience = PATIENCE } = {}) {
  const channel = new BroadcastChannel(NAME)
  let last = ""
  let heard = performance.now()
  const changed = (status) => {
    const text = JSON.stringify(status)
    if (text === last) return
    last = text
    hear(status)
  }
  channel.onmessage = ({ data }) => {
    if (!data?.status) return
    heard = performance.now()
    changed(data.status)
  }
  const ask = () => {
    channel.postMessage({ ask: true })
    if (performance.now() - heard > patience) changed({ state: "silent", error: SILENCE })
  }
  const timer = setInterval(ask, interval)
  timer.unref?.()
  channel.unref?.()
  ask()
  return () => {
    clearInterval(timer)
    channel.close()
  }
}

const SILENCE = "OpenCode's server does not answer for the remote tools: its plugin is not loaded, or it hangs."
