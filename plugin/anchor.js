// Which of OpenCode's folders stands for the remote one.

import { realpathSync, statSync } from "node:fs"

const TRUE = ["1", "true", "yes", "on"]

/**
 * Why an instance for this folder must not act on the remote.
 * @param {Record<string, string | undefined>} env
 * @param {string} directory the instance's folder
 * @returns {string | undefined} the message, or nothing when it may
 */
export function refusal(env, directory) {
  const anchor = env.REMOTE_ANCHOR
  if (!anchor || TRUE.includes((env.REMOTE_ALL_DIRS ?? "").trim().toLowerCase())) return undefined
  if (directory && sameFolder(anchor, directory)) return undefined
  return (
    `This OpenCode session is for the folder ${directory}, but only the folder ${anchor} stands for the remote one. ` +
    "Nothing was run, neither here nor on the remote.\n" +
    `Open ${anchor} in OpenCode, or set REMOTE_ALL_DIRS=1 to let every folder use the remote.`
  )
}

function sameFolder(one, other) {
  try {
    // Real paths alone would tell apart two spellings on a file system that folds case.
    const [a, b] = [one, other].map((folder) => statSync(folder, { bigint: true }))
    if (a.ino !== 0n || b.ino !== 0n) return a.dev === b.dev && a.ino === b.ino
    return realpathSync.native(one) === realpathSync.native(other)
  } catch {
    return one === other // removed meanwhile: the name is all there is
  }
}
