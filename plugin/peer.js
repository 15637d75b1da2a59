// JSON-RPC 2.0 over newline-delimited JSON, in both directions.

const MAX_LINE_BYTES = 256 * 1024 * 1024

/** The other side's answer is an error. */
export class RpcError extends Error {
  constructor({ code, message, data }) {
    super(String(message ?? "no message"))
    this.code = code
    this.data = data
  }
}

/** Cuts a byte stream into lines; UTF-8 characters split between chunks stay whole. */
export class LineSplitter {
  #parts = []
  #size = 0

  /** @returns {string[]} the lines that ended in this chunk */
  push(chunk) {
    const lines = []
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      this.#parts.push(chunk.subarray(from, end))
      lines.push(Buffer.concat(this.#parts).toString("utf8"))
      this.#parts = []
      this.#size = 0
      from = end + 1
    }
    if (from < chunk.length) {
      this.#parts.push(chunk.subarray(from))
      this.#size += chunk.length - from
    }
    if (this.#size > MAX_LINE_BYTES) throw new Error(`a line of more than ${MAX_LINE_BYTES} bytes`)
    return lines
  }
}

export class Peer {
  #next = 1
  #pending = new Map()
  #closed

  /**
   * @param {(line: string) => void} send writes one line, end included
   * @param {Record<string, (params: object) => unknown>} methods what the other side may call or notify
   */
  constructor(send, methods) {
    this.send = send
    this.methods = methods
  }

  /**
   * Call the other side.
   * @returns {{id: number, answer: Promise<unknown>}} `answer` rejects with RpcError, or with the error given to `close`
   */
  request(method, params) {
    const id = this.#next++
    const answer = new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed)
      this.#pending.set(id, { resolve, reject })
      this.#write({ jsonrpc: "2.0", id, method, params })
    })
    return { id, answer }
  }

  notify(method, params) {
    if (!this.#closed) this.#write({ jsonrpc: "2.0", method, params })
  }

  /** The other side is gone: everything that waits fails with `error`. */
  close(error) {
    if (this.#closed) return
    this.#closed = error
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }

  /** @throws {SyntaxError} the line is no JSON-RPC message */
  receive(line) {
    const message = JSON.parse(line)
    if (message?.jsonrpc !== "2.0") throw new SyntaxError("not a JSON-RPC 2.0 message")
    if (typeof message.method === "string") this.#called(message)
    else this.#answered(message)
  }

  #answered({ id, result, error }) {
    const waiting = this.#pending.get(id)
    if (!waiting) return
    this.#pending.delete(id)
    if (error) waiting.reject(new RpcError(error))
    else waiting.resolve(result)
  }

  async #called({ id, method, params }) {
    let reply
    try {
      const handler = Object.hasOwn(this.methods, method) ? this.methods[method] : undefined
      if (!handler) throw new RpcError({ code: -32601, message: `There is no method ${method}` })
      reply = { result: (await handler(params ?? {})) ?? null }
    } catch (error) {
      reply = {
        error: { code: error instanceof RpcError ? error.code : -32603, message: String(error?.message ?? error) },
      }
    }
    if (id !== undefined && !this.#closed) this.#write({ jsonrpc: "2.0", id, ...reply })
  }

  #write(message) {
    this.send(JSON.stringify(message) + "\n")
  }
}
