// What the model gets of the files a user mentions. OpenCode has read them on this machine by the time the plugin sees
// the message; the sidecar says what the message is to hold instead. Without its answer nothing read here is passed on.

// Milliseconds: longer than the sidecar's own deadline, and than it may take to start.
const TIMEOUT = 65_000
const CALLED = "Called the Read tool with the following input: "
const FAILED = "Read tool failed to read "
// Of what OpenCode read or a user pasted, the sidecar needs to know only how it begins.
const SHOWN = 4096

/**
 * @param {object} bridge
 * @param {object} bridge.input OpenCode's, of this instance
 * @param {object | undefined} bridge.sidecar
 * @param {string | undefined} bridge.refused why nothing may be done, if so
 * @param {object} asked the hook's input
 * @param {{message: object, parts: object[]}} output the hook's output; `parts` is changed in place
 */
export async function deliver({ input, sidecar, refused }, asked, { message, parts }) {
  const read = parts.some(isRead)
  if (!read && (refused || !parts.some(mayMention))) return
  try {
    if (refused) throw new Error(refused)
    const params = {
      sessionID: asked.sessionID,
      messageID: message.id,
      agent: message.agent ?? "",
      directory: input.directory ?? "",
      worktree: input.worktree ?? "",
      agents: await agents(input),
      parts: parts.map(shown),
    }
    const answer = await sidecar.request("mentions.deliver", params, TIMEOUT)
    if (!answer.parts) return
    const { id: messageID, sessionID } = message
    const wanted = answer.parts.map((part) => ("keep" in part ? parts[part.keep] : { ...part, messageID, sessionID }))
    parts.splice(0, parts.length, ...wanted)
  } catch (error) {
    withhold(parts, error?.message ?? String(error))
  }
}

function isRead(part) {
  return part.type === "text" && part.synthetic && [CALLED, FAILED].some((start) => part.text.startsWith(start))
}

function mayMention(part) {
  return part.type === "text" && !part.synthetic && !part.ignored && part.text.includes("@")
}

function shown({ id, type, text, synthetic, ignored, mime, filename, url, source }) {
  return {
    ...{ id, type, synthetic, ignored, mime, filename, source },
    text: synthetic ? text?.slice(0, SHOWN) : text,
    url: url?.startsWith("data:") ? url.slice(0, 64) : url,
  }
}

async function agents({ client }) {
  try {
    return ((await client.app.agents()).data ?? []).map(({ name }) => name)
  } catch {
    return []
  }
}

// An error in the place of everything that was read here, whichever way OpenCode put it into the message.
function withhold(parts, reason) {
  for (let at = 0; at < parts.length; at++) {
    if (!parts[at].text?.startsWith(CALLED) || !isRead(parts[at])) continue
    let end = at + 1
    const answer = parts[end]
    if (answer?.type === "text" && answer.synthetic) end += 1
    else if (answer?.type === "file") end += 1
    while (parts[end]?.type === "file" && (parts[end].synthetic || parts[end].url?.startsWith("file:"))) end += 1
    if (end === at + 1) continue
    const text = `${FAILED}it with the following error: ${reason}`
    const { id, messageID, sessionID } = answer
    parts.splice(at + 1, end - at - 1, { id, messageID, sessionID, type: "text", synthetic: true, text })
  }
}
