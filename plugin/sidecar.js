// The sidecar as the tools see it: one per process and target, shared, restarted when it died, ended with its last user.

import { aborted, isAborted } from "./aborted.js"
import { heldInstructions } from "./instructions.js"
import { RpcError } from "./peer.js"
import { SidecarGone, SidecarProcess, withLog } from "./process.js"
import { findProgram } from "./python.js"
import { VERSION } from "./version.js"

const REJECTED = -32010
const START_TIMEOUT = 30_000
const CANCEL_TIMEOUT = 15_000
const STATUS_TIMEOUT = 5_000

// Among the calls under way: the commands of the user's own, which do not come from us but must be ended too.
const USER_COMMANDS = "user commands"

/**
 * The sidecar of one target, started if no other instance has; every `acquire` needs one `release`.
 * @param {Map<string, Sidecar>} sidecars shared by the whole process
 */
export function acquire(sidecars, { env, secrets, options, shell }) {
  const key = JSON.stringify([VERSION, options.python ?? null, Object.entries(env).sort()])
  let sidecar = sidecars.get(key)
  if (!sidecar) {
    const forget = () => sidecars.delete(key)
    const closed = () => sidecars.size === 0 && shell.close()
    sidecar = new Sidecar({ env, secrets, options, shell, forget, closed })
    sidecars.set(key, sidecar)
    sidecar.start()
  }
  sidecar.users += 1
  return sidecar
}

class Sidecar {
  users = 0
  /** How the connection is: what the sidecar told last, or why there is none to tell. */
  status = { state: "connecting" }
  #hear = () => {}
  #life

  constructor({ env, secrets, options, shell, forget, closed }) {
    this.env = env
    this.secrets = secrets
    this.options = options
    this.shell = shell
    this.forget = forget
    this.closed = closed
  }

  /** Begin to start in the background. What fails is told to the next call. */
  start() {
    this.#alive().catch(() => {})
  }

  /** @param {(status: import("./status_channel.js").Status) => void} hear told how the connection is, now and at each change */
  watch(hear) {
    this.#hear = hear
    hear(this.status)
  }

  async release() {
    this.users -= 1
    if (this.users > 0) return
    this.forget()
    await this.#life?.stop()
    this.closed()
  }

  /**
   * One tool call.
   * @param {string} tool
   * @param {object} args as the model sent them
   * @param {object} context OpenCode's context of the call
   * @param {(progress: {title?: string, metadata: object}) => void} [show] told what there is to see while it runs
   * @returns {Promise<{title: string, output: string, metadata: object, attachments?: object[]}>}
   */
  async call(tool, args, context, show) {
    const { abort, sessionID, messageID, callID, agent } = context
    const instructions = tool === "read" ? heldInstructions(context.messages) : []
    const life = await orAborted(this.#alive(), abort)
    const record = { context, rejection: undefined, show }
    const { id, answer } = life.peer.request("tool.call", {
      tool,
      args: args === undefined ? {} : args,
      context: { sessionID, messageID, callID, agent, instructions },
    })
    life.calls.set(id, record)
    const cancellation = new Cancellation(life, id, abort, this.options)
    try {
      return await Promise.race([answer, cancellation.unanswered])
    } catch (error) {
      // OpenCode knows a rejection by its class: the very object it gave us ends the turn, a copy does not.
      if (error instanceof RpcError && error.code === REJECTED && record.rejection) throw record.rejection
      if (error instanceof SidecarGone) throw await unknownOutcome(life, error)
      if (isAborted(error, abort)) throw await aborted()
      throw new Error(error.message)
    } finally {
      cancellation.end()
      life.calls.delete(id)
    }
  }

  /**
   * A session's messages were taken back to a point, or brought back.
   * @param {{sessionID: string, point: {messageID: string, partID: string | null} | null}} moved
   * @param {() => Promise<object>} conversation asked by the sidecar: what is left of the session
   * @returns {Promise<{message?: string, title?: string, variant?: string}>} what to tell the user, if anything
   */
  async reverted(moved, conversation) {
    const life = await this.#alive()
    const { id, answer } = life.peer.request("session.reverted", moved)
    life.calls.set(id, { conversation })
    try {
      return await answer
    } finally {
      life.calls.delete(id)
    }
  }

  /**
   * Ask something outside any tool call.
   * @param {string} method
   * @param {object} params
   * @param {number} timeout milliseconds, the start of the sidecar included
   */
  async request(method, params, timeout) {
    const asking = this.#alive().then((life) => life.peer.request(method, params).answer)
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the sidecar did not answer within ${timeout / 1000} s`)), timeout)
    })
    try {
      return await Promise.race([asking, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Start it again if it died. What fails is told by the shell's refusal, and to the next call. */
  async wake() {
    // Its end may not have been told yet: only an answer shows that it is there.
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        await this.request("status", {}, this.options.statusTimeout ?? STATUS_TIMEOUT)
        return
      } catch (error) {
        if (!(error instanceof SidecarGone)) return
      }
    }
  }

  /** Tell something, if the sidecar is there to hear it; whether it did is not waited for. */
  tell(method, params) {
    if (this.#life && !this.#life.gone) this.#life.peer.request(method, params).answer.catch(() => {})
  }

  #gone(life) {
    if (life !== this.#life || this.users === 0 || this.status.state === "failed") return
    this.#told({ state: "lost", error: "pybridge's sidecar has ended. The next call starts it again." })
  }

  #told(status) {
    this.status = status
    this.#hear(status)
  }

  // At most one attempt to start for each call.
  async #alive() {
    try {
      return await this.#started()
    } catch (error) {
      if (this.users > 0) this.#told({ state: "failed", error: error.message })
      throw error
    }
  }

  async #started() {
    if (!this.#life || this.#life.gone) {
      this.#life = new SidecarProcess({
        program: findProgram(process.env, this.options.python),
        env: this.env,
        secrets: this.secrets,
        shell: this.shell,
        methods: (calls) => this.#methods(calls),
        startTimeout: this.options.startTimeout ?? START_TIMEOUT,
      })
      this.#told({ state: "connecting" })
      this.#life.ended.then(this.#gone.bind(this, this.#life))
    }
    const life = this.#life
    await life.ready
    return life
  }

  #methods(calls) {
    return {
      "permission.ask": (params) => ask(calls.get(params.call), params),
      "session.conversation": ({ request }) => calls.get(request)?.conversation?.(),
      "shell.busy": ({ busy }) => (busy ? calls.set(USER_COMMANDS, {}) : calls.delete(USER_COMMANDS)),
      "tool.progress": ({ call, title, metadata }) => calls.get(call)?.show?.({ title, metadata }),
      status: (status) => this.#told(status),
    }
  }
}

async function ask(record, { call, permission, patterns, always, metadata }) {
  if (!record) throw new RpcError({ code: -32602, message: `No call ${call} is running` })
  try {
    await record.context.ask({ permission, patterns, always, metadata })
    return {}
  } catch (error) {
    record.rejection = error
    throw new RpcError({ code: REJECTED, message: error?.message ?? String(error) })
  }
}

// Passes an abort on, and sees to it that the call ends even if the sidecar does not react.
class Cancellation {
  #timer
  #ended = false

  constructor(life, id, abort, { cancelTimeout = CANCEL_TIMEOUT, statusTimeout = STATUS_TIMEOUT }) {
    this.life = life
    this.abort = abort
    this.statusTimeout = statusTimeout
    this.unanswered = new Promise((_, reject) => {
      this.listener = () => {
        life.peer.notify("$/cancel", { id })
        this.#timer = setTimeout(() => this.#giveUp(reject), cancelTimeout)
      }
    })
    this.unanswered.catch(() => {})
    if (abort?.aborted) this.listener()
    else abort?.addEventListener("abort", this.listener, { once: true })
  }

  end() {
    this.#ended = true
    clearTimeout(this.#timer)
    this.abort?.removeEventListener("abort", this.listener)
  }

  async #giveUp(reject) {
    const { answer } = this.life.peer.request("status", {})
    const answered = await Promise.race([
      answer.then(
        () => true,
        () => true,
      ),
      new Promise((resolve) => {
        this.#timer = setTimeout(resolve, this.statusTimeout, false)
      }),
    ])
    if (this.#ended) return
    if (answered) reject(new SidecarGone("did not confirm the abort"))
    else this.life.kill("did not react to an abort and was ended")
  }
}

function orAborted(promise, abort) {
  return new Promise((resolve, reject) => {
    const listener = () => aborted().then(reject)
    const done = () => abort?.removeEventListener("abort", listener)
    abort?.addEventListener("abort", listener, { once: true })
    promise.then(resolve, reject).finally(done)
    if (abort?.aborted) listener()
  })
}

async function unknownOutcome(life, error) {
  return new Error(
    `The connection to the remote broke while this call was running: pybridge's sidecar ${error.message}.\n` +
      "Whether the call took effect is unknown, in whole or in part. Look at the remote before you repeat it; the next " +
      `call starts the sidecar again.\n${withLog(life.log())}`,
  )
}
