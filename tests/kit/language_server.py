"""A language server that finds the same error in every file: run it with the path of a file to leave when started.

Protocol: https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

COMPLAINT = "the language server of the tests complains"


def receive() -> dict[str, Any] | None:
    """The next message from the client; None at the end."""
    length = 0
    while line := sys.stdin.buffer.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return json.loads(sys.stdin.buffer.read(length)) if length else None


def send(message: dict[str, Any]) -> None:
    """Send a message to the client."""
    data = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
    sys.stdout.buffer.flush()


def main() -> None:
    """Serve until the client is gone."""
    Path(sys.argv[1]).write_text("started\n")
    here = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}
    while (message := receive()) is not None:
        if message.get("method") == "initialize":
            send({"id": message["id"], "result": {"capabilities": {"textDocumentSync": 1}}})
        elif "id" in message and "method" in message:
            send({"id": message["id"], "result": None})
        elif message.get("method") in ("textDocument/didOpen", "textDocument/didChange"):
            document = message["params"]["textDocument"]
            found = [{"range": here, "severity": 1, "message": COMPLAINT}]
            answer = {"uri": document["uri"], "version": document.get("version"), "diagnostics": found}
            send({"method": "textDocument/publishDiagnostics", "params": answer})


if __name__ == "__main__":
    main()
