"""Files by name, newest first."""

from __future__ import annotations

import asyncio

from pybridge.errors import SearchError
from pybridge.host.glob_pattern import GlobSyntaxError
from pybridge.host.ignore_line import IgnoreLine
from pybridge.host.model import GlobResult
from pybridge.host.search.find_tests import FileTests, file_tests
from pybridge.host.search.held_rules import HeldRules, Rules
from pybridge.host.search.ignore_files import IgnoreFiles
from pybridge.host.search.ignore_rules import Visibility
from pybridge.host.search.newest_first import NewestFirst, newest_first
from pybridge.host.search.remote import Facts, SearchScript, quote

MAX_BYTES = 4 * 1024 * 1024
"""Bytes of candidates taken from the remote; at about 60 bytes a path these are some 70,000."""

MANY = 1_000
"""Candidates asked for at first where find shows more files than the exact rules would."""

EVERYTHING = ("*", "**", "**/*")
"""Globs about every file and every folder: they make all other rules void."""

_FOLDER_ONLY = '[ "$F" = . ] || refuse not-directory\n'


async def glob_with_rg(script: SearchScript, facts: Facts, pattern: str, limit: int) -> GlobResult | None:
    """Let ripgrep choose the files; None if the remote cannot hand its answer on to be sorted."""
    way = newest_first(facts)
    if way.from_paths is None or facts.rg is None:
        return None
    # About everything: said without a glob, because ripgrep's `**/` overlooks names that hold a newline.
    chosen = "--no-ignore --hidden" if pattern in EVERYTHING else f"--glob={quote(pattern)}"
    # The position of the two globs matters: the last one that matches decides.
    rg = (
        f"{{ {quote(facts.rg)} --no-config --files --null --no-messages {chosen} "
        """'--glob=!**/.git/**' . </dev/null; printf '%scode %s\\n' "$M" "$?" >&2; }"""
    )
    body = f"{_FOLDER_ONLY}{way.pick_of_paths(rg, count=limit + 1)}\n"
    output = await script.run(body, max_bytes=MAX_BYTES)
    paths = way.read(output)
    if not paths and "2" in script.reports(output, "code") and (complaint := script.complaints(output)):
        raise SearchError(f"The glob pattern cannot be used: {complaint}", next_step="Correct the pattern.")
    return _result(script, paths, limit, output.truncated)


async def glob_with_find(script: SearchScript, facts: Facts, held: HeldRules, pattern: str, limit: int) -> GlobResult:
    """The same files without ripgrep: find chooses nearly, the exact rules decide here."""
    try:
        override = IgnoreLine.parse(pattern)
    except GlobSyntaxError as error:
        raise SearchError(
            f"The glob pattern cannot be used: error parsing glob {pattern!r}: {error}",
            next_step="Correct the pattern.",
        ) from None
    everything = Rules(IgnoreFiles(b"/")) if pattern in EVERYTHING else None
    most: int | None = max(MANY, 10 * limit)
    while True:
        rules = everything or await held.take(script)
        visibility = rules.files.visibility(override=override)
        tests = await asyncio.to_thread(file_tests, visibility)
        count = most and (limit + 1 if tests.exact else most)
        output = await script.run(held.checked(rules, _find(newest_first(facts), tests, count)), max_bytes=MAX_BYTES)
        if not held.stand(script, rules, output):
            continue
        candidates = newest_first(facts).read(output)
        paths = await asyncio.to_thread(_shown, script, candidates, visibility)
        if len(paths) > limit or count is None or len(candidates) < count:
            return _result(script, paths, limit, output.truncated)
        most = None


def _find(way: NewestFirst, tests: FileTests, count: int | None) -> str:
    actions = f"{tests.text} {way.find_action}"
    if way.find_rest is not None:
        actions += f" -o {tests.wanted} {way.find_rest}"
    return f"{_FOLDER_ONLY}{way.pick(f'find . {actions} 2>/dev/null', count=count)}\n"


def _shown(script: SearchScript, candidates: list[bytes], visibility: Visibility) -> list[bytes]:
    return [path for path in candidates if script.go_on() and visibility.shows(path[2:])]


def _result(script: SearchScript, paths: list[bytes], limit: int, more: bool) -> GlobResult:
    return GlobResult(tuple(script.absolute(path) for path in paths[:limit]), more or len(paths) > limit)
