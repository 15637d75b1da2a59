"""Matching lines without ripgrep: find chooses the files nearly, the remote's grep searches, the exact rules decide.

The consumer (`head`) ends after enough lines; each batch of files first sends a NUL, so a batch that starts after that
is killed by SIGPIPE before it searches anything.
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
from pybridge.host.search.ignore_files import IgnoreFiles, collect
from pybridge.host.search.ignore_rules import Visibility
from pybridge.host.search.regex_dialect import Dialect, GrepPattern, translate
from pybridge.host.search.remote import Facts, SearchScript, quote

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of matches taken from the remote."""

LINE_LIMIT = 20_000
"""Bytes kept of a matching line, path included: far more than is ever shown."""

_MOST_DIGITS = 18

MANY_LINES = 5_000
"""Matching lines taken where the remote shows more files than the exact rules would."""

# GNU: PATH NUL NUMBER:TEXT. Text is told from binary in the C locale (NUL only), then read in UTF-8 whatever it holds.
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
else find . @TESTS@ -exec sh -c 'printf "\000"
grep -slIZ "" -- "$@" | LC_ALL=$L xargs -0 -r grep "-asnHZ$D@FLAGS@" -m @EACH@ -e "$A" -- |
cut -b 1-@LINE@' sh {} + 2>/dev/null | head -n @LINES@
fi
"""

# Any other grep: NUL marker PATH NUL, then NUMBER:TEXT lines. Names that hold a newline cannot be listed by `-l`.
# (busybox's find forgets an `-exec ... +` inside parentheses, so there is one, outside of any.)
_PLAIN = r"""
@EXTENDED@
N='
'
export D A M N
printf '' | grep "-$D@FLAGS@" -e "$A"
[ $? -le 1 ] || refuse pattern
one='one() {
printf "\000%s%s\000" "$M" "$1"
grep "-sn$D@FLAGS@" -e "$A" -- "$1" </dev/null | head -n @EACH@ | cut -b 1-@LINE@
}
text() { [ "$(tr -cd "\000" <"$1" | head -c 1 | wc -c)" -eq 0 ]; }
'
if [ "$F" != . ]; then eval "$one"; one "$F"
else find . @TESTS@ -exec sh -c "$one"'printf "\000"
case "$*" in
*"$N"*) for f do if grep "-sq$D@FLAGS@" -e "$A" -- "$f" && text "$f"; then one "$f"; fi; done ;;
*) grep "-sl$D@FLAGS@" -e "$A" -- "$@" | while IFS= read -r f; do if text "$f"; then one "$f"; fi; done ;;
esac' sh {} + 2>/dev/null |
head -n @LINES@
fi
"""


async def grep_with_find(
    script: SearchScript, facts: Facts, pattern: str, include: str | None, limit: int
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
    known = IgnoreFiles(b"/") if include in EVERYTHING else await collect(script, facts)
    visibility = known.visibility(override=override, hidden=True)
    tests = await asyncio.to_thread(file_tests, visibility)
    lines = limit + 1 if tests.exact else max(MANY_LINES, 20 * limit)
    fill = {
        "PCRE": quote(perl.text),
        "EXTENDED_IF_NO_PCRE": _extended(extended),
        "EXTENDED": _extended(extended),
        "FLAGS": "i" if perl.ignore_case else "",
        "TESTS": tests.text,
        "EACH": str(limit + 1),
        "LINES": str(lines),
        "LINE": str(LINE_LIMIT),
    }
    body = _GNU if facts.grep_gnu and "xargs" in facts.tools else _PLAIN
    output = await script.run(_filled(body, fill), max_bytes=MAX_BYTES)
    if isinstance(extended, SearchError) and script.reports(output, "dialect"):
        raise extended
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
        records += [(path, line) for line in lines.split(b"\n")[:-1]]
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
