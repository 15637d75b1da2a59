// The shell for commands that are not the model's: `!command`, `!`-blocks in command templates, terminals. OpenCode would
// run them on this machine; the shell we give it hands them to the sidecar (pybridge/sidecar/user_shell.py).

import { createHash, randomBytes } from "node:crypto"
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { renameSync, rmSync, writeFileSync } from "node:fs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { findProgram, which } from "./python.js"

/** The variable that tells the shell where its sidecar is; in the environment of OpenCode's children. */
export const FOLDER = "PYBRIDGE_SHELL_FOLDER"

// The path of a Unix socket holds about 100 bytes, of which what is below the folder takes 10.
const LONGEST_FOLDER = 85
const CLIENTS = ["../pybridge/sidecar/user_shell_client.py", "../sidecar/user_shell_client.py"]

/** Another one: both streams of output are shown as one, so their order is to be kept. Set for `!command` alone. */
export const MERGED = "PYBRIDGE_SHELL_MERGED"

/** A file that exists and is no program: OpenCode's command then fails. Without a file it would take its own shell. */
export const NO_PROGRAM = fileURLToPath(new URL("./version.js", import.meta.url))

/** Where the sidecar of this OpenCode process takes commands. */
export class UserShellFolder {
  constructor() {
    const name = `pybridge-shell-${randomBytes(6).toString("hex")}`
    const places = [process.env.XDG_RUNTIME_DIR, os.tmpdir(), process.platform === "win32" ? undefined : "/tmp"]
    const usable = places.filter((place) => place && path.isAbsolute(place) && isWritable(place))
    const short = usable.find((place) => Buffer.byteLength(path.join(place, name)) <= LONGEST_FOLDER)
    this.path = path.join(short ?? usable[0] ?? os.tmpdir(), name)
    process.env[FOLDER] = this.path
  }

  /** A sidecar is being started: whoever has a command waits for it. */
  opening() {
    attempt(() => mkdirSync(this.path, { mode: 0o700 })) // it may be there
    attempt(() => readdirSync(this.path).forEach((name) => rmSync(path.join(this.path, name), { force: true })))
  }

  /** It could not be started: whoever has a command is told why. */
  refuse(message) {
    attempt(() => writeFileSync(path.join(this.path, "refusal"), message, { mode: 0o600 }))
  }

  /** The last sidecar has ended. */
  close() {
    attempt(() => rmSync(this.path, { recursive: true, force: true }))
  }
}

/**
 * Give OpenCode the shell.
 * @param {object} config OpenCode's live configuration, changed in place
 * @param {{python?: string}} options
 * @param {string | undefined} refused why nothing may be run in this instance, if so
 */
export function useRemoteShell(config, options, refused) {
  // The launcher's refuses too, and says why. It stays if ours cannot be made, and without a launcher nothing can run.
  if (!/^pybridge-no-/.test(path.basename(config.shell ?? ""))) config.shell = NO_PROGRAM
  attempt(() => {
    config.shell = refused ? refusingShell(refused) : remoteShell(options)
  })
}

function remoteShell(options) {
  let program
  try {
    program = findProgram(process.env, options.python)
  } catch (error) {
    return refusingShell(error.message)
  }
  // A batch file will not do on Windows: it would give the command to cmd.exe to parse. pip makes programs of this kind.
  if (process.platform === "win32") {
    const shell = path.join(path.dirname(program.command), "pybridge-shell.exe")
    return existsSync(shell) ? shell : NO_PROGRAM
  }
  const python = program.python ? program.command : which("python3", process.env)
  const client = CLIENTS.map((name) => fileURLToPath(new URL(name, import.meta.url))).find((name) => existsSync(name))
  if (!python || !client) return refusingShell("pybridge is not completely installed. Install it again.")
  const gone = `pybridge: Not run: ${python} or ${client} is gone. Install pybridge again, then restart OpenCode.`
  return written(
    "pybridge-remote-shell",
    `command -v ${quote(python)} >/dev/null 2>&1 && [ -r ${quote(client)} ] && exec ${quote(python)} -I -S ${quote(client)} "$@"
printf '%s\\n' ${quote(gone)}
exit 126
`,
  )
}

function refusingShell(reason) {
  if (process.platform === "win32") return NO_PROGRAM
  return written("pybridge-no-shell", `printf '%s\\n' ${quote(`pybridge: Not run: ${reason}`)}\nexit 126\n`)
}

// In a folder of the user's that lasts: OpenCode takes its own shell, on this machine, once the file is gone. So its name
// tells its content, and nothing of ours removes it while OpenCode may run.
function written(name, script) {
  const content = `#!/bin/sh\n# Written by pybridge: the shell of OpenCode's own commands.\n${script}`
  const digest = createHash("sha256").update(content).digest("hex").slice(0, 10)
  const file = path.join(stateFolder(), "shells", `${name}-${digest}`)
  if (!isWhole(file, content)) {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`
    writeFileSync(temporary, content, { mode: 0o700, flag: "wx" })
    renameSync(temporary, file)
  }
  chmodSync(file, 0o700)
  return file
}

// As `state_folder` in pybridge/locations.py.
function stateFolder() {
  const state = process.env.XDG_STATE_HOME?.trim() || path.join(os.homedir(), ".local", "state")
  if (process.platform === "darwin") return path.join(os.homedir(), "Library", "Application Support", "pybridge")
  return path.join(state, "pybridge")
}

function isWhole(file, content) {
  try {
    return readFileSync(file, "utf8") === content
  } catch {
    return false
  }
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function attempt(action) {
  try {
    action()
  } catch {
    // Fail-closed: the shell that is there refuses, or finds no sidecar and refuses.
  }
}
