"""The moments of a call at which somebody else may act: before each round trip, and while a permission is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pybridge.host.control_shell import ControlShell
from pybridge.host.framing import Reply
from tests.tools.kit import Call


async def nothing() -> None:
    """Nobody acts."""


@dataclass
class Moments:
    """Lets somebody act at one moment.

    Args:
        number: of the moment, from 1; 0 for never.
        act: what is done then; its own round trips are no moments.
    """

    number: int = 0
    act: Callable[[], Awaitable[object]] = nothing
    passed: int = 0
    acted: bool = False
    _acting: bool = field(default=False, repr=False)

    def begin(self, number: int, act: Callable[[], Awaitable[object]]) -> None:
        """Count from here on."""
        self.number, self.act, self.passed, self.acted = number, act, 0, False

    async def pass_one(self) -> None:
        """A moment of the call under test."""
        if self._acting:
            return
        self.passed += 1
        if self.passed == self.number:
            self._acting = self.acted = True
            try:
                await self.act()
            finally:
                self._acting = False


def watch_round_trips(monkeypatch: pytest.MonkeyPatch) -> Moments:
    """Moments before every request to every control shell of this process."""
    moments = Moments()
    request = ControlShell.request

    async def watched(shell: ControlShell, script: str, **options: Any) -> Reply:
        await moments.pass_one()
        return await request(shell, script, **options)

    monkeypatch.setattr(ControlShell, "request", watched)
    return moments


class WatchedCall(Call):
    """A call whose questions are moments: the person has read them, and has not answered yet."""

    moments: Moments

    async def ask(
        self, permission: str, patterns: Sequence[str], always: Sequence[str], metadata: Mapping[str, Any]
    ) -> None:
        await super().ask(permission, patterns, always, metadata)
        await self.moments.pass_one()


def watched_call(moments: Moments, session_id: str) -> WatchedCall:
    """A call of a session that counts its moments."""
    call = WatchedCall(session_id=session_id)
    call.moments = moments
    return call
