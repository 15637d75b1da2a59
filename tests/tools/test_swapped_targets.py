"""A target that becomes something else between the look at it and the change: told, and not written (law 3)."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pybridge.errors import PermissionRejectedError, RemoteError
from tests.kit.figures import tell
from tests.kit.sshd import SshServer
from tests.tools.kit import Ask, Call
from tests.tools.opened import Opened, opened, records

HELD = "one\ntwo\n"


def patch(*lines: str) -> dict[str, str]:
    return {"patchText": "\n".join(["*** Begin Patch", *lines, "*** End Patch"])}


CHANGES: dict[str, tuple[str, dict[str, str]]] = {
    "write": ("write", {"filePath": "sub/f", "content": "mine\n"}),
    "edit": ("edit", {"filePath": "sub/f", "oldString": "one", "newString": "1"}),
    "update": ("apply_patch", patch("*** Update File: sub/f", "@@", "-one", "+1", " two")),
    "delete": ("apply_patch", patch("*** Delete File: sub/f")),
    "move": (
        "apply_patch",
        patch("*** Update File: sub/f", "*** Move to: sub/moved", "@@", "-one", "+1", " two"),
    ),
    "several": (
        "apply_patch",
        patch(
            "*** Add File: n/new", "+x", "*** Update File: g", "@@", "-one", "+1", " two", "*** Delete File: h",
            "*** Update File: sub/f", "@@", "-one", "+1", " two",
        ),
    ),
}  # fmt: skip


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "theirs").write_text(HELD)


def become_link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def become_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_folder(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("a file now")


def link_folder(path: Path) -> None:
    """The folder becomes a symlink to one that holds the same."""
    path.parent.rename(path.parents[1] / "elsewhere")
    path.parent.symlink_to("elsewhere")


def link_outside(path: Path) -> None:
    become_link(path, str(path.parents[2] / "outside" / "f"))


SWAPS: dict[str, Callable[[Path], object]] = {
    "removed": lambda path: path.unlink(),
    "rewritten": lambda path: path.write_text("else\n"),
    "a folder": become_folder,
    "a FIFO": become_fifo,
    "a dangling symlink": lambda path: become_link(path, "nowhere"),
    "a symlink in a circle": lambda path: become_link(path, "f"),
    "a symlink to a file that holds the same": lambda path: become_link(path, "../g"),
    "a symlink to such a file outside": link_outside,
    "its folder removed": lambda path: shutil.rmtree(path.parent),
    "its folder renamed": lambda path: path.parent.rename(path.parents[1] / "renamed"),
    "its folder a file": replace_folder,
    "its folder a symlink": link_folder,
}
ASKED_AGAIN = {
    "a symlink to a file that holds the same", "a symlink to such a file outside", "its folder a symlink"
}  # fmt: skip


ASKED = frozenset({"edit", "external_directory"})
Seen = dict[str, tuple[object, ...]]


def seen(folder: Path) -> Seen:
    """Everything below a folder: kind, mode, inode, and content or what a symlink says."""
    found: Seen = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        what = path.readlink() if path.is_symlink() else path.read_bytes() if stat.S_ISREG(state.st_mode) else None
        found[str(path.relative_to(folder))] = (state.st_mode, state.st_ino, what)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a test; local files of ours go to another one."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "local"))
    (tmp_path / "local").mkdir()
    (tmp_path / "remote").mkdir()
    return tmp_path / "remote"


@pytest.fixture
async def remote(openssh: SshServer, folder: Path) -> AsyncIterator[Opened]:
    """A session; each case works in a folder of its own below its workdir."""
    async with opened(openssh.ssh_command, folder) as remote:
        yield remote


def lay_out(folder: Path) -> None:
    (folder / "w/sub").mkdir(parents=True)
    (folder / "outside").mkdir()
    for name in ("w/sub/f", "w/g", "w/h", "outside/f"):
        (folder / name).write_text(HELD)


def below(folder: Path, args: dict[str, str]) -> dict[str, str]:
    """The arguments, with paths below a folder."""
    args = dict(args)
    if "filePath" in args:
        args["filePath"] = f"{folder}/{args['filePath']}"
    for word in ("File: ", "Move to: "):
        if "patchText" in args:
            args["patchText"] = args["patchText"].replace(word, f"{word}{folder}/")
    return args


class Meanwhile(Call):
    """A call during whose first question about an edit something happens. That one is allowed, further ones refused."""

    def __init__(self, happens: Callable[[], object], *, refuse: frozenset[str] = ASKED) -> None:
        super().__init__(on_ask=self._asked)
        self._happens, self._refuse_then = happens, refuse
        self._refused: frozenset[str] = frozenset()

    def _asked(self, ask: Ask) -> None:
        if ask.permission in self._refused:
            raise PermissionRejectedError("refused the second time")
        if ask.permission == "edit" and not self._refused:
            self._happens()
            self._refused = self._refuse_then


QUICK = ("edit", "several")


@pytest.mark.parametrize(
    "change", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.whole]) for name in CHANGES]
)
async def test_law3_a_target_replaced_while_the_permission_is_asked_is_not_written(
    request: pytest.FixtureRequest, remote: Opened, folder: Path, change: str
) -> None:
    wrong: list[str] = []
    tool, args = CHANGES[change]
    for number, (swap, become) in enumerate(SWAPS.items()):
        case = folder / str(number)
        lay_out(case)
        after: list[Seen] = []

        def happens(case: Path = case, become: Callable[[Path], object] = become, after: list[Seen] = after) -> None:
            become(case / "w/sub/f")
            after.append(seen(case))

        try:
            await remote(tool, Meanwhile(happens), **below(case / "w", args))
            wrong.append(f"{swap}: it was made")
        except PermissionRejectedError:
            if swap not in ASKED_AGAIN and (change, swap) != ("delete", "rewritten"):
                wrong.append(f"{swap}: asked again")
        except RemoteError as error:
            if error.next_step is None and "again" not in str(error):
                wrong.append(f"{swap}: no way on in {error!r}")
        if [seen(case)] != after:
            wrong.append(f"{swap}: {sorted(set(seen(case).items()) ^ set(after[0].items()))}")
    if records().pending():
        wrong.append("records are left")
    await remote("write", filePath=f"{folder}/next", content="works\n")
    assert (folder / "next").read_text() == "works\n"
    tell(request, "hostile conditions", "target swapped while the permission is asked", len(SWAPS), len(wrong))
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("change", ["edit", "update"])
async def test_law3_a_change_that_would_now_go_outside_is_asked_for_as_such(
    remote: Opened, folder: Path, change: str
) -> None:
    lay_out(folder)
    tool, args = CHANGES[change]
    context = Meanwhile(lambda: link_outside(folder / "w/sub/f"), refuse=frozenset())
    remote.session.workdir = remote.session.worktree = f"{folder}/w"
    await remote(tool, context, **below(folder / "w", args))
    assert [ask.permission for ask in context.asks] == ["edit", "external_directory", "edit"]
    assert (folder / "outside/f").read_text() == "1\ntwo\n"
    assert (folder / "w/sub/f").is_symlink()
