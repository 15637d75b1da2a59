"""The two sides: the real OpenCode with its own tools on a local tree, and with ours on a remote tree at the same path.

Each tree is a file system of its own, mounted at one and the same path in a mount namespace of its own: that of the
OpenCode whose tools are local, and that of the sshd. So no path has to be mapped, and what this machine itself has at
that path is an empty folder.
"""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybridge.demo.model_server import MODEL_ID, ToolCall, calls, say
from tests.conformance.case import Answer, Case, placed
from tests.kit.counterparts import need, need_root
from tests.kit.opencode import PATCH_MODEL, OpenCodeHome, ToolUse, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.sshd import SshServer

AT_ONCE = 16
"""Cases whose calls are made in one turn of the model, and so run in parallel."""

CONFIG: Mapping[str, Any] = {"permission": {"*": "allow"}, "snapshot": False, "lsp": False, "formatter": False}

_MOUNT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$PWD"
cd "$PWD"
git init -q .
exec "$@"
"""

Entry = tuple[str, int, bytes | str]
"""What lies at a path: kind, permission bits, and the content or where a link leads."""


@dataclass(frozen=True)
class Played:
    """What came of one case on one side.

    Args:
        answers: one for each call.
        files: what the case's folder held afterwards, by path.
    """

    answers: tuple[Answer, ...]
    files: Mapping[str, Entry]


class Side:
    """One OpenCode process, and the tree its tools act on.

    Args:
        name: what it is called in failures.
        serve: the process.
        work: the workdir as the tools see it.
        tree: the workdir as this process sees it.
    """

    def __init__(self, name: str, serve: OpenCodeServe, work: Path, tree: Path) -> None:
        self.name = name
        self._serve = serve
        self._work = work
        self._tree = tree
        self.calls = 0

    def play(self, cases: Sequence[Case]) -> dict[str, Played]:
        """Play cases; returns what came of each, by id."""
        done: dict[str, Played] = {}
        for model in (MODEL_ID, PATCH_MODEL):
            alike = [case for case in cases if case.patches == (model == PATCH_MODEL)]
            for start in range(0, len(alike), AT_ONCE):
                done |= self._play(alike[start : start + AT_ONCE], model)
        return done

    def _play(self, cases: Sequence[Case], model: str) -> dict[str, Played]:
        answers: dict[str, list[Answer]] = {case.id: [] for case in cases}
        for case in cases:
            case.fill(self._tree / case.id)
        session = self._serve.session()
        for number in range(max(len(case.steps) for case in cases)):
            playing = [case for case in cases if number < len(case.steps)]
            wanted = [self._call(case, number, answers[case.id]) for case in playing]
            uses = self._serve.message(session, [calls(*wanted), say("done")], model=model)
            self.calls += len(wanted)
            assert len(uses) == len(wanted), (self.name, [case.id for case in playing], uses)
            told = self._serve.model.requests[-1].tool_results[-len(wanted) :]
            for case, use, text in zip(playing, uses, told, strict=True):
                answers[case.id].append(_answer(use, text))
        return {case.id: Played(tuple(answers[case.id]), _files(self._tree / case.id)) for case in cases}

    def _call(self, case: Case, number: int, so_far: Sequence[Answer]) -> ToolCall:
        step = case.steps[number]
        arguments = step.arguments(so_far) if callable(step.arguments) else step.arguments
        return ToolCall(step.tool, placed(arguments, str(self._work / case.id), case.id))


@contextmanager
def builtin_side(folder: Path, work: Path) -> Iterator[Side]:
    """OpenCode with its own tools.

    Args:
        folder: an empty folder for OpenCode's own files.
        work: an empty folder, the path of the workdir.
    """
    need_root("mount a work folder that only OpenCode sees")
    launcher = [need("unshare"), "-m", need("env"), "-C", str(work), f"PWD={work}", "sh", "-c", _MOUNT, "sh"]
    home = OpenCodeHome(folder, opencode_binary(), CONFIG)
    with OpenCodeServe(home, launcher=[*launcher, str(home.binary)], folder=work) as serve:
        yield Side("built-in", serve, work, Path(f"/proc/{serve.process.pid}/root{work}"))


@contextmanager
def our_side(folder: Path, work: Path, server: SshServer) -> Iterator[Side]:
    """OpenCode with our plugin.

    Args:
        folder: an empty folder for OpenCode's own files.
        work: the path of the workdir, a file system of the server's own.
        server: an sshd that hides `work`.
    """
    subprocess.run([need("nsenter"), "-m", "-t", str(server.pid), "git", "init", "-q", str(work)], check=True)
    settings = {"REMOTE_SSH": server.ssh_command, "REMOTE_WORKDIR": str(work)}
    home = OpenCodeHome(folder, opencode_binary(), CONFIG, environment=settings)
    with OpenCodeServe(home, launcher=[sys.executable, "-m", "pybridge", "launch", "--"]) as serve:
        yield Side("ours", serve, work, Path(f"/proc/{server.pid}/root{work}"))


def _answer(use: ToolUse, told: str) -> Answer:
    attachments = [{k: v for k, v in item.items() if not k.lower().endswith("id")} for item in use.attachments]
    return Answer(use.status, use.text, use.title, use.metadata, attachments, told)


def _files(folder: Path) -> dict[str, Entry]:
    return {str(path.relative_to(folder)): _entry(path) for path in sorted(folder.rglob("*"))}


def _entry(path: Path) -> Entry:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "link", 0, str(path.readlink())
    if stat.S_ISREG(mode):
        return "file", stat.S_IMODE(mode), path.read_bytes()
    return "folder" if stat.S_ISDIR(mode) else "special", stat.S_IMODE(mode), b""
