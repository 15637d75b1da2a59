// Elements of OpenCode's terminal interface, made without JSX: nothing here is compiled.

/**
 * @typedef {object} Kit `solid-js`, `@opentui/solid`, and OpenCode's `api`
 */

/**
 * @param {Kit} kit
 * @param {string} name of the element
 * @param {object} properties
 * @param {unknown[]} children elements, texts, or functions that return either
 */
export function element(kit, name, properties, children = []) {
  const made = kit.createElement(name)
  for (const [property, value] of Object.entries(properties)) kit.setProp(made, property, value)
  for (const child of children) {
    if (typeof child === "object" && child !== null) kit.insertNode(made, child)
    else kit.insert(made, child, null)
  }
  return made
}

/** A piece of a text, in a colour of the theme; both may change. */
export function span(kit, text, tone) {
  const made = element(kit, "span", {})
  kit.insert(made, text)
  kit.effect((before) => kit.setProp(made, "style", { fg: kit.api.theme?.current?.[tone()] }, before))
  return made
}

/**
 * Three pieces on one line whatever happens: a second one would push the prompt about.
 * @param {Kit} kit
 * @param {() => {text: string, tone: string}[]} pieces
 */
export function line(kit, pieces, properties = { wrapMode: "none", truncate: true }) {
  const piece = (index) => span(
    kit,
    () => pieces()[index]?.text ?? "",
    () => pieces()[index]?.tone ?? "textMuted",
  )
  return element(kit, "text", properties, [piece(0), piece(1), piece(2)])
}
