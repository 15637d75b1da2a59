// The badge in OpenCode's terminal interface: which host and folder the tools act on, and how the connection is. It is a
// module of its own because OpenCode does not take one that has both a server and an interface part. It never throws:
// where the interface is not the one known here, there is no badge, and nothing else changes.

import { badge, notice } from "./badge.js"
import { footers } from "./footers.js"
import { listen } from "./status_channel.js"
import { line } from "./tui_elements.js"

// The narrow prompt of the home screen is at most 75 columns wide, and shows agent and model on the same line.
const HOME_COLUMNS = 40

// Of a session's prompt, which is as wide as the terminal (less a sidebar), this part at most.
const SESSION_PART = 0.45

const DEFAULT_COLUMNS = 80
const NOTICE_MS = 15_000

const SHOWN = Symbol.for("pybridge.badge")

// Before OpenCode's own, which have 100: of footers, only the first is shown.
const ORDER = 50

/**
 * @param {object} api OpenCode's
 * @param {{host?: string, path?: string} | undefined} options written by the launcher
 */
async function tui(api, options) {
  // A window onto a server elsewhere: what this process's variables say is not what that server's tools act on.
  const attached = process.argv.slice(2, 3).includes("attach")
  // Named by the user's own settings and by the launcher's, it is loaded twice.
  if (!process.env.REMOTE_SSH || attached || globalThis[SHOWN]) return
  try {
    if (typeof api.slots.register !== "function") return
    // There at run time only: OpenCode puts its own copies in the place of these names.
    const kit = { ...(await import("solid-js")), ...(await import("@opentui/solid")), api }
    const [status, setStatus] = kit.createSignal({ state: "connecting" })
    const named = () => names(options, status(), process.env)
    const prompt = (columns) => () =>
      safely(() => {
        const size = kit.useTerminalDimensions?.()
        return line(kit, () => badge(named(), status(), columns(size?.().width ?? DEFAULT_COLUMNS)))
      })
    const session = (width) => Math.floor(width * SESSION_PART)
    const footer = footers(kit, named, status)
    api.slots.register({
      order: ORDER,
      slots: {
        home_prompt_right: prompt((width) => Math.min(HOME_COLUMNS, session(width))),
        session_prompt_right: prompt(session),
        home_footer: () => safely(footer.home),
        sidebar_footer: () => safely(footer.sidebar),
      },
    })
    const end = listen((heard) => {
      setStatus(heard)
      tell(api, notice(named(), heard))
    })
    globalThis[SHOWN] = true
    api.lifecycle?.onDispose?.(() => {
      end()
      delete globalThis[SHOWN]
    })
  } catch {
    // No badge.
  }
}

// What the user typed says more than what was made of it; where nobody wrote it down, the sidecar knows, once connected.
function names(options, status, env) {
  return {
    host: options?.host ?? status.host ?? env.REMOTE_SSH,
    path: options?.path ?? status.workdir ?? env.REMOTE_WORKDIR,
  }
}

function tell(api, message) {
  if (!message) return
  safely(() => api.ui.toast({ ...message, variant: "error", duration: NOTICE_MS }))
}

function safely(draw) {
  try {
    return draw()
  } catch {
    return null
  }
}

export default { id: "pybridge", tui }
