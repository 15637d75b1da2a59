"""The rows of the budget table in design/architecture.md: what each does, and what it may take."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.adapter import Timed
from benchmarks.adapters.protocol import CallFailedError, UnsupportedError
from benchmarks.adapters.simple_tools import glob_line
from benchmarks.bench import Bench
from benchmarks.measuring import LIMIT_SECONDS, Subject

MEBI = 1_000_000
PATCHED = 20
AT_ONCE = 30
TRACKED = 1000

_SHOWN = {"read": "line 0", "glob": ".txt", "grep": "needle"}
_PATCH_SECONDS = 12
_OUTPUT_SECONDS = 60
_TREES = {"small": (10_000, 40), "large": (100_000, 80)}


class Work:
    """The operations, on files of this section's own.

    Args:
        bench: the run.
    """

    def __init__(self, bench: Bench) -> None:
        data = bench.place.data
        self._bench = bench
        self._numbers = itertools.count(1)
        self.small = data.small("budgets/1k", 1024)
        self.middle = data.small("budgets/100k", 100_000)
        self.large = data.large(bench.sized(50, 2) * MEBI)
        self.trees = {name: data.tree(bench.sized(*sizes)) for name, sizes in _TREES.items()}
        self.tracked = data.tracked(bench.sized(TRACKED, 20))
        self.output = bench.sized(100, 2) * MEBI
        self.trees["floor"] = "budgets/floor"
        for i in range(PATCHED):
            data.small(f"budgets/floor/{i}", 2000)

    async def first_result(self, subject: Subject, _: int) -> float:
        """From nothing to the first result; a mount, which has no commands, reads a file."""
        async with self._bench.adapter(subject.name) as adapter:
            seconds = await adapter.init(subject.link.ssh, self._bench.place.workdir)
            try:
                return seconds + (await adapter.tool("bash", {"command": "true"})).seconds
            except UnsupportedError:
                return seconds + (await adapter.tool("read", {"filePath": self.small})).seconds
            finally:
                await adapter.close()

    async def cold_small(self, subject: Subject, run: int) -> float:
        """Forget everything once, on a connection that has read; then a file that nobody has seen is a cold one."""
        if run == 0:
            await subject.adapter.reset()
            await self._tool(subject, "read", filePath=self.small)
        self._bench.place.data.small(self._cold(subject, run, "1k"), 1024)
        return 0.0

    async def cold_middle(self, subject: Subject, run: int) -> float:
        """Such a file of 100 KB."""
        self._bench.place.data.small(self._cold(subject, run, "100k"), 100_000)
        return 0.0

    async def read_cold_small(self, subject: Subject, run: int) -> Timed:
        """1 KB that nobody has seen."""
        return await self._tool(subject, "read", filePath=self._cold(subject, run, "1k"))

    async def read_cold_middle(self, subject: Subject, run: int) -> Timed:
        """100 KB that nobody has seen."""
        return await self._tool(subject, "read", filePath=self._cold(subject, run, "100k"))

    async def know(self, subject: Subject, run: int) -> float:
        """Read a thousand files once."""
        if run == 0:
            await subject.adapter.track([f"{self._bench.place.workdir}/{name}" for name in self.tracked])
        return 0.0

    async def bash(self, subject: Subject, _: int) -> Timed:
        """The simplest command."""
        return await self._tool(subject, "bash", command="true")

    async def thirty(self, subject: Subject, _: int) -> float:
        """Many of them at once."""
        calls = [{"tool": "bash", "args": {"command": "true"}}] * AT_ONCE
        return (await subject.adapter.many(calls, limit=LIMIT_SECONDS)).seconds

    async def read_small(self, subject: Subject, _: int) -> Timed:
        """1 KB."""
        return await self._tool(subject, "read", filePath=self.small)

    async def read_middle(self, subject: Subject, _: int) -> Timed:
        """100 KB."""
        return await self._tool(subject, "read", filePath=self.middle)

    async def read_large(self, subject: Subject, _: int) -> Timed:
        """The first 2000 lines of 50 MB."""
        return await self._tool(subject, "read", filePath=self.large)

    async def fresh_file(self, subject: Subject, run: int) -> float:
        """Lay out a file to edit that nobody has seen."""
        self._bench.place.data.small(self._edited(subject, run), 100_000)
        return 0.0

    async def read_file(self, subject: Subject, run: int) -> float:
        """The same, and let it be known, as a model reads before it edits."""
        await self.fresh_file(subject, run)
        await subject.adapter.track([self._edited(subject, run)])
        return 0.0

    async def edit(self, subject: Subject, run: int) -> Timed:
        """Change one line of it."""
        old = "line 700 of the file\n"
        return await self._tool(
            subject, "edit", filePath=self._edited(subject, run), oldString=old, newString=f"changed: {old}"
        )

    async def new_folder(self, subject: Subject, run: int) -> float:
        """Make a folder that nobody has looked into."""
        (self._bench.place.data.folder / self._made(subject, run)).mkdir(parents=True, exist_ok=True)
        return 0.0

    async def write(self, subject: Subject, run: int) -> Timed:
        """A new file there."""
        name = f"{self._made(subject, run)}/{next(self._numbers)}"
        return await self._tool(subject, "write", filePath=name, content="x" * 1023 + "\n")

    async def seen_folder(self, subject: Subject, _: int) -> float:
        """Write a file into a folder, which is looked into for that."""
        if not self._beside(subject).exists():
            self._beside(subject).mkdir(parents=True)
            for number in (1, 2):
                await self._tool(subject, "write", filePath=f"{self._beside(subject)}/{number}", content="x\n")
        return 0.0

    async def write_beside(self, subject: Subject, _: int) -> Timed:
        """One more beside it."""
        name = f"{self._beside(subject)}/{next(self._numbers) + 2}"
        return await self._tool(subject, "write", filePath=name, content="x" * 1023 + "\n")

    async def fresh_files(self, subject: Subject, run: int) -> float:
        """Lay out twenty files that nobody has seen."""
        for i in range(PATCHED):
            self._bench.place.data.small(self._patched(subject, run, i), 2000)
        return 0.0

    async def read_files(self, subject: Subject, run: int) -> float:
        """The same, and let them be known."""
        await self.fresh_files(subject, run)
        await subject.adapter.track([self._patched(subject, run, i) for i in range(PATCHED)])
        return 0.0

    async def patch(self, subject: Subject, run: int) -> Timed:
        """Change a line in each of them."""
        change = "@@\n line 41 of the file\n-line 42 of the file\n+another line\n line 43 of the file\n"
        sections = [f"*** Update File: {self._patched(subject, run, i)}\n{change}" for i in range(PATCHED)]
        text = f"*** Begin Patch\n{''.join(sections)}*** End Patch"
        return await self._tool(subject, "apply_patch", patchText=text, limit=_PATCH_SECONDS)

    async def glob_small(self, subject: Subject, _: int) -> Timed:
        """The newest files of the small tree."""
        return await self._tool(subject, "glob", pattern="**/*.txt", path=self._tree("small"))

    async def glob_large(self, subject: Subject, _: int) -> Timed:
        """The newest files of the large tree."""
        return await self._tool(subject, "glob", pattern="**/*.txt", path=self._tree("large"))

    async def grep_large(self, subject: Subject, _: int) -> Timed:
        """The one line of the large tree."""
        return await self._tool(subject, "grep", pattern="needle", path=self._tree("large"))

    async def flood(self, subject: Subject, _: int = 0) -> Timed:
        """100 MB of output."""
        return await self._tool(
            subject, "bash", command=f"head -c {self.output} /dev/zero | tr '\\0' x", limit=_OUTPUT_SECONDS
        )

    async def _tool(self, subject: Subject, tool: str, limit: float = LIMIT_SECONDS, **args: Any) -> Timed:
        timed = await subject.adapter.tool(tool, args, limit=limit, keep=1000)
        if _SHOWN.get(tool, "") not in timed.output:
            raise CallFailedError(f"{tool} shows something else: {timed.output[:100]!r}")
        return timed

    def _tree(self, name: str) -> str:
        return f"{self._bench.place.workdir}/{self.trees[name]}"

    def _edited(self, subject: Subject, run: int) -> str:
        return f"budgets/edited/{self._of(subject)}-{run}"

    def _made(self, subject: Subject, run: int) -> str:
        return f"budgets/new/{self._of(subject)}-{run}"

    def _beside(self, subject: Subject) -> Path:
        return self._bench.place.data.folder / f"budgets/beside/{self._of(subject)}"

    def _patched(self, subject: Subject, run: int, number: int) -> str:
        return f"budgets/patched/{self._of(subject)}-{run}/{number}"

    def _cold(self, subject: Subject, run: int, name: str) -> str:
        return f"budgets/cold/{self._of(subject)}-{run}-{name}"

    def _of(self, subject: Subject) -> str:
        return f"{subject.name}-{subject.link.round_trip:g}"


Step = Callable[[Work, Subject, int], Awaitable[Timed | float]]


@dataclass(frozen=True)
class Row:
    """One measured operation.

    Attributes:
        name: what the tables call it.
        budget: the row of the design's table that it belongs to.
        trips: round trips it may take.
        plus: seconds it may take besides.
        control: a command line whose own time on the remote it may take besides, in the folder named by `tree`.
        floor: such a command line whose time is only shown: what it takes at least without any link.
        shown: the limit as text.
        own_only: whether it makes no difference for those who keep nothing of files.
    """

    name: str
    budget: str
    trips: float
    action: Step
    prepare: Step | None = None
    plus: float = 0
    control: str = ""
    floor: str = ""
    tree: str = ""
    shown: str = ""
    runs: int = 5
    own_only: bool = False

    def limit(self, round_trip: float, control: float) -> float | None:
        """What it may take, in seconds; None without a round trip to count by."""
        return self.trips * round_trip + self.plus + control if round_trip or self.plus else None

    @property
    def limit_text(self) -> str:
        """The limit, for people."""
        return self.shown or f"{self.trips:g} RTT"


GLOB = glob_line({"pattern": "**/*.txt"})
GREP = "rg --no-config --json --hidden --no-messages --max-count=101 --glob='!**/.git/**' --regexp=needle ."

_SAFELY = " ".join(
    (
        "for i in *; do printf '%s\\n' \"$i\" >.t$i; cp --attributes-only --preserve=mode,ownership,xattr $i .t$i;",
        "ln $i .w$i; mv -f .t$i $i; done; sha256sum * .w*; rm -f .w*",
    )
)
"""The programs without which a file is not replaced whole, with its attributes, and only if it still is what it was."""

READ = "read 1 KB / 100 KB, cold or again"
EDIT = "edit of a 100 KB file"
WRITE = "write a new 1 KB file"
PATCH = "apply_patch, 20 files"
MEMORY = "100 MB of command output, peak memory"

ROWS = (
    Row("plugin load to first result", "plugin load to first result", 9, Work.first_result, runs=3),
    Row("bash `true`", "bash `true`", 1.3, Work.bash),
    Row("30 x bash in parallel", "30 x bash in parallel", 4, Work.thirty),
    Row("read 1 KB, cold", READ, 1.3, Work.read_cold_small, Work.cold_small),
    Row("read 1 KB, again", READ, 1.3, Work.read_small),
    Row("read 100 KB, cold", READ, 1.3, Work.read_cold_middle, Work.cold_middle),
    Row("read 100 KB, again", READ, 1.3, Work.read_middle),
    Row("read with 1000 tracked files", "read with 1000 tracked files", 1.3, Work.read_small, Work.know),
    Row("first 2000 lines of a 50 MB file", "first 2000 lines of a 50 MB file", 2.5, Work.read_large),
    Row("edit of a 100 KB file, never read", EDIT, 2.5, Work.edit, Work.fresh_file, own_only=True),
    Row("edit of a 100 KB file, just read", EDIT, 2.5, Work.edit, Work.read_file),
    Row("write a new 1 KB file", WRITE, 2.3, Work.write, Work.new_folder),
    Row("write a new 1 KB file beside another", WRITE, 2.3, Work.write_beside, Work.seen_folder),
    Row(
        "apply_patch, 20 files, never read",
        PATCH,
        3.5,
        Work.patch,
        Work.fresh_files,
        floor=_SAFELY,
        tree="floor",
        runs=3,
        own_only=True,
    ),
    Row(
        "apply_patch, 20 files, just read",
        PATCH,
        3.5,
        Work.patch,
        Work.read_files,
        floor=_SAFELY,
        tree="floor",
        runs=3,
    ),
    Row(
        "glob in 10k files",
        "glob in 10k files",
        2,
        Work.glob_small,
        control=GLOB,
        tree="small",
        shown="2 RTT + the remote's own",
    ),
    Row(
        "glob in 100k files, newest first",
        "glob in 100k files, newest first",
        2,
        Work.glob_large,
        plus=0.3,
        shown="2 RTT + 300 ms",
        runs=7,
    ),
    Row(
        "grep in 100k files with rg",
        "grep in 100k files with rg",
        2,
        Work.grep_large,
        control=GREP,
        tree="large",
        shown="2 RTT + rg's own",
        runs=7,
    ),
)

BUDGETS = (*dict.fromkeys(row.budget for row in ROWS), MEMORY)
"""The rows of the design's table, in its order."""
