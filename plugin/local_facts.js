// The system prompt for a sidecar that does not run or answer: what it says of this machine goes all the same.

import { readFileSync } from "node:fs"
import { dirname, relative } from "node:path"

const UNREACHABLE = "<env>\n  The project is on a remote host, which cannot be reached at the moment.\n</env>"
// Where the text of an instruction file ends whose content is not what it was when OpenCode read it.
const NEXT = /\n(?=Instructions from: |Skills provide specialized instructions |<mcp_instructions>)/

/**
 * @param {string} text the system prompt
 * @param {string} directory the local folder that stands for the remote one
 * @returns {string} without its environment block, and without the instructions of that folder and those above it
 */
export function withoutLocalFacts(text, directory) {
  let left = text.replace(/^<env>\n(?:.*\n)*?<\/env>$/m, UNREACHABLE)
  for (const [heading, path] of text.matchAll(/^Instructions from: (.+)$/gm)) {
    const at = left.indexOf(`${heading}\n`)
    if (at < 0 || !holds(dirname(path), directory)) continue
    const length = lengthOf(left.slice(at), `${heading}\n${contentOf(path)}`)
    left = left.slice(0, at) + left.slice(at + length).replace(/^\n/, "")
  }
  return left
}

// Whether a folder is the directory or above it.
function holds(folder, directory) {
  return relative(directory, folder)
    .split(/[\\/]/)
    .every((step) => step === "" || step === "..")
}

function lengthOf(text, block) {
  if (text.startsWith(block)) return block.length
  const next = text.search(NEXT)
  return next < 0 ? text.length : next
}

function contentOf(path) {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return "\0" // no prompt has it
  }
}
