// What the badge says. Nothing here knows how it is drawn.

const NAME = "Remote:"
const SHORTEST_PATH = 12

// A state's word, and its tone: the name of a colour of the theme.
const STATES = {
  connecting: ["connecting", "warning"],
  ready: ["ready", "success"],
  reconnecting: ["reconnecting", "warning"],
  lost: ["lost", "error"],
  failed: ["failed", "error"],
  silent: ["no answer", "error"],
}

/**
 * The badge's pieces, in their order on one line.
 * @param {{host?: unknown, path?: unknown}} options as the launcher wrote them
 * @param {import("./status_channel.js").Status} status
 * @param {number} limit columns there are
 * @param {{always?: boolean}} [wish] `always`: say in a word that it is ready, too
 * @returns {{text: string, tone: string}[]} none when the host is not known
 */
export function badge(options, status, limit, { always = false } = {}) {
  const [word, tone] = STATES[status.state] ?? STATES.connecting
  const end = status.state !== "ready" || always ? ` · ${word}` : ""
  const text = badgeText(options, limit - 2 - end.length)
  if (!text) return []
  return [
    { text: "● ", tone },
    { text, tone: "textMuted" },
    { text: end, tone },
  ]
}

/**
 * Host and folder. What is too long loses the beginning of its path, then the end of its host.
 * @param {{host?: unknown, path?: unknown}} options
 * @param {number} limit columns there are
 * @returns {string} empty when the host is not known
 */
export function badgeText(options, limit) {
  const host = plain(options?.host)
  const path = plain(options?.path)
  if (!host.length) return ""
  const room = limit - NAME.length - 2
  const shownPath = path.length && keepEnd(path, Math.max(room - host.length, SHORTEST_PATH))
  const shownHost = keepStart(host, Math.max(room - (shownPath.length ?? 0), 1))
  return [NAME, shownHost.join(""), ...(shownPath.length ? [shownPath.join("")] : [])].join(" ")
}

/**
 * What a person is told once, when the remote cannot be used.
 * @param {{host?: unknown}} options
 * @param {import("./status_channel.js").Status} status
 * @returns {{title: string, message: string} | undefined} nothing where there is nothing to tell
 */
export function notice(options, status) {
  const [word, tone] = STATES[status.state] ?? []
  if (tone !== "error") return undefined
  const message = (status.error ?? "").split("\n").map((line) => plain(line).join(""))
  return { title: `Remote ${plain(options?.host).join("")}: ${word}`, message: message.join("\n") || word }
}

/**
 * @param {import("./status_channel.js").Status} status
 * @returns {string} why the remote cannot be used, on one line; empty where it can
 */
export function cause(status) {
  return plain((status.error ?? "").split("\n")[0]).join("")
}

// Characters, without those that would move a terminal's cursor or turn the direction of writing.
function plain(value) {
  return typeof value === "string" ? Array.from(value.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?")) : []
}

function keepStart(characters, count) {
  return characters.length <= count ? characters : [...characters.slice(0, count - 1), "…"]
}

function keepEnd(characters, count) {
  return characters.length <= count ? characters : ["…", ...characters.slice(characters.length - count + 1)]
}
