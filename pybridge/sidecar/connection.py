"""Connecting in the background, once, and again when a call finds that it failed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from pybridge.errors import AuthenticationError, ConfigurationError, FileError, HostKeyError
from pybridge.sidecar.target import Target
from pybridge.transport.backoff import Backoff

log = logging.getLogger(__name__)

LASTING = (AuthenticationError, HostKeyError, ConfigurationError)
"""Failures that trying again cannot mend, or makes worse (accounts lock): they stay until the sidecar is restarted."""

Report = Callable[[str, Target | None, BaseException | None], None]


class Connection:
    """One Target, made when `start` is called and shared by all calls. While the server is away, attempts have pauses.

    Args:
        connect: makes the Target.
        report: told each state: `connecting`, `ready` (with the Target), `failed` (with the error).
    """

    def __init__(self, connect: Callable[[], Awaitable[Target]], report: Report) -> None:
        self._connect = connect
        self._report = report
        self._attempt: asyncio.Task[Target] | None = None
        self._backoff = Backoff()
        self._closed = False

    def start(self) -> None:
        """Begin to connect, unless that is done or under way."""
        if self._attempt is not None:
            if not self._attempt.done() or self._attempt.cancelled():
                return
            error = self._attempt.exception()
            if error is None or isinstance(error, LASTING):
                return
        if not self._closed:
            self._attempt = asyncio.get_running_loop().create_task(self._run())

    async def target(self, abort: asyncio.Event) -> Target | None:
        """The Target, connecting first if need be.

        Returns:
            None when `abort` was set first; the attempt goes on for others.

        Raises:
            RemoteError: what connecting failed with.
        """
        self.start()
        attempt = self._attempt
        if attempt is None:
            return None
        if not attempt.done():
            aborted = asyncio.ensure_future(abort.wait())
            try:
                await asyncio.wait({attempt, aborted}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                aborted.cancel()
        if not attempt.done() or attempt.cancelled():
            return None
        return attempt.result()

    def ready(self) -> Target | None:
        """The Target if there is one by now; nothing is begun or waited for."""
        attempt = self._attempt
        if attempt is None or not attempt.done() or attempt.cancelled() or attempt.exception() is not None:
            return None
        return attempt.result()

    async def close(self) -> None:
        """Give up an attempt under way; close what is open."""
        self._closed = True
        attempt = self._attempt
        if attempt is None:
            return
        if not attempt.done():
            attempt.cancel()
            await asyncio.wait({attempt})
        if not attempt.cancelled() and attempt.exception() is None:
            await attempt.result().close()

    async def _run(self) -> Target:
        self._report("connecting", None, None)
        await self._backoff.wait()
        started = time.monotonic()
        try:
            target = await self._connect()
        except Exception as error:
            if not isinstance(error, FileError):  # that is about the folder: the server is there
                self._backoff.failed()
            log.warning("connecting failed after %.2f s: %s", time.monotonic() - started, error)
            self._report("failed", None, error)
            raise
        log.info("connected to %s in %.2f s", target.host, time.monotonic() - started)
        self._report("ready", target, None)
        return target
