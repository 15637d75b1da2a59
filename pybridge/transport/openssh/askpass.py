"""The program ssh starts to ask something (SSH_ASKPASS): it asks the pybridge process that started ssh.

That listens on a socket in a folder only this user can enter, for as long as ssh logs in; no secret is in an
environment or an argument. What it does not answer goes to the user's own askpass program, or to the terminal, where
there is one. Small on purpose: ssh waits for it.
"""

from __future__ import annotations

import os
import socket
import sys

SOCKET = "PYBRIDGE_ASKPASS"
"""Names the socket."""
NEXT = "PYBRIDGE_ASKPASS_NEXT"
"""The user's own askpass program."""
TERMINAL = "PYBRIDGE_ASKPASS_TERMINAL"
"""Set where the user sits at the terminal and may be asked."""

ANSWER, PASS_ON, REFUSE = b"a", b"p", b"r"
_KIND = "SSH_ASKPASS_PROMPT"


def main() -> int:
    """Print the answer to the question in the first argument; 1 if there is none."""
    prompt = sys.argv[1] if len(sys.argv) > 1 else ""
    kind = os.environ.get(_KIND, "")
    reply = _ask_pybridge(os.environ.get(SOCKET, ""), kind, prompt)
    if reply.startswith(ANSWER):
        sys.stdout.buffer.write(reply[1:] + b"\n")
        return 0
    if not reply.startswith(PASS_ON):
        return 1
    program = os.environ.get(NEXT)
    if program:
        environment = {**os.environ, "SSH_ASKPASS": program}
        os.execvpe(program, [program, prompt], environment)
    return _ask_terminal(kind, prompt) if os.environ.get(TERMINAL) else 1


def _ask_pybridge(path: str, kind: str, prompt: str) -> bytes:
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(path)
            peer.sendall(f"{kind}\n{prompt}".encode("utf-8", "surrogateescape"))
            peer.shutdown(socket.SHUT_WR)
            reply = b""
            while piece := peer.recv(4096):
                reply += piece
            return reply
    except OSError:
        return REFUSE


def _ask_terminal(kind: str, prompt: str) -> int:
    import getpass

    with open("/dev/tty", "r+b", buffering=0) as terminal:  # noqa: PTH123
        if kind == "none":  # a notice: ssh ends this program when it has passed
            terminal.write(prompt.encode("utf-8", "surrogateescape") + b"\r\n")
            import signal

            signal.pause()
        if "yes/no" in prompt:
            terminal.write(prompt.encode("utf-8", "surrogateescape"))
            line = b""
            while not line.endswith(b"\n") and (piece := terminal.read(1)):
                line += piece
            sys.stdout.buffer.write(line)
            return 0
    sys.stdout.buffer.write(getpass.getpass(prompt).encode("utf-8", "surrogateescape") + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
