// Which instruction files the answers of a conversation hold, as OpenCode's own read counts them.

/**
 * @param {object[] | undefined} messages of the conversation, as OpenCode gives them to a tool
 * @returns {string[]} paths told in the metadata of reads that were not compacted away
 */
export function heldInstructions(messages) {
  const paths = new Set()
  for (const { parts } of messages ?? []) {
    for (const { type, tool, state } of parts ?? []) {
      if (type !== "tool" || tool !== "read" || state?.status !== "completed" || state.time?.compacted) continue
      const { loaded } = state.metadata ?? {}
      if (Array.isArray(loaded)) loaded.filter((path) => typeof path === "string").forEach((path) => paths.add(path))
    }
  }
  return [...paths]
}
