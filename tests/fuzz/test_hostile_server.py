"""A server that means ill can make a call fail, but not write outside the mirror, exhaust the memory, or hang."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pybridge.errors import CommandFailedError, RemoteError, ToolError
from pybridge.host.host import Host, HostOptions
from pybridge.settings import Settings
from pybridge.tools.context import ToolResult
from pybridge.tools.registry import call
from pybridge.tools.session import Session, open_session
from pybridge.transport.local_process import LocalCarrier
from tests.fuzz.hostile_sh import ATTACKS
from tests.kit.counterparts import need
from tests.kit.effort import by_effort
from tests.kit.figures import tell
from tests.tools.kit import Call

HASTE = 40
"""How many times faster deadlines come while a server attacks."""
MOST_MEMORY = 320 * 1024 * 1024
"""The largest reply (96 MB) as it is collected, in one piece, and what is cut out of it."""
GUARD = 90.0
"""Seconds after which a call hangs, all deadlines being that much shorter."""

TOOLS: dict[str, dict[str, Any]] = {
    "read": {"filePath": "old.txt"},
    "bash": {"command": "echo hello", "timeout": 20_000},
    "edit": {"filePath": "old.txt", "oldString": "one", "newString": "two"},
    "glob": {"pattern": "*.txt"},
    "write": {"filePath": "new.txt", "content": "new\n"},
    "grep": {"pattern": "one"},
    "apply_patch": {"patchText": "*** Begin Patch\n*** Add File: added.txt\n+x\n*** End Patch"},
}
APPLYING = "pb_check"
"""Of the request that makes a change: what comes before it is answered honestly."""
LISTING = {"filePath": "."}
SAMPLE = ("endless_output", "echo", "done", "junk", "outside", "closes", "numbers", "escapes", "huge_status")


class Desk:
    """A session on the hostile server."""

    def __init__(self, session: Session, folder: Path, told: Path) -> None:
        self.session = session
        self.folder = folder
        self._told = told

    def attack(self, name: str) -> None:
        """How requests are answered from now on; "" for honestly."""
        self._told.write_text(name)

    async def use(self, tool: str, args: dict[str, Any]) -> ToolResult:
        args = {key: self._absolute(key, value) for key, value in args.items()}
        async with _TIMEOUT(GUARD):
            return await call(tool, args, Call(), self.session)

    def _absolute(self, key: str, value: Any) -> Any:
        return str(self.folder / value) if key == "filePath" else value


_TIMEOUT, _WAIT = asyncio.timeout, asyncio.wait


@contextlib.contextmanager
def haste() -> Iterator[None]:
    """Deadlines that come sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "timeout", lambda delay: _TIMEOUT(None if delay is None else delay / HASTE))

        async def wait(tasks: Any, *, timeout: float | None = None, **options: Any) -> Any:
            return await _WAIT(tasks, timeout=None if timeout is None else timeout / HASTE, **options)

        patch.setattr(asyncio, "wait", wait)
        yield


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    home, folder, told = tmp_path / "home", tmp_path / "remote", tmp_path / "attack"
    for place in (home, folder, tmp_path / "outside"):
        place.mkdir()
    told.write_text("")
    (folder / "old.txt").write_text("one\n")
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    program = str(Path(__file__).with_name("hostile_sh.py"))
    carrier = LocalCarrier([sys.executable, "-I", "-S", program, str(told), need("sh"), "-c"])
    host = await Host.connect(carrier, HostOptions(workdir=str(folder), login=False))
    session = await open_session(Settings(ssh="x", workdir=str(folder)), host, target_slug="hostile")
    yield Desk(session, folder, told)
    told.write_text("")
    await host.close()
    await carrier.close()
    session.store.close()


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if name in SAMPLE else pytest.mark.whole) for name in ATTACKS
])  # fmt: skip
async def test_a_call_ends_in_a_result_or_a_typed_error(
    request: pytest.FixtureRequest, desk: Desk, tmp_path: Path, name: str
) -> None:
    number = list(ATTACKS).index(name)
    order = [(tool, args, "") for tool, args in TOOLS.items()] + [("read", LISTING, "")]
    order += [(tool, TOOLS[tool], APPLYING) for tool in ("edit", "write", "apply_patch")]
    some = [order[(number + step) % len(order)] for step in range(0, len(order), by_effort(4, 2, 1))]
    before = _everything_but_ours(tmp_path)
    for tool, args, needle in some:
        desk.attack(f"{name} {needle}")
        tracemalloc.start()
        try:
            with haste():
                result = await desk.use(tool, args)
            assert isinstance(result, ToolResult)
            assert len(result.output) < 1 << 20
        except RemoteError as error:
            _is_fit_to_be_shown(error)
        finally:
            desk.attack("")
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < MOST_MEMORY, (tool, peak >> 20)
    assert _everything_but_ours(tmp_path) == before
    # The next call, answered honestly, is served: new shells are started for those that cannot be trusted.
    (desk.folder / "old.txt").write_text("one\n")
    await _works_again(desk, "read", TOOLS["read"], "one")
    await _works_again(desk, "bash", TOOLS["bash"], "hello")
    tell(request, "fuzz", "a hostile server: calls", len(some))


async def _works_again(desk: Desk, tool: str, args: dict[str, Any], wanted: str) -> None:
    """Shells that began to attack before may still be given to the first calls."""
    for _ in range(6):
        with contextlib.suppress(RemoteError), haste():
            if wanted in (await desk.use(tool, args)).output:
                return
    assert wanted in (await desk.use(tool, args)).output


def _is_fit_to_be_shown(error: RemoteError) -> None:
    assert len(str(error)) < 1 << 20
    if not isinstance(error, CommandFailedError | ToolError):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", str(error)), repr(str(error))


def _everything_but_ours(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder but those of the mirror and of our state, and the remote's own."""
    found: dict[str, bytes | None] = {}
    for place, _, names in os.walk(folder):
        for path in (Path(place), *(Path(place) / name for name in names)):
            relative = path.relative_to(folder)
            if relative.parts[:1] in (("remote",), ("attack",)):
                continue
            if relative.parts[:1] == ("home",) and {".opencode", "pybridge"} & set(relative.parts):
                continue
            found[str(relative)] = path.read_bytes() if path.is_file() else None
    return found
