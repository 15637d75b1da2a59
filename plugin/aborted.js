// What a call ends in that was aborted before it was over: what OpenCode's own tools end in. OpenCode does not wait for
// them; it gives an aborted call a quarter of a second, then marks it as interrupted, and hears no more of it.

const TEXT = "Tool execution aborted"
// Milliseconds: as long as OpenCode may take to mark the call on a busy machine. Nobody waits for them.
const PATIENCE = 2_000

/**
 * @param {Error} error what the call failed with
 * @param {AbortSignal | undefined} abort OpenCode's, of the call
 * @returns {boolean} whether it failed only because it was aborted
 */
export function isAborted(error, abort) {
  return Boolean(abort?.aborted) && error.data?.code === "cancelled"
}

/** @returns {Promise<Error>} what to throw then, once OpenCode has had the time to mark the call itself */
export async function aborted() {
  await new Promise((resolve) => setTimeout(resolve, PATIENCE))
  return new Error(TEXT)
}
