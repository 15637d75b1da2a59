// OpenCode's footers with the remote's name in the place of the local folder's, which only stands for it. The rest of
// them is as OpenCode has it.

import { badge, cause } from "./badge.js"
import { element, line, span } from "./tui_elements.js"

// A path longer than any: the text wraps.
const UNLIMITED = 1_000

/**
 * @param {import("./tui_elements.js").Kit} kit
 * @param {() => {host?: string, path?: string}} named
 * @param {() => import("./status_channel.js").Status} status
 */
export function footers(kit, named, status) {
  const remote = (limit) => badge(named(), status(), limit, { always: true })
  // It stays; the notice goes away.
  const reason = () => span(kit, () => cause(status()), () => "error")
  const version = () => kit.api.app?.version ?? ""
  return {
    home() {
      const size = kit.useTerminalDimensions?.()
      const limit = () => Math.max((size?.().width ?? UNLIMITED) - RESERVED, SHORTEST)
      return element(
        kit,
        "box",
        { width: "100%", paddingTop: 1, paddingBottom: 1, paddingLeft: 2, paddingRight: 2, ...ROW, gap: 2 },
        [
          line(kit, () => remote(limit()), { wrapMode: "none", truncate: true, flexShrink: 0 }),
          element(kit, "text", { wrapMode: "none", truncate: true, flexShrink: 1 }, [reason()]),
          servers(kit),
          element(kit, "box", { flexGrow: 1 }),
          element(kit, "box", { flexShrink: 0 }, [text(kit, version, "textMuted")]),
        ],
      )
    },
    sidebar() {
      return element(kit, "box", { gap: 1 }, [
        element(kit, "box", {}, [
          line(kit, () => remote(UNLIMITED), { wrapMode: "char" }),
          element(kit, "text", { wrapMode: "word" }, [reason()]),
        ]),
        element(kit, "text", {}, [
          span(kit, () => "• ", () => "success"),
          element(kit, "b", {}, [span(kit, () => "OpenCode", () => "text")]),
          span(kit, () => ` ${version()}`, () => "textMuted"),
        ]),
      ])
    },
  }
}

const ROW = { flexDirection: "row", flexShrink: 0 }
// Columns for the version, the MCP servers and the space between.
const RESERVED = 40
const SHORTEST = 24

// How many MCP servers are connected, as OpenCode shows it; nothing where there are none.
function servers(kit) {
  const all = () => kit.api.state?.mcp?.() ?? []
  const connected = () => all().filter(({ status }) => status === "connected").length
  const tone = () => (all().some(({ status }) => status === "failed") ? "error" : connected() ? "success" : "textMuted")
  const shown = (words) => () => (all().length ? words() : "")
  return element(kit, "text", { flexShrink: 0 }, [
    span(kit, shown(() => "⊙ "), tone),
    span(kit, shown(() => `${connected()} MCP`), () => "text"),
    span(kit, shown(() => " /status"), () => "textMuted"),
  ])
}

function text(kit, content, tone) {
  return element(kit, "text", {}, [span(kit, content, () => tone)])
}
