"""Newest first on the remote: from a stream of paths to the few that are asked for, each with its time.

Three ways, by what the remote has, all safe for every name:
- GNU stat: records end in NUL; NUL and newline change places, and the sorting is by lines.
- another stat: its records end in a newline, which names may hold too, so each begins with the search's random marker
  and awk puts them back together, one a line, `%` and newline escaped.
- no stat: `ls -t`, which sorts within one batch of arguments and knows whole seconds; other names come unsorted.

Most of the time goes into asking for each file's time. With GNU's stat and xargs, several at once do that, each for a
batch of files of which it hands on the newest only. What two write into one pipe can get mixed, so each has its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pybridge.host.search.remote import Facts, ScriptOutput, quote

_RECORD = re.compile(rb"\S+ (?:\S+ \S+ )?(\./.*)", re.DOTALL)
"""A time in one word or three, and a path."""

_JOIN = r"""awk -v m="$M" '
function esc(s) { if (index(s, "%")) gsub(/%/, "%25", s); return s }
index($0, m) == 1 { if (n++) print r; r = esc(substr($0, length(m) + 1)); next }
n { r = r "%0A" esc($0) }
END { if (n) print r }'"""


SORT = "sort -k1,1nr -k2"
"""Of records; a script's locale is C."""

AT_ONCE = 4
"""How many batches of files are looked at side by side."""

BATCH = 8_000
"""Files in one, unless their names come to more than `BATCH_BYTES`: fewer cost more in processes than they gain."""

BATCH_BYTES = 1_500_000
"""Linux takes 2 MB of arguments; xargs takes less by itself where less is allowed."""


@dataclass(frozen=True)
class NewestFirst:
    """One way to list files newest first.

    Args:
        find_action: what `find . TESTS` is to do with each file.
        from_paths: a filter that does the same with NUL-terminated paths; None if the remote cannot.
        sort: a filter that brings the newest to the front.
        line_safe: one record is one line, escaped; else NUL and newline have changed places.
        find_rest: what find is to do with the files that `find_action`'s own tests leave out.
        each: prints the record of every path it has as an argument; None where only one batch at a time will do.
    """

    find_action: str
    from_paths: str | None
    sort: str
    line_safe: bool
    find_rest: str | None = None
    each: str | None = None

    def pick(self, source: str, *, count: int | None) -> str:
        """The pipeline from `source` (records) to the newest `count`, or all."""
        return f"{source} | {self.sort}" + ("" if count is None else f" | head -n {count}")

    def pick_of_paths(self, source: str, *, count: int) -> str:
        """The same from NUL-terminated paths."""
        simple = self.pick(f"{source} | {self.from_paths}", count=count)
        if self.each is None:
            return simple
        # Slot S of xargs writes to descriptor 2+S, the first to 7; each sort holds what it got until all are done.
        choose = "".join(f"{slot}) exec >&{slot + 2};; " for slot in range(1, AT_ONCE))
        batch = f'case $S in {choose}esac; {self.each} "$@" 2>/dev/null | {self.sort} | head -n {count}'
        looked = (
            f"{source} | xargs -0 -n {BATCH} -s {BATCH_BYTES} -P {AT_ONCE} --process-slot-var=S "
            f"sh -c {quote(batch)} sh 2>/dev/null"
        )
        for slot in range(1, AT_ONCE):
            looked = f"{{ {looked}; }} {slot + 2}>&1 >&7 | {SORT} >&7"
        return f"""\
if xargs --process-slot-var=S --version >/dev/null 2>&1; then
{{ {looked}; }} 7>&1 | {SORT} | head -n {count}
else
{simple}
fi"""

    def read(self, output: ScriptOutput) -> list[bytes]:
        """The paths (`./...`) in the order they came; a last one that was cut off is left out."""
        lines = output.stdout.split(b"\n")
        lines.pop()  # what follows the last line end: nothing, or half a record
        paths: list[bytes] = []
        for line in lines:
            record = _RECORD.fullmatch(line)
            if record is not None:
                path = record.group(1)
                paths.append(
                    path.replace(b"%0A", b"\n").replace(b"%25", b"%") if self.line_safe else path.replace(b"\0", b"\n")
                )
        return paths


def newest_first(facts: Facts) -> NewestFirst:
    """The best way that the remote's tools allow."""
    swapped = f"tr '\\n\\000' '\\000\\n' | {SORT}"
    xargs = "xargs" in facts.tools
    if facts.stat_gnu:
        stat = "stat --printf '%.9Y %n\\0'"
        action = "-printf '%T@ %p\\0'" if facts.gnu_find else f"-exec {stat} {{}} +"
        from_paths = f"xargs -0 {stat} 2>/dev/null" if xargs else None
        return NewestFirst(action, from_paths, swapped, line_safe=False, each=stat)
    lines = f"{_JOIN} | {SORT}"
    if facts.gnu_find:
        printf = '-printf "$M%T@ %p\\n"'
        again = f"""xargs -0 sh -c 'M=$1; shift; exec find "$@" -prune {printf}' sh "$M" 2>/dev/null"""
        return NewestFirst(printf, again if xargs else None, lines, line_safe=True)
    if facts.stat == "bsd":
        stat = 'stat -f "$M%Fm %N"'
        return NewestFirst(f"-exec {stat} {{}} +", f"xargs -0 {stat} 2>/dev/null" if xargs else None, lines, True)
    if facts.stat == "gnu":
        # busybox tells parts of a second only in its readable form, which sorts as text once it is in one time zone.
        stat = 'env TZ=UTC0 stat -c "$M%y %n"'
        lines = f"{_JOIN} | sort -k1,3r -k4"
        return NewestFirst(f"-exec {stat} {{}} +", f"xargs -0 {stat} 2>/dev/null" if xargs else None, lines, True)
    # `ls -t` sorts within one batch of arguments (hundreds of names at least), and prints only plain names as they are.
    return NewestFirst(
        "! -path '*[! -~]*' -exec ls -1dt {} +",
        None,
        "sed '/^[.]/s/^/0 /'",
        line_safe=False,
        find_rest="""-exec sh -c 'printf "0 %s\\000" "$@" | tr "\\n\\000" "\\000\\n"' sh {} +""",
    )
