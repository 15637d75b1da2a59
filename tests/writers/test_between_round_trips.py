"""Somebody changes a file before any round trip of a call of ours: nobody's change is lost silently (law 3)."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pybridge.errors import RemoteError
from tests.kit.effort import by_effort
from tests.kit.figures import tell
from tests.tools.kit import Call
from tests.writers.desks import content, leftovers
from tests.writers.moments import Moments
from tests.writers.operations import LARGE, OLD, OPERATIONS, OURS, THEIRS, Operation, TheirChange
from tests.writers.styles import STYLES, Style, Writers

SAYS_HOW_TO_GO_ON = re.compile(r"[Rr]ead (it|the files?) again")
AS_THE_BUILT_IN = re.compile(
    r"Could not find oldString|oldString cannot be empty|not found|Failed to|already exists|not be found"
)
"""What a call says whose first look already finds the change: OpenCode's own words."""


@dataclass
class Interleaving:
    """One call with one change of somebody else's at one moment, and what came of it."""

    operation: Operation
    style: Style
    change: TheirChange
    number: int
    folder: Path
    shown: list[str] = field(default_factory=list)
    error: RemoteError | None = None
    theirs_error: RemoteError | None = None
    came_after: bool = False

    def __str__(self) -> str:
        return f"{self.operation.name} / {self.style.name} / {self.change.name} / moment {self.number}"

    async def play(self, writers: Writers, moments: Moments) -> bool:
        """Play it; whether the call had such a moment."""
        for name, old in self.operation.before.items():
            (self.folder / name).write_bytes(old)
        target = self.folder / self.operation.target
        new = self.change.new(content(target) or b"")
        act = self.style.prepare(writers, target, new)
        pending: list[asyncio.Task[None]] = []

        async def acting() -> None:
            task = await act()
            if isinstance(task, asyncio.Task):
                pending.append(task)
                self.came_after = not task.done()

        moments.begin(self.number, acting)
        try:
            self.shown = await self.operation.run(writers.ours, self.folder, moments)
        except RemoteError as error:
            self.error = error
        for task in pending:
            try:
                await task
            except RemoteError as error:
                self.theirs_error = error
        acted = moments.acted
        moments.begin(0, act)
        return acted

    def faults(self) -> list[str]:
        """What is wrong with how it went."""
        operation, change = self.operation, self.change
        target, other = self.folder / operation.target, self.folder / "other"
        now, moved = content(target), content(self.folder / "moved")
        theirs = change.new(operation.before.get(operation.target, b""))
        found = []
        shown = any(THEIRS.decode() in text for text in self.shown)
        if self.theirs_error is not None:
            # The second session was told that its change was not made; ours must stand whole.
            if self.error is not None or THEIRS in (now or b"") or now != operation.ours:
                found.append(f"theirs failed, yet: {self.error!r}, {now!r}")
        elif theirs is not None:
            survived = THEIRS in (now or b"") + (moved or b"")
            if not survived and not (self.error is None and shown and operation.takes_theirs):
                found.append(f"their change is lost: {now!r}, {self.error!r}")
        elif now is not None and self.error is not None:
            found.append(f"a failed call brought the removed file back: {now!r}")
        if self.error is None:
            if change.fits and theirs is not None and not operation.takes_theirs and self.theirs_error is None:
                whole = (now or b"") + (moved or b"")
                if THEIRS not in whole or OURS not in whole:
                    found.append(f"not both: {now!r}, {moved!r}")
            if operation.ours is None and now is not None and not self.came_after:
                found.append(f"said to be gone, and is there: {now!r}")
            if operation.ours is not None and OURS not in (now or b"") and not self.came_after:
                found.append(f"success, and ours is not there: {now!r}")
        else:
            if OURS in (now or b"") + (content(other) or b"") + (moved or b""):
                found.append(f"failed, and ours is there: {self.error}")
            # Of two calls the first may have been made.
            if (now and now.replace(b"MIDDLE", b"middle")) != theirs and self.theirs_error is None:
                found.append(f"failed, and the file is not as they left it: {now!r}")
            if "other" in operation.before and content(other) != OLD:
                found.append(f"failed, and another file of the patch changed: {content(other)!r}")
            if change.fits and not operation.takes_theirs:
                found.append(f"it fits, and failed: {self.error}")
            if not SAYS_HOW_TO_GO_ON.search(str(self.error)) and not AS_THE_BUILT_IN.search(str(self.error)):
                found.append(f"does not say how to go on: {self.error}")
        if left := leftovers(self.folder):
            found.append(f"left behind: {left}")
        return [f"{self}: {fault}" for fault in found]


def cases(operation: Operation) -> list[tuple[Style, TheirChange]]:
    """Who changes what across a call: all of it, or in `make test` a sample that is the same each time."""
    everything = list(itertools.product(STYLES, operation.changes))
    some = random.Random(f"writers {operation.name}").sample(everything, min(2, len(everything)))
    return by_effort(some, everything, everything)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_law3_whoever_changes_a_file_between_our_round_trips_is_not_overwritten_silently(
    operation: Operation, writers: Writers, moments: Moments, folder: Path, request: pytest.FixtureRequest
) -> None:
    faults: list[str] = []
    for index, (style, change) in enumerate(cases(operation)):
        for number in itertools.count(1):
            place = folder / f"{index}-{number}"
            place.mkdir()
            played = Interleaving(operation, style, change, number, place)
            if not await played.play(writers, moments):
                assert played.error is None, played
                assert number > 2, "a call has at least two round trips"
                break
            wrong = played.faults()
            faults += wrong
            tell(request, "other writers, between round trips", operation.name, 1, bool(wrong))
            read = await mirrored(writers, place / operation.target)
            if read is not None:
                faults.append(f"{played}: read shows what is not there: {read}")
    assert not faults, "\n".join(faults)


async def mirrored(writers: Writers, path: Path) -> str | None:
    """What either session reads now, if that is not what the file holds."""
    now = content(path)
    if now is None or now.startswith(LARGE[:20]):
        return None
    for desk in (writers.ours, writers.second):
        output = (await desk("read", Call(session_id="ses_look"), filePath=str(path))).output
        lines = [line.partition(": ")[2] for line in output.splitlines() if re.match(r"\d+: ", line)]
        if lines != now.decode().splitlines():
            return output
    return None


async def test_law3_write_after_read_says_that_the_file_was_changed_since(
    writers: Writers, folder: Path, request: pytest.FixtureRequest
) -> None:
    for style in STYLES:
        path = folder / style.name.replace(" ", "-").replace("(", "").replace(")", "") / "f"
        path.parent.mkdir()
        path.write_bytes(OLD)
        await writers.ours("read", filePath=str(path))
        done = await style.prepare(writers, path, OLD + THEIRS + b"\n")()
        if isinstance(done, asyncio.Task):
            await done
        with pytest.raises(RemoteError, match="changed since it was read; read it again"):
            await writers.ours("write", filePath=str(path), content="ours\n")
        assert path.read_bytes() == OLD + THEIRS + b"\n"
        # Said once is not said for ever: what was read again may be written.
        await writers.ours("read", filePath=str(path))
        await writers.ours("write", filePath=str(path), content="ours\n")
        assert path.read_bytes() == b"ours\n"
        tell(request, "other writers, between round trips", "write after read", 1)


async def test_law3_a_large_file_of_which_a_part_was_read_is_known_as_well(writers: Writers, folder: Path) -> None:
    path = folder / "f"
    path.write_bytes((b"x" * 1023 + b"\n") * 2048)
    await writers.ours("read", filePath=str(path), limit=5)
    with path.open("r+b") as file:
        file.write(b"y")
    with pytest.raises(RemoteError, match="changed since it was read; read it again"):
        await writers.ours("write", filePath=str(path), content="ours\n")
    # What it asks for is enough.
    await writers.ours("read", filePath=str(path), limit=5)
    await writers.ours("write", filePath=str(path), content="ours\n")
    assert path.read_bytes() == b"ours\n"
