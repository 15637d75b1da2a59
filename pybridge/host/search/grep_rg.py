"""Matching lines with ripgrep.

ripgrep's `--json` output is documented in its `grep_printer::JSON`: one object a line, text as `{"text": ...}` or, when
it is not UTF-8, as `{"bytes": BASE64}`.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from pybridge.errors import SearchError
from pybridge.host.model import GrepResult, Match
from pybridge.host.search.remote import Facts, SearchScript, quote

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of matches taken from the remote."""

_MOST_SHOWN = 200

RECORD_LIMIT = 65_536
"""A longer record (one match in a minified file may be megabytes) is cut on the remote."""

RECORD_KEPT = 40_000
"""Bytes kept of a record that is cut: whatever the path is, far more of the line than is ever shown."""

# Ends with code 7 once there are `most` matches; a record that is cut is led by its line number. grep counts too,
# because mawk waits for 4096 bytes before it looks at any. (A grep without -m leaves the counting to awk.)
_CUT = r"""grep $C '^{"type":"match"' | awk -v most=@MOST@ '
index($0, "{\"type\":\"match\"") != 1 { next }
length($0) > @LIMIT@ && match($0, /"},"line_number":[0-9]+,/) {
  print substr($0, RSTART + 17, RLENGTH - 18) " " substr($0, 1, @KEPT@); if (++n >= most) exit 7; next }
{ print; if (++n >= most) exit 7 }'"""


async def grep_with_rg(script: SearchScript, facts: Facts, pattern: str, include: str | None, limit: int) -> GrepResult:
    """Let ripgrep search, and kill it as soon as there is one match more than `limit`."""
    rg = [
        quote(facts.rg or "rg"),
        f"--no-config --json --hidden --no-messages --max-count={limit + 1}",
        f"--glob={quote(include)}" if include else "",
        f"'--glob=!**/.git/**' --regexp={quote(pattern)} --",
    ]
    if "awk" in facts.tools:
        cut = _CUT.replace("@MOST@", str(limit + 1)).replace("@LIMIT@", str(RECORD_LIMIT))
        cut = cut.replace("@KEPT@", str(RECORD_KEPT))
    else:
        cut = "cat"
    # The first line is the process to kill once there are enough matches: it may go on for long without another one.
    body = f"""\
{{ sh -c 'echo $$; exec "$@"' sh {" ".join(rg)} "$F" </dev/null; printf '%scode %s\\n' "$M" "$?" >&2; }} |
{{ read -r P; C=; if printf 'x\\n' | grep -m 1 x >/dev/null 2>&1; then C="-m {limit + 1}"; fi
{cut}; if [ $? -eq 7 ]; then kill "$P" 2>/dev/null; fi; }}
"""
    output = await script.run(body, max_bytes=MAX_BYTES)
    lines = output.stdout.split(b"\n")
    lines.pop()
    try:
        matches = [match for match in map(_match, lines) if match is not None]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        what = f"{type(error).__name__}: {error}"[:_MOST_SHOWN]
        raise SearchError(f"ripgrep on the remote answered something unreadable: {what}") from error
    if not matches and "2" in script.reports(output, "code") and (complaint := script.complaints(output)):
        raise SearchError(complaint, next_step="Correct the pattern and search again.")
    found = tuple(Match(script.absolute(path), line, text, end) for path, line, (text, end) in matches[:limit])
    return GrepResult(found, output.truncated or len(matches) > limit)


_Text = tuple[str, str]
"""The text of a line, and its end."""


def _match(record: bytes) -> tuple[bytes, int, _Text] | None:
    """Path, line number and text of one record."""
    if record.startswith(b"{"):
        event: dict[str, Any] = json.loads(record)
        if event["type"] != "match" or event["data"]["line_number"] is None:
            return None
        data = event["data"]
        return _bytes(data["path"]), _line_number(data["line_number"]), _text(_bytes(data["lines"]))
    number, _, start = record.partition(b" ")
    return _cut_match(_line_number(int(number)), start)


def _line_number(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError("a line number that is none")
    return int(value)


def _cut_match(number: int, start: bytes) -> tuple[bytes, int, _Text] | None:
    """A record whose end is missing, somewhere in its text."""
    text = start.decode("utf-8", "ignore")
    decoder = json.JSONDecoder()
    at = text.index('"path":') + len('"path":')
    path, end = decoder.raw_decode(text, at)
    kind, _, value = text[end:].removeprefix(',"lines":{').partition(":")
    value = value.removeprefix('"')
    if kind == '"bytes"':
        value = value.partition('"')[0]
        return _bytes(path), number, _text(base64.b64decode(value[: len(value) // 4 * 4]))
    try:  # the line may be whole, and only the list of what matched in it be long
        return _bytes(path), number, _text(decoder.raw_decode(f'"{value}')[0].encode())
    except (json.JSONDecodeError, UnicodeEncodeError):
        pass
    for less in range(13):  # a cut may fall into an escape, at most a pair of \uXXXX
        try:
            return _bytes(path), number, _text(json.loads(f'"{value[: len(value) - less]}"').encode())
        except (json.JSONDecodeError, UnicodeEncodeError):
            continue
    return None


def _bytes(value: dict[str, str]) -> bytes:
    if "text" in value:
        return value["text"].encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(value["bytes"])
    except (KeyError, binascii.Error):
        return b""


def _text(line: bytes) -> _Text:
    text = line.decode("utf-8", "replace")
    end = "\r\n" if text.endswith("\r\n") else "\n" if text.endswith("\n") else ""
    return text.removesuffix(end), end
