// The launcher denies the seven tools in OpenCode's configuration, so that a plugin that does not load leaves none of the
// built-in ones usable. A plugin that did load puts the user's own permissions back.

/**
 * @param {object} config OpenCode's live configuration, changed in place
 * @param {string | undefined} handedOver JSON: {permission, agent: {name: permission}}; null where the user set none
 */
export function restore(config, handedOver) {
  if (handedOver === undefined) return
  const { permission, agent } = JSON.parse(handedOver)
  put(config, permission)
  for (const [name, own] of Object.entries(agent ?? {})) {
    if (config.agent?.[name]) put(config.agent[name], own)
  }
}

function put(holder, permission) {
  if (permission === null || permission === undefined) delete holder.permission
  else holder.permission = structuredClone(permission)
}
