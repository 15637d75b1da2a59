"""Matching lines without ripgrep: find chooses the files nearly, the remote's grep searches, the exact rules decide.

The consumer (`head`) ends after enough lines, and then whatever writes towards it is killed by SIGPIPE. With GNU's grep
several processes list the files that match, and one prints their lines; with another each batch of files first sends
a NUL, so one that starts after the end is killed before it searches anything.
"""

from __future__ import annotations

import asyncio
import re

from pybridge.errors import SearchError
from pybridge.host.glob_pattern import GlobSyntaxError
from pybridge.host.ignore_line import IgnoreLine
from pybridge.host.model import GrepResult, Match
from pybridge.host.search.find_tests import file_tests
from pybridge.host.search.glob import EVERYTHING
from pybridge.host.search.held_rules import HeldRules, Rules
from pybridge.host.search.ignore_files import IgnoreFiles
from pybridge.host.search.ignore_rules import Visibility
from pybridge.host.search.regex_dialect import Dialect, GrepPattern, translate
from pybridge.host.search.remote import Facts, SearchScript, quote

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of matches taken from the remote."""

LINE_LIMIT = 20_000
"""Bytes kept of a matching line, path included: far more than is ever shown."""

AT_ONCE = 4
"""How many greps go through files side by side, where xargs can do that."""

FILES = 200
"""Files that match, after which the first of them are printed: each has a line at least."""

_MOST_DIGITS = 18

MANY_LINES = 5_000
"""Matching lines taken where the remote shows more files than the exact rules would."""

# GNU: PATH NUL NUMBER:TEXT. Text is told from binary by the first look at a file (`-I`, which is about NUL alone where
# only names are listed), then read in UTF-8 whatever it holds (`-a`). Line-buffered, a name is one write of at most
# PIPE_BUF bytes, so the names that several greps list do not get mixed.
_GNU = r"""
for L in C.UTF-8 C.utf8 en_US.UTF-8 en_US.utf8 C; do
  if [ "$(LC_ALL=$L locale charmap 2>/dev/null)" = UTF-8 ]; then break; fi
done
if printf 'x\n' | LC_ALL=$L grep -qP '(*UCP)x' 2>/dev/null; then
  D=P; A=@PCRE@
else @EXTENDED_IF_NO_PCRE@; L=C; fi
export L D A M
printf '' | LC_ALL=$L grep "-$D@FLAGS@" -e "$A"
[ $? -le 1 ] || refuse pattern
if [ "$F" != . ]; then LC_ALL=$L grep "-asnHZ$D@FLAGS@" -m @EACH@ -e "$A" -- "$F" | cut -b 1-@LINE@
else
P=; if echo x | xargs -P 2 true 2>/dev/null; then P="-P @AT_ONCE@"; fi
find . @TESTS@ @LIST@ 2>/dev/null |
LC_ALL=$L xargs -0 -r $P grep --line-buffered "-slIZ$D@FLAGS@" -e "$A" -- 2>/dev/null |
LC_ALL=$L xargs -0 -r -n @FILES@ grep "-asnHZ$D@FLAGS@" -m @EACH@ -e "$A" -- 2>/dev/null |
cut -b 1-@LINE@ | head -n @LINES@
fi
"""

# Any other grep: NUL marker PATH NUL, then NUMBER:TEXT lines; or, for several files at once, NUL marker NUL, then
# PATH:NUMBER:TEXT lines. A name with a newline cannot be listed by `-l`, one with a colon not be told from the number.
# (busybox's find forgets an `-exec ... +` inside parentheses, so there is one, outside of any.)
_PLAIN = r"""
@EXTENDED@
N='
'
export D A M N
printf '' | grep "-$D@FLAGS@" -e "$A"
[ $? -le 1 ] || refuse pattern
C=; if echo x | grep -m 1 x >/dev/null 2>&1; then C="-m @EACH@"; fi
export C
one='one() {
printf "\000%s%s\000" "$M" "$1"
grep "-sn$D@FLAGS@" -e "$A" -- "$1" </dev/null | head -n @EACH@ | cut -b 1-@LINE@
}
text() { [ "$(cat -- "$@" | tr -cd "\000" | head -c 1 | wc -c)" -eq 0 ]; }
each() { for f do if text "$f"; then one "$f"; fi; done; }
some() {
case "$*" in
*:*) each "$@" ;;
*) if text "$@"; then
printf "\000%s\000" "$M"
grep "-sn$D@FLAGS@" $C -e "$A" -- "$@" /dev/null | cut -b 1-@LINE@
else each "$@"; fi ;;
esac
}
'
if [ "$F" != . ]; then eval "$one"; one "$F"
else find . @TESTS@ -exec sh -c "$one"'printf "\000"
case "$*" in
*"$N"*) for f do if grep "-sq$D@FLAGS@" -e "$A" -- "$f"; then each "$f"; fi; done ;;
*) grep "-sl$D@FLAGS@" -e "$A" -- "$@" | {
set --
while IFS= read -r f; do
set -- "$@" "$f"
if [ $# -ge 25 ]; then some "$@"; set --; fi
done
if [ $# -gt 0 ]; then some "$@"; fi
} ;;
esac' sh {} + 2>/dev/null |
head -n @LINES@
fi
"""


async def grep_with_find(
    script: SearchScript, facts: Facts, held: HeldRules, pattern: str, include: str | None, limit: int
) -> GrepResult:
    """Search with find and grep under ripgrep's rules."""
    override = None
    try:
        override = IgnoreLine.parse(include) if include else None
    except GlobSyntaxError as error:
        raise SearchError(
            f"The include pattern cannot be used: error parsing glob {include!r}: {error}",
            next_step="Correct the pattern.",
        ) from None
    perl = translate(pattern, Dialect.PCRE)
    try:
        extended: GrepPattern | SearchError = translate(pattern, Dialect.EXTENDED)
    except SearchError as error:
        extended = error
        if not facts.grep_gnu:
            raise
    everything = Rules(IgnoreFiles(b"/")) if include in EVERYTHING else None
    body = _GNU if facts.grep_gnu and "xargs" in facts.tools else _PLAIN
    fill = {
        "PCRE": quote(perl.text),
        "EXTENDED_IF_NO_PCRE": _extended(extended),
        "EXTENDED": _extended(extended),
        "FLAGS": "i" if perl.ignore_case else "",
        "EACH": str(limit + 1),
        "AT_ONCE": str(AT_ONCE),
        "LIST": "-print0" if facts.gnu_find else "-exec printf '%s\\000' {} +",
        "FILES": str(FILES),
        "LINE": str(LINE_LIMIT),
    }
    while True:
        rules = everything or await held.take(script)
        visibility = rules.files.visibility(override=override, hidden=True)
        tests = await asyncio.to_thread(file_tests, visibility)
        lines = limit + 1 if tests.exact else max(MANY_LINES, 20 * limit)
        filled = _filled(body, fill | {"TESTS": tests.text, "LINES": str(lines)})
        output = await script.run(held.checked(rules, filled), max_bytes=MAX_BYTES)
        if isinstance(extended, SearchError) and script.reports(output, "dialect"):
            raise extended
        if held.stand(script, rules, output):
            break
    records = _gnu_records(output.stdout) if body is _GNU else _plain_records(output.stdout, script.marker.encode())
    cut = output.truncated or output.stdout.count(b"\n") >= lines
    return await asyncio.to_thread(_result, script, records, visibility, limit, cut)


def _extended(pattern: GrepPattern | SearchError) -> str:
    if isinstance(pattern, SearchError):
        return "printf '%sdialect E\\n' \"$M\" >&2; exit 1"
    return f"D=E; A={quote(pattern.text)}"


def _filled(template: str, values: dict[str, str]) -> str:
    """The template with its `@NAME@`s replaced, in one pass: a value may hold what looks like one."""
    return re.sub(r"@([A-Z_]+)@", lambda name: values[name.group(1)], template)


Record = tuple[bytes, bytes]
"""A path, and a line as `grep -n` prints it: its number, a colon, its text."""


def _gnu_records(output: bytes) -> list[Record]:
    records: list[Record] = []
    at = 0
    while True:
        while output.startswith(b"\0", at):
            at += 1
        path_end = output.find(b"\0", at)
        line_end = output.find(b"\n", path_end) if path_end >= 0 else -1
        if line_end < 0:
            return records
        records.append((output[at:path_end], output[path_end + 1 : line_end]))
        at = line_end + 1


def _plain_records(output: bytes, marker: bytes) -> list[Record]:
    records: list[Record] = []
    for part in output.split(b"\0" + marker)[1:]:
        path, _, lines = part.partition(b"\0")
        for line in lines.split(b"\n")[:-1]:
            if path:
                records.append((path, line))
            else:
                name, _, line = line.partition(b":")
                records.append((name, line))
    return records


def _result(script: SearchScript, records: list[Record], visibility: Visibility, limit: int, cut: bool) -> GrepResult:
    matches: list[Match] = []
    for path, line in records:
        number, colon, text = line.partition(b":")
        if not colon or not number.isdigit() or len(number) > _MOST_DIGITS:
            continue
        if path.startswith(b"./") and script.go_on() and not visibility.shows(path[2:]):
            continue
        shown = text.decode("utf-8", "replace")
        end = "\r\n" if shown.endswith("\r") else "\n"
        matches.append(Match(script.absolute(path), int(number), shown.removesuffix("\r"), end))
        if len(matches) > limit:
            return GrepResult(tuple(matches[:limit]), True)
    return GrepResult(tuple(matches), cut)
