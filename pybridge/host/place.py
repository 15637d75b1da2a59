"""The folder worked in: resolved on the remote, with the git work tree around it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from pybridge.errors import FileMissingError, FilePermissionError, NotDirectoryError, ProtocolError
from pybridge.host.facts import Facts
from pybridge.host.framing import decode_text, quote

_STATES = ("ok", "missing", "file", "denied")
_LONGEST_PATH = 65536


@dataclass(frozen=True)
class Place:
    """The folder worked in.

    Args:
        asked: as the user wrote it, made absolute.
        workdir: with symlinks resolved.
        worktree: the top level of the git work tree it lies in, else the workdir itself.
        state: "ok", or why it cannot be used: "missing", "file", "denied".
        git: it lies in a git work tree.
    """

    asked: str
    workdir: str
    worktree: str
    state: str
    git: bool = False

    def check(self) -> None:
        """Raise unless the folder can be worked in.

        Raises:
            FileMissingError, NotDirectoryError, FilePermissionError: as `state` says.
        """
        step = "Set REMOTE_WORKDIR to a folder that exists there, or create it first."
        match self.state:
            case "missing":
                raise FileMissingError(
                    f"The folder {self.asked} does not exist on the remote.", path=self.asked, next_step=step
                )
            case "file":
                raise NotDirectoryError(f"{self.asked} is not a folder on the remote.", path=self.asked, next_step=step)
            case "denied":
                raise FilePermissionError(
                    f"The remote user may not enter the folder {self.asked}.",
                    path=self.asked,
                    next_step="Set REMOTE_WORKDIR to a folder this user may enter.",
                )


def expand(path: str, home: str) -> str:
    """`path` as an absolute path: `~` and relative paths start at the home folder."""
    if path == "~":
        return home
    if path.startswith("~/"):
        path = path[2:]
    return posixpath.normpath(posixpath.join(home, path)) if not path.startswith("/") else posixpath.normpath(path)


def place_script(workdir: str | None) -> str:
    """Resolves the folder to work in and finds the git work tree above it: STATE NUL REAL NUL WORKTREE NUL.

    The work tree is found as git finds it, without git and whatever GIT_DIR says: a `.git` folder that holds no
    repository is passed by; a `.git` file (linked work tree, submodule) that leads to none ends the search.
    """
    word = quote(workdir or "~")
    return f"""
pb_w={word} pb_h=${{HOME:-/}}
case $pb_w in
'~') pb_w=$pb_h ;;
'~/'*) pb_w=${{pb_h%/}}/${{pb_w#'~/'}} ;;
/*) ;;
*) pb_w=${{pb_h%/}}/$pb_w ;;
esac
pb_s=ok pb_r=$pb_w pb_t=
if [ ! -e "$pb_w" ]; then pb_s=missing
elif [ ! -d "$pb_w" ]; then pb_s=file
elif pb_r=$(cd "$pb_w" 2>/dev/null && pwd -P && printf x); then
pb_r=${{pb_r%?x}} pb_a=$pb_r
while :; do
pb_a=${{pb_a%/}} pb_g=$pb_a/.git
if [ -f "$pb_g" ]; then
pb_l=
read -r pb_l 2>/dev/null < "$pb_g"
case $pb_l in
'gitdir: /'*) [ -e "${{pb_l#gitdir: }}/HEAD" ] && pb_t=${{pb_a:-/}} ;;
'gitdir: '*) [ -e "$pb_a/${{pb_l#gitdir: }}/HEAD" ] && pb_t=${{pb_a:-/}} ;;
esac
break
fi
if [ -d "$pb_g/objects" ] && [ -d "$pb_g/refs" ] && {{ [ -e "$pb_g/HEAD" ] || [ -h "$pb_g/HEAD" ]; }}; then
pb_t=${{pb_a:-/}}
break
fi
[ -n "$pb_a" ] || break
pb_a=${{pb_a%/*}}
done
else pb_s=denied pb_r=$pb_w
fi
printf '%s\\000%s\\000%s\\000' "$pb_s" "$pb_r" "$pb_t"
"""


def parse_place(output: bytes, facts: Facts, workdir: str | None) -> Place:
    """A Place from the script's output.

    Raises:
        ProtocolError: what it names is not what `pwd -P` prints.
    """
    asked = expand(workdir or "~", facts.home)
    fields = output.split(b"\0")
    if len(fields) < 4:
        return Place(asked, asked, asked, "missing")
    state, real, worktree = (decode_text(field) for field in fields[:3])
    if state not in _STATES or (state == "ok" and not _is_real(real)):
        raise ProtocolError("the remote answered something unreadable about the folder to work in")
    if worktree and not (_is_real(worktree) and (real + "/").startswith(worktree.rstrip("/") + "/")):
        worktree = ""
    return Place(asked, real, worktree or real, state, git=bool(worktree))


def _is_real(path: str) -> bool:
    """Whether it may be a path with symlinks resolved: it names local folders too."""
    return path.startswith("/") and len(path) <= _LONGEST_PATH and not {".", ".."} & set(path.split("/"))
