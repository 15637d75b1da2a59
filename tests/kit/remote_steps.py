"""The steps of what runs on a remote: each program it starts is numbered, and something can be made to happen there.

The programs are stand-ins on the remote's PATH (an SSH server is given it as `environment`), so nothing of the product
is touched. What a shell does by itself lies between two programs: what interrupts it there interrupts it before the
next one.
"""

from __future__ import annotations

import asyncio
import enum
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.kit.counterparts import need

PROGRAMS = (
    "base64 cat chgrp chmod chown cmp cp cut dd getfacl getfattr head kill ln ls mkdir mv ps readlink rm rmdir sed"
    " setsid sha256sum sleep sort stat sync tail tee test touch tr wc"
).split()
WRITERS = frozenset({"base64", "cat"})
"""Programs that can be interrupted half-way through what they write."""

_STAND_IN = """#!{shell}
PATH={path}
if [ -e {control}/armed ] && read -r run wanted when act < {control}/armed; then
  here={control}/$run n=1
  set -C
  until {{ echo "{name} $*" > "$here/$n"; }} 2>/dev/null; do
    n=$((n + 1))
    [ -d "$here" ] || break
  done
  set +C
  if [ "$n" = "$wanted" ]; then name={name} real={real}; . {control}/step; fi
fi
exec {real} "$@"
"""

_STEP = """
ids() { # parent group session of the process $1
  read -r stat < "/proc/$1/stat"
  set -- ${stat##*) }
  parent=$2 session=$4
}
act() {
  ids $$
  main=$session sub=$$
  # Up to the child of the session's leader, and never out of the session: a shell may itself have become this program.
  while [ "$sub" != "$main" ]; do
    ids "$sub"
    [ "$session" = "$main" ] && [ "$parent" != "$main" ] && [ "$parent" -gt 1 ] || break
    sub=$parent
  done
  ids "$sub"
  [ "$main" -gt 1 ] && [ "$session" = "$main" ] || exit 99
  case $act in
    tree) kill -9 "-$main" ;;
    main) kill -9 "$main" ;;
    sub) kill -9 "$sub" ;;
    hold)
      : > "$here/reached"
      while [ -d "$here" ] && [ ! -e "$here/go" ]; do sleep 0.02; done
      ;;
  esac
}
case $when in
  before) act ;;
  after) $real "$@"; status=$?; act; exit $status ;;
  half)
    case $name$# in
      cat0) dd bs=1 count=5 2>/dev/null ;;
      cat1) head -c 5 "$1"; act; exec tail -c +6 "$1" ;;
      base64*) dd bs=1 count=8 2>/dev/null | $real "$@" ;;
    esac
    act ;;
esac
"""


class Act(enum.Enum):
    """What happens at a step."""

    KILL_TREE = "tree"  # kill -9 of the channel's shell and all it has started
    KILL_MAIN = "main"  # of the channel's shell alone: what it has started goes on
    KILL_SUBSHELL = "sub"  # of the subshell that carries out the request
    HOLD = "hold"  # the program waits, until it is let go


@dataclass(frozen=True)
class Moment:
    """Where something happens.

    Args:
        step: number of the program, from 1.
        when: `before` it does anything, `half` through what it writes (of `WRITERS`), or `after` all.
    """

    step: int
    when: str

    def __str__(self) -> str:
        return f"{self.step}-{self.when}"

    @classmethod
    def parse(cls, text: str) -> Moment:
        """The moment that `str` shows so."""
        step, _, when = text.partition("-")
        return cls(int(step), when)


class RemoteSteps:
    """The stand-ins of one server.

    Args:
        folder: a new one, for them and what they tell.
    """

    def __init__(self, folder: Path) -> None:
        self._control = folder / "steps"
        self._control.mkdir(parents=True)
        self._programs = folder / "programs"
        self._programs.mkdir()
        self._run = 0
        (self._control / "step").write_text(_STEP)
        path = os.environ["PATH"]
        for name in PROGRAMS:
            real = shutil.which(name)
            if real is not None:
                file = self._programs / name
                file.write_text(
                    _STAND_IN.format(shell=need("dash"), path=path, control=self._control, name=name, real=real)
                )
                file.chmod(0o755)
        self.environment = {"PATH": f"{self._programs}:{path}"}

    @property
    def _here(self) -> Path:
        return self._control / str(self._run)

    def arm(self, moment: Moment | None = None, act: Act = Act.HOLD) -> None:
        """Count from now on, and let something happen at that moment if one is given."""
        self.disarm()
        self._run += 1
        self._here.mkdir()
        wanted = f"{moment.step} {moment.when}" if moment else "0 never"
        file = self._control / "armed.new"
        file.write_text(f"{self._run} {wanted} {act.value}\n")
        file.rename(self._control / "armed")

    def disarm(self) -> None:
        """Count no more, and let go of what is held."""
        (self._control / "armed").unlink(missing_ok=True)
        shutil.rmtree(self._here, ignore_errors=True)

    def go_on(self) -> None:
        """Let go of the program that is held."""
        (self._here / "go").touch()

    def taken(self) -> list[str]:
        """The steps since it was armed: each program with its arguments."""
        count = len([file for file in self._here.iterdir() if file.name.isdigit()])
        return [(self._here / str(n)).read_text(errors="replace").strip() for n in range(1, count + 1)]

    @property
    def reached(self) -> bool:
        """A program is being held."""
        return (self._here / "reached").exists()

    def happened(self, moment: Moment) -> bool:
        """That step has been taken."""
        return (self._here / str(moment.step)).exists()

    async def wait_reached(self) -> None:
        """Wait until a program is held."""
        while not self.reached:
            await asyncio.sleep(0.01)


def moments(taken: list[str]) -> list[Moment]:
    """Every moment of an operation that takes these steps."""
    found = []
    for number, step in enumerate(taken, 1):
        found.append(Moment(number, "before"))
        if step.split()[0] in WRITERS:
            found.append(Moment(number, "half"))
    return [*found, Moment(len(taken), "after")]
