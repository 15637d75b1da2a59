// The secrets, as `pybridge launch` hands them over: one line of JSON in a FIFO that lies below a private folder. (What a
// process is started with in its environment, `ps` shows for as long as it runs.)

import { closeSync, constants, fstatSync, openSync, readSync, unlinkSync } from "node:fs"

const LARGEST = 65_536

/**
 * Read the secrets and remove the FIFO.
 * @param {string} path
 * @param {Record<string, string>} secrets where they are put
 * @param {string[]} names of those that are known
 * @returns {string | undefined} why there are none: a message for the model and the user, or nothing
 */
export function receive(path, secrets, names) {
  try {
    const received = parse(read(path))
    for (const name of names) {
      if (typeof received[name] === "string" && received[name]) secrets[name] = received[name]
    }
    return undefined
  } catch (error) {
    return (
      "The remote tools are not available: the secrets that `pybridge launch` handed over did not arrive " +
      `(${reason(error, path)}).\n` +
      "Nothing was run, neither here nor on the remote. Start OpenCode again with `pybridge launch`; if that does not " +
      "help, set PYBRIDGE_OPENCODE to OpenCode's own executable, in case a script on PATH closes the files it inherits."
    )
  }
}

function reason(error, path) {
  if (error.code === "ENOENT") return `${path} is gone: it was read before, or removed`
  return error.code ? `${path} cannot be read: ${error.code}` : error.message
}

// Opened without waiting, and looked at before anything is read: the path may lead to something else by now.
function read(path) {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  try {
    const found = fstatSync(descriptor)
    if (!found.isFIFO() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) {
      throw new Error(`${path} is not a FIFO that only you can use`)
    }
    unlinkSync(path)
    return contents(descriptor, path)
  } finally {
    closeSync(descriptor)
  }
}

function contents(descriptor, path) {
  const buffer = Buffer.alloc(LARGEST)
  let length = 0
  try {
    length = readSync(descriptor, buffer, 0, LARGEST, null)
  } catch (error) {
    if (error.code !== "EAGAIN") throw error
  }
  if (length === 0) throw new Error(`${path} is empty: it was read before, or who had it open has ended`)
  return buffer.toString("utf8", 0, length)
}

function parse(line) {
  try {
    const received = JSON.parse(line)
    if (received !== null && typeof received === "object") return received
  } catch {
    // The parser's own message would quote what it read.
  }
  throw new Error("they are damaged")
}
