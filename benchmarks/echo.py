"""Two programs that pass bytes to and fro: what a round trip takes between two processes, as over any real link.

As a program: `python -m benchmarks.echo serve` prints a port and sends back what comes there, to one after the other,
until its standard input ends; `python -m benchmarks.echo ask PORT TIMES` prints the median of the seconds that takes.
"""

from __future__ import annotations

import os
import socket
import statistics
import sys
import threading
import time

_PAUSE = 0.03
"""Seconds before each question: nobody is wide awake when something comes over a slow link."""

_PATIENCE = 10.0
"""Seconds to wait for an answer."""

_MESSAGE = b"x" * 200


def serve() -> None:
    """Send back what comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        threading.Thread(target=_answer, args=(server,), daemon=True).start()
        sys.stdin.read()
        sys.stdout.flush()
        os._exit(0)  # the thread waits for the next connection


def _answer(server: socket.socket) -> None:
    while True:
        connection, _ = server.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := connection.recv(1024):
                connection.sendall(data)


def ask(port: int, times: int) -> float:
    """The median of a round trip to such a server, in seconds.

    Args:
        port: of the server, or of what leads to it.
        times: how often it is asked.

    Raises:
        ConnectionError: it has gone away.
        TimeoutError: it does not answer.
    """
    taken = []
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            time.sleep(_PAUSE)
            began = time.perf_counter()
            connection.sendall(_MESSAGE)
            left = len(_MESSAGE)
            while left:
                data = connection.recv(left)
                if not data:
                    raise ConnectionError("what is measured has closed the connection")
                left -= len(data)
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        print(ask(int(sys.argv[2]), int(sys.argv[3])))
