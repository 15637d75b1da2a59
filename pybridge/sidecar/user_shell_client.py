"""The shell OpenCode is given for commands that are not the model's: it hands them to the running sidecar.

OpenCode starts it as `SHELL -c COMMAND` for `!command`, for `POST /session/{id}/shell` and for the `!`-blocks of
command templates. It connects to the sidecar of the OpenCode that started it (`user_shell` has the protocol), passes
the output on as it comes, and ends as the command did. It never logs in anywhere and never runs anything here: without
a sidecar it says why not, on standard output, which is all that a template shows.

Only the standard library, and little of it: a person waits for its start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import sys
import time
from types import FrameType
from typing import NoReturn

FOLDER = "PYBRIDGE_SHELL_FOLDER"
"""The variable that names the folder of this OpenCode: `address`, written by the sidecar, or `refusal`, by the shim."""

MERGED = "PYBRIDGE_SHELL_MERGED"
"""A variable: OpenCode shows both streams as one. Two pipes would lose their order, so all goes to standard output."""

GREETING = b"pybridge-shell-1\n"
REFUSED = 126
LOST = 255
START_SECONDS = 60.0
"""How long to wait for a sidecar that is being started."""

AGAIN = (
    "Any `!command` of yours or tool call of the model's starts it again; then repeat this one. If that does not help, "
    "restart OpenCode."
)


def main() -> NoReturn:
    """Run the command in sys.argv on the remote; end with its exit code, or by its signal."""
    command = _command(sys.argv[1:])
    connection, token = _connect(os.environ.get(FOLDER, ""))
    _pass_aborts_on(connection)
    try:
        fields = (token, os.fsencode(_folder()), os.fsencode(command))
        connection.sendall(GREETING + b"".join(struct.pack("!I", len(field)) + field for field in fields))
        kind, text = _copy(connection)
    except OSError:
        kind, text = b"", b""
    _end(kind, text)


def _command(arguments: list[str]) -> str:
    if len(arguments) == 2 and arguments[0] == "-c":
        return arguments[1]
    _refuse(
        "a terminal on the remote cannot be opened here, and one on this machine is not what you asked for. "
        "Use `!command`, or `ssh` in a terminal of your own."
    )


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 (pathlib takes long to load)
    except OSError:
        return ""


def _connect(folder: str) -> tuple[socket.socket, bytes]:
    """A connection to the sidecar, and the token to show it; or the process ends with the reason."""
    kind, place, token = _address(folder)
    try:
        if kind == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(place)
        else:
            connection = socket.create_connection(("127.0.0.1", int(place)))
    except OSError:
        _refuse(f"pybridge's sidecar, which holds the connection to the remote, has ended. {AGAIN}")
    return connection, token.encode()


def _address(folder: str) -> tuple[str, str, str]:
    deadline = time.monotonic() + START_SECONDS
    while folder and os.path.isdir(folder):  # noqa: PTH112
        if (reason := _read(folder, "refusal")) is not None:
            _refuse(reason)
        lines = (_read(folder, "address") or "").split("\n")
        if len(lines) == 4:  # the last one is empty
            return lines[0], lines[1], lines[2]
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    _refuse(f"pybridge's sidecar, which holds the connection to the remote, is not running. {AGAIN}")


def _read(folder: str, name: str) -> str | None:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="surrogateescape", newline="") as file:  # noqa: PTH118, PTH123
            return file.read()
    except OSError:
        return None


def _pass_aborts_on(connection: socket.socket) -> None:
    # OpenCode ends us to abort the command. The sidecar learns it by the end of our input, kills the remote process
    # tree and tells how that ended; the second time we go at once, which tells the sidecar as well.
    def abort(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)

    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), abort)


def _copy(connection: socket.socket) -> tuple[bytes, bytes]:
    """Pass output on until the end of the command; how it ended."""
    merged = bool(os.environ.get(MERGED))
    while True:
        kind, size = struct.unpack("!cI", _receive(connection, 5))
        content = _receive(connection, size)
        if kind not in (b"1", b"2"):
            return kind, content
        _write(1 if merged else int(kind), content)


def _receive(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        piece = connection.recv(size - len(content))
        if not piece:
            raise ConnectionResetError
        content += piece
    return content


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:  # nobody reads any more: the end of this process tells the sidecar
        os._exit(LOST)


def _end(kind: bytes, text: bytes) -> NoReturn:
    if kind == b"x":
        os._exit(int(text) & 0xFF)
    if kind == b"s":
        _die(text.decode("ascii", "replace"))
    if kind == b"!":
        _say(text.decode("utf-8", "replace"))
        os._exit(REFUSED)
    _say("The connection to the remote broke while this command was running; whether it has ended is not known.")
    os._exit(LOST)


def _die(name: str) -> NoReturn:
    number = getattr(signal, f"SIG{name}", None)
    if number is None:
        os._exit(REFUSED)
    with contextlib.suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_DFL)
    with contextlib.suppress(OSError, ValueError):
        if sys.platform != "win32":
            os.kill(os.getpid(), number)
    os._exit(128 + number)


def _refuse(reason: str) -> NoReturn:
    _say(f"Not run: {reason.strip()}")
    os._exit(REFUSED)


def _say(text: str) -> None:
    _write(1, f"pybridge: {text}\n".encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
