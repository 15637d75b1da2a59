"""A remote `sh` that lies: it relays to a real one until it is told how to attack, then answers requests itself.

Usage: python -I hostile_sh.py FILE SH [ARGUMENT...]; FILE names the attack and, after a space, what a request must hold
to be attacked; or it is empty. The markers of a request travel in it, so a hostile server need not guess them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable

ATTACKS: dict[str, Callable[[bytes], None]] = {}
MARKER = re.compile(rb"\b[0-9a-f]{32}\b|@[0-9a-f]{24}@")


def out(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def err(data: bytes) -> None:
    while data:
        data = data[os.write(2, data) :]


def hang() -> None:
    time.sleep(600)


def framed(request: bytes, content: bytes, *, errors: bytes = b"", status: bytes = b"0") -> None:
    """A reply in the right frame, also as the beginning of a command."""
    found = MARKER.findall(request)
    frame = found[-1] if found else b"0" * 32
    content = content.replace(b"%M%", found[0] if found else b"")
    err(b"%s\n%s\n" % (errors, frame))
    out(b"%s\n%s %s\n" % (content, frame, status))


def started(request: bytes) -> None:
    """As if a command had been begun."""
    found = MARKER.findall(request)
    if found:
        err(b"\n%s\n" % found[0])
        out(b"\n%s 999999999 ok\n" % found[0])


def attack(function: Callable[[bytes], None]) -> Callable[[bytes], None]:
    ATTACKS[function.__name__] = function
    return function


@attack
def endless_output(request: bytes) -> None:
    started(request)
    while True:
        out(b"x" * 65536)


@attack
def endless_errors(request: bytes) -> None:
    while True:
        err(b"x" * 65535 + b"\n")


@attack
def endless_records(request: bytes) -> None:
    found = MARKER.findall(request)
    while True:
        out((b"\n\0%s ./a\0" % (found[0] if found else b"")) * 1000)


@attack
def endless_lines(request: bytes) -> None:
    started(request)
    while True:
        out(b"\n" * 65536)


@attack
def echo(request: bytes) -> None:
    started(request)
    out(request)
    err(request)
    hang()


@attack
def every_marker(request: bytes) -> None:
    for marker in MARKER.findall(request):
        out(b"\n\0%s\n\0%s 0\n%s refused missing\n" % (marker, marker, marker))
        err(b"\n%s\n%scode 2\n" % (marker, marker))
    hang()


@attack
def done(request: bytes) -> None:
    framed(request, b"done\n")


@attack
def conflict(request: bytes) -> None:
    framed(request, b"conflict 0\n")


@attack
def junk(request: bytes) -> None:
    framed(request, bytes(range(256)) * 200, errors=b"\xff\0\xfe")


@attack
def outside(request: bytes) -> None:
    entry = b"f\0../../../../../../outside/evil\0" + b"5 644 0 1\0y\0hello\0%M% 0\n"
    framed(request, entry * 3)


@attack
def huge_file(request: bytes) -> None:
    framed(request, b"f\0/w/x\0" + b"5 644 0 1\0y\0" + b"x" * (90 << 20) + b"\0%M% 0\n")


@attack
def huge_list(request: bytes) -> None:
    framed(request, b"ffile\0dfolder\0" * 2_000_000)


@attack
def huge_status(request: bytes) -> None:
    framed(request, b"x", status=b"9" * 5000)


@attack
def large_status(request: bytes) -> None:
    framed(request, b"x", status=b"99999999999")


@attack
def half_a_frame(request: bytes) -> None:
    found = MARKER.findall(request)
    out(b"\n" + (found[-1] if found else b"") + b" ")
    hang()


@attack
def other_frame(request: bytes) -> None:
    framed(b"f" * 32, b"done\n")
    hang()


@attack
def closes(request: bytes) -> None:
    out(b"\n" + b"".join(MARKER.findall(request)[:1]))
    os._exit(3)


@attack
def killed(request: bytes) -> None:
    os.kill(os.getpid(), 9)


@attack
def silent(request: bytes) -> None:
    hang()


@attack
def tiny(request: bytes) -> None:
    started(request)
    for _ in range(200_000):
        out(b"y")
    hang()


@attack
def escapes(request: bytes) -> None:
    said = b"\x1b]0;owned\x07\x1b[2Jcat: \x9b31mPermission\r\nno\x08\x08\n"
    framed(request, b"error 0 stage\n" + said, errors=said, status=b"1")
    os._exit(1)


@attack
def numbers(request: bytes) -> None:
    framed(request, b"left 99999999\nerror -5 stage\nconflict 77 x\n" + b"left " + b"9" * 5000 + b"\n")


def main() -> None:
    told, shell = sys.argv[1], sys.argv[2:]
    real = subprocess.Popen([*shell], stdin=subprocess.PIPE, stdout=1, stderr=2)
    assert real.stdin is not None

    def relay() -> None:
        assert real.stdin is not None
        while data := os.read(0, 1 << 20):
            with open(told) as file:  # noqa: PTH123 - isolated, as quick as can be
                name, _, needle = file.read().strip().partition(" ")
            if name and needle.encode() in data:
                time.sleep(0.05)
                ATTACKS[name](data)
                continue
            real.stdin.write(data)
            real.stdin.flush()
        real.stdin.close()

    def guarded() -> None:
        try:
            relay()
        except OSError:
            os._exit(1)

    threading.Thread(target=guarded, daemon=True).start()
    code = real.wait()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
