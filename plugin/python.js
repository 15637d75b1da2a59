// Which program is the sidecar, and why it did not start.

import { execFile } from "node:child_process"
import { accessSync, constants, existsSync, statSync } from "node:fs"
import path from "node:path"

const MODULE = ["-m", "pybridge.sidecar"]
const OLDEST = [3, 11]
const REPAIR =
  "Install pybridge (`pipx install pybridge` or `uv tool install pybridge`), or set PYBRIDGE_PYTHON to a Python 3.11 or " +
  "newer that has it, then restart OpenCode."

/**
 * @typedef {{command: string, args: string[], origin: string, python: boolean}} Program
 * `origin` says where it was found; `python` whether `command` is an interpreter
 */

/**
 * Find the program to start: PYBRIDGE_PYTHON, the interpreter recorded at installation, `pybridge` on PATH.
 * @param {Record<string, string | undefined>} env
 * @param {string | undefined} recorded
 * @returns {Program}
 * @throws {Error} there is none; the message says what to do
 */
export function findProgram(env, recorded) {
  if (env.PYBRIDGE_PYTHON) {
    return { command: env.PYBRIDGE_PYTHON, args: MODULE, origin: "set by PYBRIDGE_PYTHON", python: true }
  }
  if (recorded && existsSync(recorded)) {
    return { command: recorded, args: MODULE, origin: "recorded when pybridge was installed", python: true }
  }
  const onPath = which("pybridge", env)
  if (onPath) return { command: onPath, args: ["sidecar"], origin: "found on PATH", python: false }
  const gone = recorded ? ` The Python recorded when pybridge was installed, ${recorded}, is gone.` : ""
  throw new Error(`No Python for the remote tools was found: no \`pybridge\` is on PATH.${gone}\n${REPAIR}`)
}

/**
 * What a person should know about a program that did not become a working sidecar.
 * @param {Program} program
 * @param {string} log what it wrote to standard error
 * @returns {Promise<string>} sentences, or "" when nothing is known
 */
export async function diagnose(program, log) {
  if (!program.python) return ""
  const version = await versionOf(program.command)
  if (version && isOld(version)) {
    return (
      `${program.command} (${program.origin}) is Python ${version.join(".")}, but pybridge needs Python ` +
      `${OLDEST.join(".")} or newer.\n${REPAIR}`
    )
  }
  if (/No module named '?pybridge(\.sidecar)?'?\)?\s*$/m.test(log)) {
    return `${program.command} (${program.origin}) has no pybridge installed.\n${REPAIR}`
  }
  return ""
}

function isOld([major, minor]) {
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
}

function versionOf(command) {
  return new Promise((resolve) => {
    execFile(command, ["--version"], { timeout: 5000, windowsHide: true }, (error, stdout, stderr) => {
      const found = /Python (\d+)\.(\d+)(?:\.(\d+))?/.exec(`${stdout}${stderr}`) // Python 2 says it on stderr
      resolve(found ? found.slice(1).filter(Boolean).map(Number) : undefined)
    })
  })
}

/** The path of a program on PATH, if it is there. */
export function which(name, env) {
  const windows = process.platform === "win32"
  const endings = windows ? [".exe", ".com"] : [""]
  for (const folder of (env.PATH ?? env.Path ?? "").split(path.delimiter)) {
    if (!path.isAbsolute(folder)) continue // a relative entry would find a program of the project's
    for (const ending of endings) {
      const candidate = path.join(folder, name + ending)
      try {
        accessSync(candidate, windows ? constants.F_OK : constants.X_OK)
        if (statSync(candidate).isFile()) return candidate
      } catch {
        continue
      }
    }
  }
  return undefined
}
