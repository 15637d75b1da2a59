"""Collecting the remote's ignore files: what `ignore_rules` needs to know of a tree.

They are kept from one search to the next. While the next one is under way, the remote goes through the tree's ignore
files again and tells their checksum: where it is the same, the search was made by the rules that hold, in one round
trip. Otherwise its answer is thrown away, and it is made again by the rules as they are now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pybridge.host.search.ignore_rules import IgnoreFile, RuleSource, Visibility, join
from pybridge.host.search.remote import Facts, SearchScript

MAX_BYTES = 4 * 1024 * 1024
"""Ignore files beyond this many bytes in all are not read: the search then shows more than ripgrep would."""

MOST_RULES = 20_000
"""Rules after which no further ignore file is read."""

_NAMES = {b".rgignore": RuleSource.RGIGNORE, b".ignore": RuleSource.IGNORE, b".gitignore": RuleSource.GITIGNORE}

# Each item is NUL marker KIND NUL path NUL content; contents may hold anything but the marker.
_GATHER = r"""
part() { printf '\000%s%s\000%s\000' "$M" "$1" "$2"; }
gather() {
[ "$F" = . ] || return 0
part root "$(pwd -P; echo .)"
D=$(pwd -P; echo .); D=${D%??}; D=${D%/}
while [ -n "$D" ]; do
  D=${D%/*}
  if [ -e "$D/.git" ]; then part git "$D/"; fi
  for N in .gitignore .ignore .rgignore; do
    if [ -f "$D/$N" ]; then part rules "$D/$N"; cat "$D/$N"; fi
  done
  if [ -f "$D/.git/info/exclude" ]; then part exclude "$D/"; cat "$D/.git/info/exclude"; fi
done 2>/dev/null
G=
@GIT@
if [ -z "$G" ]; then G=${XDG_CONFIG_HOME:-$HOME/.config}/git/ignore; fi
if [ -f "$G" ]; then part everywhere "$G"; cat "$G" 2>/dev/null; fi
find . \( -type d -o -type f \) -name .git -prune -exec sh -c 'M=$1; shift
for f do printf "\000%sgit\000%s\000" "$M" "${f%.git}"
if [ -f "$f/info/exclude" ]; then printf "\000%sexclude\000%s\000" "$M" "${f%.git}"; cat "$f/info/exclude"; fi; done
' sh "$M" {} + -o -type f \( -name .gitignore -o -name .ignore -o -name .rgignore \) -exec sh -c 'M=$1; shift
for f do printf "\000%srules\000%s\000" "$M" "$f"; cat "$f"; done
' sh "$M" {} + 2>/dev/null
}
"""


@dataclass(frozen=True)
class IgnoreFiles:
    """What was found: see `Visibility` for each."""

    root: bytes
    files: tuple[IgnoreFile, ...] = ()
    repositories: frozenset[bytes] = frozenset()
    everywhere: tuple[IgnoreFile, ...] = ()

    def visibility(self, **options) -> Visibility:
        """The rules of a search under these ignore files; `options` are the rest of `Visibility`'s fields."""
        return Visibility(
            self.root, files=self.files, repositories=self.repositories, everywhere=self.everywhere, **options
        )


async def collect(script: SearchScript, facts: Facts) -> tuple[IgnoreFiles, bytes | None]:
    """Read every ignore file that can speak about the tree below the search's root, in one round trip.

    Returns:
        The rules, and what was read, the search's marker left out; None in its place if there was too much to be read.
    """
    output = await script.run(f"{gathering(facts)}gather\n", max_bytes=MAX_BYTES)
    parts = output.stdout.split(b"\0" + script.marker.encode())[1:]
    if output.truncated and parts:
        parts.pop()
    whole = None if output.truncated else output.stdout.replace(b"\0" + script.marker.encode(), b"\0")
    return await asyncio.to_thread(_read, script, parts), whole


def gathering(facts: Facts) -> str:
    """Script text that defines `gather`: it prints every ignore file that matters, each led by `$M`."""
    ask_git = "G=$(git config --path --get core.excludesFile 2>/dev/null)" if facts.git else ""
    return _GATHER.replace("@GIT@", ask_git)


def _read(script: SearchScript, parts: Sequence[bytes]) -> IgnoreFiles:
    root = b"/"
    repositories: set[bytes] = set()
    files: list[IgnoreFile] = []
    everywhere: list[IgnoreFile] = []
    rules = 0
    for part in parts:
        fields = part.split(b"\0", 2)
        if len(fields) < 3 or not script.go_on():
            continue
        kind, path, content = fields
        if kind == b"root":
            root = path[:-2]  # a newline and a dot, which kept the shell from trimming the name
            continue
        path = join(root, path[2:]) if path.startswith(b"./") else path
        folder, _, name = path.rpartition(b"/")
        folder = folder or b"/"
        if kind == b"git":
            repositories.add(folder)
        elif rules > MOST_RULES:
            continue
        elif kind == b"exclude":
            files.append(IgnoreFile.parse(RuleSource.EXCLUDE, folder, content))
        elif kind == b"everywhere":
            everywhere.append(IgnoreFile.parse(RuleSource.GLOBAL, root, content))
        elif name in _NAMES:
            files.append(IgnoreFile.parse(_NAMES[name], folder, content))
            rules += len(files[-1].rules)
    relevant = tuple(file for file in files if file.rules)
    return IgnoreFiles(root, relevant, frozenset(repositories), tuple(everywhere))
