"""A TCP gate in front of a server: open, or holding whoever comes, and able to cut every connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Gate:
    """Forwards connections on 127.0.0.1 to a port. Use as a context manager.

    Args:
        target: the server's port on 127.0.0.1.
        is_open: whether connections are forwarded from the start; else they are accepted, and hear nothing.
    """

    def __init__(self, target: int, *, is_open: bool = True) -> None:
        self._target = target
        self._open = threading.Event()
        if is_open:
            self._open.set()
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Refuse new connections, and end those there are."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or the port stays open while a thread waits at it
        self._listener.close()
        self.cut()

    def hold(self) -> None:
        """Accept new connections and let them wait."""
        self._open.clear()

    def release(self) -> None:
        """Forward again, those that wait too."""
        self._open.set()

    def cut(self) -> None:
        """End every connection there is."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for held in sockets:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.wait()
        with contextlib.suppress(OSError):
            server = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._sockets.append(server)
            threading.Thread(target=_forward, args=(server, client), daemon=True).start()
            _forward(client, server)


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
