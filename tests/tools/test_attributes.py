"""What a file has besides its content stays, whoever changes it with whatever tool on whatever userland (law 2).

The yardstick is what `cat > file` by the same user on the same server leaves: where that keeps something, so do the
tools; where that is refused, so are they. What cannot be kept is stated in `NEEDS_TOOLS`, and nothing else is lost.
"""

from __future__ import annotations

import itertools
import os
import random
import secrets
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.errors import FilePermissionError
from tests.kit.counterparts import need, need_root
from tests.kit.effort import by_effort
from tests.kit.figures import tell
from tests.kit.userlands import Login, described, login, public_folder
from tests.tools.opened import Opened, opened, records

OLD, NEW = "one\ntwo\n", "1\ntwo\n"
STRANGER, STRANGERS = 12345, 23456
LONG_AGO = 1_000_000_000
ELSEWHERE = Path("/dev/shm")


@dataclass(frozen=True)
class Setup:
    """A kind of file.

    Args:
        name: what is special about it.
        make: called with the path of a file that holds OLD and is the user's, and the user's number.
    """

    name: str
    make: Callable[[Path, int], object]


def mode(bits: int) -> Setup:
    return Setup(f"mode {bits:04o}", lambda path, uid: path.chmod(bits))


def owned(path: Path, uid: int, gid: int, bits: int) -> None:
    os.chown(path, uid, gid)
    path.chmod(bits)


def run(*words: str) -> None:
    subprocess.run([need(words[0]), *words[1:]], check=True, capture_output=True)


def linked(*texts: str) -> Callable[[Path, int], None]:
    """The path becomes a symlink, to another one ..., to the file: `{}` is the folder."""

    def make(path: Path, uid: int) -> None:
        target = path.parent / "below" / "real"
        target.parent.mkdir()
        os.chown(target.parent, uid, uid)
        path.rename(target)
        for number, text in enumerate(texts):
            link = path if number == 0 else path.parent / f"link{number}"
            link.symlink_to(text.format(path.parent))

    return make


def on_another_file_system(path: Path, uid: int) -> None:
    target = ELSEWHERE / f"pybridge-{secrets.token_hex(8)}"
    target.write_text(OLD)
    os.chown(target, uid, uid)
    path.unlink()
    path.symlink_to(target)


def in_folder(bits: int, owner: int | None = None, group: int | None = None, then: int = 0o644) -> Callable[..., None]:
    """The folder is of this mode and owner (None: the user), and so is the file, with the mode `then`."""

    def make(path: Path, uid: int) -> None:
        for place, what in ((path, then), (path.parent, bits)):
            owned(place, uid if owner is None else owner, uid if group is None else group, what)

    return make


def with_acl(path: Path, uid: int) -> None:
    run("setfacl", "-m", f"u:{STRANGER}:rw,g:{STRANGERS}:r,m::rw", str(path))


def with_default_acl(path: Path, uid: int) -> None:
    """The folder got default entries after the file was made."""
    run("setfacl", "-d", "-m", f"u:{STRANGER}:rwx", str(path.parent))


def with_attributes(path: Path, uid: int) -> None:
    run("setfattr", "-n", "user.note", "-v", "kept", str(path))
    run("setfattr", "-n", "user.binary", "-v", "0x00ff0a", str(path))


def with_capability(path: Path, uid: int) -> None:
    run("setcap", "cap_net_raw+ep", str(path))


SETUPS = (
    *map(mode, (0o644, 0o600, 0o640, 0o755, 0o666, 0o777, 0o444, 0o400, 0o4755, 0o2755, 0o1644, 0o6711, 0o7777)),
    Setup("a stranger's, all may write", lambda path, uid: owned(path, STRANGER, STRANGERS, 0o666)),
    Setup("a stranger's, only read", lambda path, uid: owned(path, STRANGER, STRANGERS, 0o644)),
    Setup("a stranger's, the group may write", lambda path, uid: owned(path, STRANGER, uid, 0o664)),
    Setup("the user's, of a strange group", lambda path, uid: owned(path, uid, STRANGERS, 0o660)),
    Setup("a stranger's with setuid, all may write", lambda path, uid: owned(path, STRANGER, STRANGERS, 0o4777)),
    Setup("in a folder that is only read", in_folder(0o555)),
    Setup("in a stranger's folder", in_folder(0o755, STRANGER, then=0o666)),
    Setup("a stranger's in a sticky folder", in_folder(0o1777, STRANGER, STRANGERS, then=0o666)),
    Setup("in a setgid folder of a strange group", lambda path, uid: owned(path.parent, uid, STRANGERS, 0o2775)),
    Setup("relative symlink", linked("below/real")),
    Setup("absolute symlink", linked("{}/below/real")),
    Setup("chain of symlinks", linked("link1", "{}/link2", "below/../below/real")),
    Setup("symlink to another file system", on_another_file_system),
    Setup("hard links", lambda path, uid: os.link(path, path.parent / "twin")),
    Setup("ACL entries", with_acl),
    Setup("default ACL entries of the folder", with_default_acl),
    Setup("user attributes", with_attributes),
    Setup("a capability", with_capability),
)

NEEDS_TOOLS = ("ACL entries", "user attributes", "a capability")
"""What nothing there can tell or copy is lost: busybox has no getfacl and no getfattr, and its cp copies no xattrs."""

UPDATE = "*** Begin Patch\n*** Update File: {path}\n{move}@@\n-one\n+1\n two\n*** End Patch"


async def write(remote: Opened, path: Path) -> None:
    await remote("write", filePath=str(path), content=NEW)


async def edit(remote: Opened, path: Path) -> None:
    await remote("edit", filePath=str(path), oldString="one", newString="1")


async def update(remote: Opened, path: Path) -> None:
    await remote("apply_patch", patchText=UPDATE.format(path=path, move=""))


async def move(remote: Opened, path: Path) -> None:
    moved = f"*** Move to: {path.parent}/moved\n"
    await remote("apply_patch", patchText=UPDATE.format(path=path, move=moved))


CHANGES = {"write": write, "edit": edit, "update": update}


USERS = [
    pytest.param(("root", "gnu"), marks=pytest.mark.whole),
    pytest.param(("root", "busybox")),
    pytest.param(("plain", "gnu")),
    pytest.param(("plain", "busybox"), marks=pytest.mark.whole),
]


@pytest.fixture(scope="module", params=USERS, ids="-".join)
def user(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """Each kind of user on each kind of userland."""
    kind, userland = request.param
    with login(tmp_path_factory.mktemp(f"{kind}-{userland}"), kind, userland) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a test; local files of ours go to another one."""
    need_root("give files to others")
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "local"))
    (tmp_path / "local").mkdir(mode=0o700)
    with public_folder() as folder:
        yield folder
        for link in folder.glob("*/f"):
            if link.is_symlink() and link.readlink().parent == ELSEWHERE:
                link.readlink().unlink(missing_ok=True)


def prepare(case: Path, setup: Setup, uid: int) -> Path:
    """A file of the user's in a folder of the user's, made special."""
    case.mkdir()
    path = case / "f"
    path.write_text(OLD)
    for place in (case, path):
        os.chown(place, uid, uid)
    path.chmod(0o644)
    case.chmod(0o755)
    setup.make(path, uid)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


async def plainly(remote: Opened, cases: list[Path], command: str) -> list[bool]:
    """What a plain shell command does in the folder of each case: did it succeed?"""
    names = " ".join(shlex.quote(str(case)) for case in cases)
    command = f"cd {shlex.quote(remote.folder)}; for d in {names}; do (cd $d && {command}) 2>/dev/null; echo $?; done"
    return [word == "0" for word in (await remote("bash", command=command)).output.split()]


def sample(cases: list[tuple[Setup, str]], seed: str) -> list[tuple[Setup, str]]:
    """All of them, or as many as there is time for."""
    return by_effort(
        random.Random(seed).sample(cases, 5), random.Random(seed).sample(cases, min(len(cases), 40)), cases
    )


async def test_law2_what_a_file_has_besides_its_content_stays(
    request: pytest.FixtureRequest, user: Login, folder: Path
) -> None:
    wrong: list[str] = []
    cases = sample(list(itertools.product(SETUPS, CHANGES)), f"changes {user.uid} {user.gnu}")
    async with opened(user.ssh_command, folder) as remote:
        (folder / "new").write_text(NEW)
        yardsticks = [prepare(folder / f"{n}-cat", setup, user.uid) for n, (setup, _) in enumerate(cases)]
        possible = await plainly(remote, [path.parent for path in yardsticks], "cat ../new > f")
        for number, (setup, change) in enumerate(cases):
            path, yardstick = prepare(folder / f"{number}-ours", setup, user.uid), described(yardsticks[number])
            before, said = described(path), path.readlink() if path.is_symlink() else None
            try:
                await CHANGES[change](remote, path)
                made = True
            except FilePermissionError:
                made = False
            after, held = described(path), path.read_text()
            lost = {key for key in after if after[key] not in (before[key], yardstick[key])}
            if setup.name in NEEDS_TOOLS and not user.gnu:
                lost -= {"acl", "attributes", "mode"}
            complaints = [
                f"made: {made}, cat: {possible[number]}" if made != possible[number] else "",
                f"lost {[(key, before[key], after[key], yardstick[key]) for key in sorted(lost)]}" if lost else "",
                f"holds {held!r}" if held != (NEW if made else OLD) else "",
                "another symlink" if said != (path.readlink() if path.is_symlink() else None) else "",
                "changed although refused" if not made and after != before else "",
                "modified long ago" if made and path.stat().st_mtime == LONG_AGO else "",
                "the twin differs" if (path.parent / "twin").exists() and twin(path) != held else "",
                f"left {names}" if (names := left_in(path.parent)) else "",
            ]
            wrong += [f"{setup.name}, {change}: {complaint}" for complaint in complaints if complaint]
        await remote("write", filePath="next", content="works\n")
    assert records().pending() == []
    tell(request, "attributes", f"changes, {request.node.callspec.id}", len(cases), len(wrong))
    assert wrong == [], "\n".join(wrong)


async def test_law2_a_moved_file_takes_its_mode_along_and_nothing_else_is_touched(
    request: pytest.FixtureRequest, user: Login, folder: Path
) -> None:
    wrong: list[str] = []
    cases = sample([(setup, "move") for setup in SETUPS], f"moves {user.uid} {user.gnu}")
    async with opened(user.ssh_command, folder) as remote:
        yardsticks = [prepare(folder / f"{n}-cat", setup, user.uid) for n, (setup, _) in enumerate(cases)]
        possible = await plainly(remote, [path.parent for path in yardsticks], "cat f > moved && rm f")
        for number, (setup, _) in enumerate(cases):
            path = prepare(folder / f"{number}-ours", setup, user.uid)
            before, real, why = described(path), path.resolve(), None
            moved, like = path.parent / "moved", yardsticks[number].parent / "moved"
            try:
                await move(remote, path)
                made = True
            except FilePermissionError as error:
                made, why = False, error
            complaints = [f"made: {made}, plainly: {possible[number]}; {why}" if made != possible[number] else ""]
            if made and like.exists():
                new, yardstick = described(moved), described(like)
                kept = f"{int(str(before['mode']), 8) & 0o777:o}"
                complaints += [
                    f"mode {new['mode']}, not {kept}" if new["mode"] != kept else "",
                    "another owner or group"
                    if any(new[k] != yardstick[k] for k in ("owner", "group", "links"))
                    else "",
                    f"holds {moved.read_text()!r}" if moved.read_text() != NEW else "",
                    "the old name is there" if path.is_symlink() or path.exists() else "",
                    "what the symlink led to was changed" if real != path and real.read_text() != OLD else "",
                    "the twin was changed" if (path.parent / "twin").exists() and twin(path) != OLD else "",
                ]
            elif not made:
                complaints += [
                    "moved although refused" if moved.exists() else "",
                    "changed although refused" if described(path) != before or path.read_text() != OLD else "",
                ]
            complaints.append(f"left {names}" if (names := left_in(path.parent)) else "")
            wrong += [f"{setup.name}: {complaint}" for complaint in complaints if complaint]
    assert records().pending() == []
    tell(request, "attributes", f"moves, {request.node.callspec.id}", len(cases), len(wrong))
    assert wrong == [], "\n".join(wrong)


def twin(path: Path) -> str:
    return (path.parent / "twin").read_text()


def left_in(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob(".pybridge-*")]


def default_acl(path: Path, uid: int) -> None:
    with_default_acl(path, uid)
    run("setfacl", "-d", "-m", f"g:{STRANGERS}:r-x,o::---", str(path.parent))


def default_acl_and_setgid(path: Path, uid: int) -> None:
    owned(path.parent, uid, STRANGERS, 0o2775)
    default_acl(path, uid)


FOLDERS = (
    Setup("a plain folder", lambda path, uid: None),
    Setup("a folder all may write to", in_folder(0o777)),
    Setup("a setgid folder of a strange group", lambda path, uid: owned(path.parent, uid, STRANGERS, 0o2775)),
    Setup("a setgid folder of a stranger's", lambda path, uid: owned(path.parent, STRANGER, STRANGERS, 0o2777)),
    Setup("a sticky folder of a stranger's", lambda path, uid: owned(path.parent, STRANGER, STRANGERS, 0o1777)),
    Setup("a folder that is only read", in_folder(0o555)),
    Setup("a folder with default ACL entries", default_acl),
    Setup("a setgid folder with default ACL entries", default_acl_and_setgid),
)


async def create(remote: Opened, path: Path) -> None:
    await remote("write", filePath=str(path), content=NEW)


async def create_much(remote: Opened, path: Path) -> None:
    await remote("write", filePath=str(path), content=NEW * 100_000)


async def edit_into_being(remote: Opened, path: Path) -> None:
    await remote("edit", filePath=str(path), oldString="", newString=NEW)


async def add(remote: Opened, path: Path) -> None:
    await remote("apply_patch", patchText=f"*** Begin Patch\n*** Add File: {path}\n+1\n+two\n*** End Patch")


CREATIONS = {"write": create, "write much": create_much, "edit": edit_into_being, "add": add}


async def test_law2_a_new_file_is_as_if_it_had_been_made_there(
    request: pytest.FixtureRequest, user: Login, folder: Path
) -> None:
    wrong: list[str] = []
    cases = sample(list(itertools.product(FOLDERS, CREATIONS)), f"creations {user.uid} {user.gnu}")
    async with opened(user.ssh_command, folder) as remote:
        yardsticks = [prepare(folder / f"{n}-cat", setup, user.uid) for n, (setup, _) in enumerate(cases)]
        plain = "echo x > new && mkdir -p a/b && echo x > a/b/new"
        possible = await plainly(remote, [path.parent for path in yardsticks], plain)
        for number, (setup, change) in enumerate(cases):
            ours, theirs = prepare(folder / f"{number}-ours", setup, user.uid).parent, yardsticks[number].parent
            for name in ("new", "a/b/new"):
                why: Exception | None = None
                try:
                    await CREATIONS[change](remote, ours / name)
                    made = True
                except FilePermissionError as error:
                    made, why = False, error
                if made != possible[number]:
                    wrong.append(f"{setup.name}, {change} {name}: made: {made}, plainly: {possible[number]}; {why}")
            for name in ("new", "a", "a/b", "a/b/new"):
                if not (ours / name).exists():
                    continue
                one, other = described(ours / name), described(theirs / name)
                differing = [(key, one[key], other[key]) for key in one if one[key] != other[key]]
                if differing:
                    wrong.append(f"{setup.name}, {change} {name}: {differing}")
            if left_in(ours):
                wrong.append(f"{setup.name}, {change}: left {left_in(ours)}")
    assert records().pending() == []
    tell(request, "attributes", f"new files, {request.node.callspec.id}", len(cases), len(wrong))
    assert wrong == [], "\n".join(wrong)
