"""The sidecar's life: claim standard input and output, serve, end within seconds of their end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys

from pybridge.sidecar.idle_memory import keep_together
from pybridge.sidecar.peer import Peer
from pybridge.sidecar.service import Service
from pybridge.sidecar.start import begin
from pybridge.sidecar.stdio import LineReader, Writer, claim
from pybridge.sidecar.target import Connect, connect_remote
from pybridge.transport.asyncssh_parts import leave_out_file_transfers

log = logging.getLogger(__name__)

CALLS_DEADLINE = 4.5
"""Seconds that cancelled calls get to kill their remote commands (SIGTERM, SIGKILL after 3 s) and answer."""

CLOSE_DEADLINE = 1.5
"""Seconds that closing the connections may take."""


def main(connect: Connect = connect_remote) -> int:
    """Serve the shim on standard input and output until it goes.

    Args:
        connect: makes the remote folder.

    Returns:
        the exit code.
    """
    begin()  # again, where it was not `__main__` that came here
    keep_together()
    leave_out_file_transfers()
    source, sink = claim()
    _leave_no_core()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(_run(source, sink, connect))
    return 0


def _leave_no_core() -> None:
    """A crash must not write the passwords in our memory to a file (law 6)."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


async def _run(source: int, sink: int, connect: Connect) -> None:
    code = 1
    try:
        await _serve(source, sink, connect)
        code = 0
    except Exception:
        log.exception("the sidecar failed")
    finally:
        # Not by way of the interpreter's end, which waits for threads: one may sit in a name lookup for minutes.
        sys.stderr.flush()
        os._exit(code)


async def _serve(source: int, sink: int, connect: Connect) -> None:
    service = Service(connect)
    peer = Peer(LineReader(source), Writer(sink), service.methods())
    service.attach(peer)
    _on_signals(service.ending)
    serving = asyncio.ensure_future(peer.run())
    ending = asyncio.ensure_future(service.ending.wait())
    await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
    peer.cancel_all()
    await asyncio.gather(service.user_shell.finish(CALLS_DEADLINE), peer.finish(CALLS_DEADLINE))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(service.close(), CLOSE_DEADLINE)
    serving.cancel()
    ending.cancel()


def _on_signals(ending: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":  # there is no SIGTERM to catch; Ctrl-C reaches every process of the console
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return
    loop.add_signal_handler(signal.SIGTERM, ending.set)
    loop.add_signal_handler(signal.SIGHUP, ending.set)
    # Ctrl-C reaches the whole process group. OpenCode decides what it means; when it ends, our input ends.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
