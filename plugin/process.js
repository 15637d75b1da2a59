// One life of the sidecar process: start, handshake, standard error, end.

import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { LineSplitter, Peer, RpcError } from "./peer.js"
import { diagnose } from "./python.js"
import { VERSION } from "./version.js"

const LOG_LINES = 50
const LOG_LINE_CHARS = 1000
// Milliseconds it gets to end. With calls under way it first kills their remote commands: SIGTERM, and SIGKILL 3 s later.
const KILL_AFTER = 2000
const KILL_AFTER_WITH_CALLS = 7000

/** The process ended, or was ended, while something waited for it. */
export class SidecarGone extends Error {}

export class SidecarProcess {
  #child
  #log = []
  #exited
  #shaken = false
  #stopping = false
  #failure

  /**
   * @param {object} options
   * @param {import("./python.js").Program} options.program
   * @param {Record<string, string>} options.env REMOTE_* and PYBRIDGE_* variables
   * @param {Record<string, string>} options.secrets
   * @param {import("./user_shell.js").UserShellFolder} options.shell where it takes the user's own commands
   * @param {(calls: Map<number, object>) => Record<string, Function>} options.methods what the sidecar may call
   * @param {number} options.startTimeout milliseconds the handshake may take
   */
  constructor({ program, env, secrets, shell, methods, startTimeout }) {
    this.program = program
    this.shell = shell
    shell.opening()
    this.secrets = secrets
    /** The calls under way in this process, by the id of their request. */
    this.calls = new Map()
    /** No call can be sent any more. */
    this.gone = false
    this.peer = new Peer((line) => this.#child?.stdin?.write(line), methods(this.calls))
    this.#exited = new Promise((resolve) => this.#spawn(resolve))
    /** Settles when calls can be sent, or with an error a person can act on. */
    this.ready = this.#handshake(env, secrets, startTimeout)
    this.ready.catch((error) => shell.refuse(error.message)) // a call that waits for it reports it too; none may
  }

  /** Settles when the process has ended. */
  get ended() {
    return this.#exited
  }

  /** The end of its standard error, secrets masked. */
  log() {
    let text = this.#log.join("\n").trim()
    for (const secret of Object.values(this.secrets)) text = text.replaceAll(secret, "***")
    return text
  }

  /** End it: its input ends; if it is still there after two seconds (seven, with calls under way) it is killed. */
  async stop() {
    this.#stopping = true
    if (!this.gone) this.peer.request("shutdown", {}).answer.catch(() => {})
    this.#child?.stdin?.end()
    const timer = setTimeout(() => this.kill("was closed"), this.calls.size ? KILL_AFTER_WITH_CALLS : KILL_AFTER)
    await this.#exited
    clearTimeout(timer)
  }

  kill(reason) {
    this.#failure ??= reason
    this.#child?.kill("SIGKILL")
  }

  #spawn(exited) {
    const env = { ...process.env, PYTHONSAFEPATH: "1" } // the current folder is the project's: no modules from there
    for (const name of Object.keys(this.secrets)) delete env[name]
    const { command, args } = this.program
    let ended = false
    const end = (reason) => {
      if (ended) return
      ended = true
      this.gone = true
      this.peer.close(new SidecarGone(this.#failure ?? reason))
      exited()
    }
    try {
      this.#child = spawn(command, args, { env, cwd: folder(), stdio: ["pipe", "pipe", "pipe"], windowsHide: true })
    } catch (error) {
      return end(`could not be started (${error.message})`)
    }
    const { stdin, stdout, stderr } = this.#child
    const lines = new LineSplitter()
    stdin?.on("error", () => {}) // it ended: `exit` says so
    stdout?.on("data", (chunk) => this.#received(lines, chunk))
    const errors = new LineSplitter()
    stderr?.on("data", (chunk) => errors.push(chunk).forEach((line) => this.#note(line)))
    this.#child.on("error", (error) => end(`could not be started (${error.message})`))
    this.#child.on("exit", (code, signal) => {
      this.gone = true
      const reason = signal ? `was killed by ${signal}` : `ended with exit code ${code}`
      this.#child.on("close", () => end(reason))
      setTimeout(() => end(reason), 500) // a child of its may hold the pipes open
    })
  }

  #received(lines, chunk) {
    let complete
    try {
      complete = lines.push(chunk)
    } catch (error) {
      return this.kill(`sent ${error.message} and was ended`)
    }
    for (const line of complete) {
      try {
        this.peer.receive(line)
      } catch {
        this.#note(`[stdout] ${line}`)
        // A wrapper may greet before the handshake. Later, a damaged line may be an answer that now never comes.
        if (this.#shaken) return this.kill("wrote something that is not of the protocol and was ended")
      }
    }
  }

  #note(line) {
    this.#log.push(line.replace(/\r$/, "").slice(0, LOG_LINE_CHARS))
    if (this.#log.length > LOG_LINES) this.#log.shift()
  }

  async #handshake(env, secrets, startTimeout) {
    const late = setTimeout(() => this.kill(`did not answer within ${startTimeout / 1000} s and was ended`), startTimeout)
    let answer
    try {
      answer = await this.peer.request("initialize", { version: VERSION, env, secrets, shell: this.shell.path }).answer
    } catch (error) {
      this.#child?.stdin?.end()
      this.gone = true
      throw await this.#startFailure(error)
    } finally {
      clearTimeout(late)
    }
    if (answer?.version !== VERSION) {
      this.#child.stdin.end()
      this.gone = true
      throw new Error(
        `OpenCode's plugin is pybridge ${VERSION}, but ${this.program.command} (${this.program.origin}) has pybridge ` +
          `${answer?.version ?? "of an unknown version"}.\nRun \`pybridge install\` with the pybridge you want, then restart OpenCode.`,
      )
    }
    this.#shaken = true
  }

  async #startFailure(error) {
    if (error instanceof RpcError) return new Error(`The remote tools could not be started. ${error.message}`)
    if (this.#stopping) return new SidecarGone("OpenCode is closing.")
    const known = await diagnose(this.program, this.log())
    if (known) return new Error(`The remote tools could not be started. ${known}`)
    const { command, origin } = this.program
    return new Error(
      `The remote tools could not be started: ${command} (${origin}) ${error.message}.\n` +
        `Try it in a terminal: ${[command, ...this.program.args].join(" ")}\n${withLog(this.log())}`,
    )
  }
}

// OpenCode's own working folder may have been removed: no process can be started in that.
function folder() {
  try {
    if (existsSync(process.cwd())) return undefined
  } catch {
    // It has no name any more.
  }
  return homedir()
}

/** @param {string} log */
export function withLog(log) {
  return log ? `The end of its log:\n${log}` : "It wrote no log."
}
