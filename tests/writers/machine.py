"""A state machine for hypothesis: our tools in two sessions, other writers, links that are cut, new connections."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pybridge.errors import ChangeLeftError, ConnectionLostError, OutcomeUnknownError, RemoteError, RemoteTimeoutError
from tests.writers.desks import leftovers
from tests.writers.lines_model import ANCHOR, Effect, Kind, Model, State, Told
from tests.writers.moments import Moments, watched_call
from tests.writers.styles import append, backup_and_new, rename_over, rewrite, through_symlink
from tests.writers.world import World

FILES = ("a", "b", "c")
NAMES = ("one", "two")
STYLES = {
    "append": append,
    "rewrite": rewrite,
    "rename over": rename_over,
    "backup and new": backup_and_new,
    "symlink": through_symlink,
}

names = st.sampled_from(FILES)
sessions = st.sampled_from(NAMES)
styles = st.sampled_from(sorted(STYLES))
LINK_ERRORS = (ConnectionLostError, OutcomeUnknownError, RemoteTimeoutError)


@dataclass(frozen=True)
class Meanwhile:
    """What happens across a call, before one of its round trips or while its permission is asked."""

    what: str  # nothing, stranger, second, cut before, cut during, cut and second
    moment: int
    name: str
    style: str
    pause: float


meanwhiles = st.builds(
    Meanwhile,
    st.sampled_from(["stranger", "second", "stranger", "cut before", "cut during", "cut and second", "nothing"]),
    st.integers(1, 3),
    names,
    styles,
    st.sampled_from([0, 0.001, 0.002, 0.004, 0.008, 0.016]),
)


@dataclass
class Play:
    """What all examples share.

    Args:
        world: the sessions.
        moments: those of every call.
        figures: how often what was done.
    """

    world: World
    moments: Moments
    figures: Counter[str] = field(default_factory=Counter)
    numbers: itertools.count[int] = field(default_factory=itertools.count)


Call = Callable[[str], Awaitable[list[Effect]]]


def machine(play: Play) -> type[RuleBasedStateMachine]:
    """The machine's class for one run."""

    class Writers(WritersMachine):
        pass

    Writers.play = play
    return Writers


class WritersMachine(RuleBasedStateMachine):
    """See the module."""

    play: Play

    def __init__(self) -> None:
        super().__init__()
        self.world = self.play.world
        self.model = Model()
        self.last: list[Effect] = []
        self.log: list[str] = []
        self.settled = True

    @initialize()
    def begin(self) -> None:
        """A folder of the example's own."""
        self.folder = self.world.folder / f"example-{next(self.play.numbers)}"
        self.folder.mkdir()
        for name in FILES:
            self.path(name).write_text(f"{ANCHOR}\n")
        self.model.possible = {name: {frozenset({ANCHOR})} for name in FILES}
        self.play.figures["examples"] += 1

    # what is done

    @rule(who=sessions, name=names, meanwhile=meanwhiles)
    def edit(self, who: str, name: str, meanwhile: Meanwhile) -> None:
        self.step(who, lambda desk: self.call_edit(desk, name), meanwhile, f"edit {name}")

    @rule(who=sessions, name=names, meanwhile=meanwhiles)
    def write(self, who: str, name: str, meanwhile: Meanwhile) -> None:
        async def call(desk: str) -> list[Effect]:
            effect = Effect(name, Kind.REPLACE, self.line())
            content = f"{ANCHOR}\n{effect.line}\n"
            return await self.made(desk, [effect], "write", filePath=str(self.path(name)), content=content)

        self.step(who, call, meanwhile, f"write {name}")

    @rule(
        who=sessions,
        kinds=st.dictionaries(names, st.sampled_from([Kind.ADD, Kind.ADD, Kind.CREATE, Kind.DELETE]), min_size=1),
        meanwhile=meanwhiles,
    )
    def patch(self, who: str, kinds: dict[str, Kind], meanwhile: Meanwhile) -> None:
        async def call(desk: str) -> list[Effect]:
            effects = [Effect(name, kind, self.line()) for name, kind in kinds.items()]
            sections = [self.section(effect) for effect in effects]
            text = "\n".join(["*** Begin Patch", *sections, "*** End Patch"])
            return await self.made(desk, effects, "apply_patch", patchText=text)

        self.step(who, call, meanwhile, f"patch {kinds}")

    @rule(who=sessions, name=names, meanwhile=meanwhiles)
    def sed(self, who: str, name: str, meanwhile: Meanwhile) -> None:
        async def call(desk: str) -> list[Effect]:
            effect = Effect(name, Kind.ADD, self.line())
            command = f"sed -i 's/^{ANCHOR}$/{ANCHOR}\\n{effect.line}/' {self.path(name)}"
            return await self.made(desk, [effect], "bash", command=command)

        # sed is a stranger: within it there is no compare, so only links are cut meanwhile.
        if meanwhile.what in ("stranger", "second", "cut and second"):
            meanwhile = Meanwhile("nothing", 0, name, "append", 0)
        self.step(who, call, meanwhile, f"sed {name}")

    @rule(who=sessions, name=names, meanwhile=meanwhiles)
    def read(self, who: str, name: str, meanwhile: Meanwhile) -> None:
        before = self.model.possible[name].copy()
        shown: list[State] = []

        async def call(desk: str) -> list[Effect]:
            context = watched_call(self.play.moments, self.world.desks[desk].name)
            try:
                output = (await self.world.desks[desk]("read", context, filePath=str(self.path(name)))).output
                shown.append(frozenset(re.findall(r"^\d+: (.*)$", output, re.M)))
            except RemoteError as error:
                self.refused(error)
                if "File not found" in str(error):
                    shown.append(None)
            return []

        self.step(who, call, meanwhile, f"read {name}")
        for state in shown:
            assert state in before | self.model.possible[name], self.told(f"read shows {state}")

    @rule(name=names, style=styles)
    def stranger(self, name: str, style: str) -> None:
        self.run(self.quiet_stranger(name, style), f"stranger {name} {style}")

    @rule(who=sessions)
    def new_connection(self, who: str) -> None:
        self.run(self.renew(who), f"new connection of {who}")

    # what must hold

    @invariant()
    def every_file_is_what_it_may_be(self) -> None:
        if not self.model.possible:
            return
        now = {name: self.now(name) for name in FILES}
        faults = self.model.faults(now, self.last)
        assert not faults, self.told("; ".join(faults))
        if self.settled:
            self.model.settle(now)
        self.last = []

    def teardown(self) -> None:
        if self.model.possible:
            if leftovers(self.folder):
                self.run(self.settle(), "end")
            assert leftovers(self.folder) == [], self.told("left behind")

    # how it is done

    def path(self, name: str) -> Path:
        return self.folder / name

    def line(self) -> str:
        return f"line-{next(self.play.numbers)}"

    def now(self, name: str) -> State:
        try:
            text = self.path(name).read_text()
        except FileNotFoundError:
            return None
        lines = text.split("\n")
        assert lines.pop() == "" and len(set(lines)) == len(lines), self.told(f"{name} is torn: {text!r}")
        return frozenset(lines)

    def told(self, what: str) -> str:
        return "\n".join([what, *self.log])

    def section(self, effect: Effect) -> str:
        path = self.path(effect.name)
        match effect.kind:
            case Kind.ADD:
                return f"*** Update File: {path}\n@@\n-{ANCHOR}\n+{ANCHOR}\n+{effect.line}"
            case Kind.CREATE:
                return f"*** Add File: {path}\n+{ANCHOR}\n+{effect.line}"
        return f"*** Delete File: {path}"

    async def call_edit(self, desk: str, name: str) -> list[Effect]:
        effect = Effect(name, Kind.ADD, self.line())
        words = {"oldString": f"{ANCHOR}\n", "newString": f"{ANCHOR}\n{effect.line}\n"}
        return await self.made(desk, [effect], "edit", filePath=str(self.path(name)), **words)

    async def made(self, desk: str, effects: list[Effect], tool: str, **arguments: object) -> list[Effect]:
        """A call's effects, with what was told of them."""
        context = watched_call(self.play.moments, self.world.desks[desk].name)
        told = Told.DONE
        try:
            await self.world.desks[desk](tool, context, **arguments)
        except RemoteError as error:
            self.refused(error)
            unknown = isinstance(error, OutcomeUnknownError | ChangeLeftError) or tool == "bash"
            told = Told.UNKNOWN if unknown else Told.NOT_DONE
        for effect in effects:
            effect.told = told
            effect.shown = "\n".join(str(ask.metadata.get("diff", "")) for ask in context.asks)
        return effects

    def refused(self, error: RemoteError) -> None:
        self.log.append(f"    {type(error).__name__}: {str(error)[:300]!r}")
        self.errors.append(error)

    def step(self, who: str, call: Call, meanwhile: Meanwhile, what: str) -> None:
        self.run(self.across(who, call, meanwhile), f"{who}: {what}, meanwhile {meanwhile}")

    def run(self, work: Awaitable[list[Effect]], what: str) -> None:
        self.log.append(what)
        self.errors: list[RemoteError] = []
        self.play.figures["steps"] += 1
        self.last = self.world.run(_awaited(work))
        self.log += [f"    {effect}" for effect in self.last]
        self.model.take(self.last)

    async def across(self, who: str, call: Call, meanwhile: Meanwhile) -> list[Effect]:
        """A call and what happens across it."""
        other = NAMES[1 - NAMES.index(who)]
        effects: list[Effect] = []
        later: list[asyncio.Task[list[Effect]]] = []

        async def act() -> None:
            if meanwhile.what in ("cut before", "cut and second"):
                self.world.links[who].cut()
            if meanwhile.what == "cut during":
                asyncio.get_running_loop().call_later(meanwhile.pause, self.world.links[who].cut)
            if meanwhile.what == "stranger":
                effects.append(self.put(meanwhile.name, meanwhile.style))
            if meanwhile.what in ("second", "cut and second"):
                later.append(asyncio.create_task(self.call_edit(other, meanwhile.name)))
                while not later[0].done() and not self.world.desks[other].waits_for_its_turn():
                    await asyncio.sleep(0.002)

        if meanwhile.what == "stranger":
            await self.world.quiet()
        self.play.moments.begin(meanwhile.moment, act)
        effects += await call(who)
        acted, self.play.moments.number = self.play.moments.acted, 0
        for task in later:
            effects += await task
        if acted:
            self.play.figures[meanwhile.what] += 1
        cut = acted and meanwhile.what.startswith("cut")
        if not cut and self.settled:
            broken = [error for error in self.errors if isinstance(error, LINK_ERRORS)]
            assert not broken, self.told("the link is there, and the call fails for it")
        if cut:
            await asyncio.sleep(meanwhile.pause)
        if any(effect.told is Told.UNKNOWN for effect in effects):
            self.settled = False
        return effects

    def put(self, name: str, style: str) -> Effect:
        effect = Effect(name, Kind.APPEND, self.line(), Told.DONE)
        old = self.path(name).read_bytes() if self.path(name).exists() else f"{ANCHOR}\n".encode()
        STYLES[style](self.path(name), old + f"{effect.line}\n".encode())
        return effect

    async def quiet_stranger(self, name: str, style: str) -> list[Effect]:
        # Inside a remote command that goes on alone a stranger is of the stated limit.
        await self.world.quiet()
        return [self.put(name, style)]

    async def renew(self, who: str) -> list[Effect]:
        await self.world.connect_anew(who)
        return []

    async def settle(self) -> list[Effect]:
        await self.world.quiet()
        for name in NAMES:
            await self.world.connect_anew(name)
        return []


async def _awaited(work: Awaitable[list[Effect]]) -> list[Effect]:
    return await work
