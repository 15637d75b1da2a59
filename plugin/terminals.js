// Terminals of the web interface run on this machine, and no hook is asked before. Under `pybridge launch` their shell is
// one that refuses; without it they are closed as soon as they open, before anyone has typed.

import path from "node:path"

/**
 * @param {object} client OpenCode's, of this instance
 * @param {{type: string, properties?: object}} event
 */
export async function closeTerminal(client, event) {
  if (event.type !== "pty.created") return
  const { id, command } = event.properties.info
  if (/^pybridge-/.test(path.basename(command))) return // it says why it refuses
  await client._client.delete({ url: "/pty/{ptyID}", path: { ptyID: id } })
}
