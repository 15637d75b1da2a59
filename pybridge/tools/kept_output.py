"""Pages of, and searches in, a file of this machine: mostly output that was too long to be shown, of any size.

Regular expressions are Python's here, and run in a process of their own: one that never ends can be killed.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pybridge.editing.line_pages import MAX_BYTES, MAX_LINE_LENGTH, Page, page
from pybridge.errors import CancelledByUserError, RemoteTimeoutError, SearchError, ToolError
from pybridge.host.model import GrepResult, Match

SEARCH_TIMEOUT = 60.0
"""Seconds a search of one kept output may take."""

_PIECE = 256 * 1024
_LONGEST_LINE = 64 * 1024
_LINE_END = re.compile(r"\r\n|\n|\r")


def read_page(file: Path, first: int, limit: int) -> Page:
    """A page of a local file; it is streamed, never held as a whole.

    Args:
        first: the first line, counted from 1.
        limit: how many lines at most.

    Raises:
        ToolError: it cannot be read.
        OffsetRangeError: it ends before the line asked for.
    """
    kept: list[str] = []
    total = size = 0
    try:
        for line in _lines(file):
            total += 1
            if first <= total < first + limit and size <= MAX_BYTES:
                kept.append(line[: MAX_LINE_LENGTH + 1])
                size += len(kept[-1]) + 1
    except OSError as error:
        raise ToolError(f"{file} cannot be read: {error.strerror}.", next_step="Run the command again.") from error
    return page(kept, total, first=first, limit=limit)


async def search(file: Path, path: str, pattern: str, limit: int, abort: asyncio.Event) -> GrepResult:
    """The matching lines of a local file.

    Args:
        path: the file as the model names it.
        pattern: a regular expression.
        limit: at most so many matches.
        abort: ends the search.

    Raises:
        SearchError: the pattern is no regular expression, or the file is gone.
        RemoteTimeoutError: the search took longer than SEARCH_TIMEOUT.
        CancelledByUserError: it was aborted.
    """
    try:
        re.compile(pattern)
    except re.error as error:
        raise SearchError(f"{pattern!r} is not a regular expression: {error}.", next_step="Correct it.") from error
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    request = json.dumps({"path": str(file), "pattern": pattern, "limit": limit}).encode()
    answering = asyncio.ensure_future(process.communicate(request))
    aborting = asyncio.ensure_future(abort.wait())
    try:
        await asyncio.wait({answering, aborting}, timeout=SEARCH_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return _result(answering.result()[0], path, limit)
    finally:
        aborting.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
        answering.cancel()
    if abort.is_set():
        raise CancelledByUserError("The search was aborted.")
    raise RemoteTimeoutError(
        f"The search in {path} took longer than {SEARCH_TIMEOUT:g} s.", next_step="Use a simpler pattern."
    )


def _result(answer: bytes, path: str, limit: int) -> GrepResult:
    if not answer:
        raise SearchError(f"{path} cannot be searched.", next_step="Run the command again.")
    found = [Match(path, line, text) for line, text in json.loads(answer)]
    return GrepResult(tuple(found[:limit]), len(found) > limit)


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file as read counts them, however large it is; of a huge line a part may come as a line."""
    rest = ""
    for piece in _pieces(path):
        text = rest + piece
        held = "\r" if text.endswith("\r") else ""  # may be half of a CRLF
        parts = _LINE_END.split(text[: len(text) - len(held)])
        rest = parts.pop() + held
        yield from parts
        if len(rest) > 16 * _PIECE:
            yield rest
            rest = ""
    if rest:
        yield rest.removesuffix("\r")


def _pieces(path: Path) -> Iterable[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with path.open("rb") as file:
        while data := file.read(_PIECE):
            yield decoder.decode(data)
    yield decoder.decode(b"", final=True)


def _main() -> None:
    """Search as asked on standard input; answer with `[[line, text], ...]`, one more than asked for if there are."""
    asked = json.load(sys.stdin)
    expression = re.compile(asked["pattern"])
    found: list[tuple[int, str]] = []
    for number, line in enumerate(_lines(Path(asked["path"])), 1):
        if expression.search(line):
            found.append((number, line[:_LONGEST_LINE]))
            if len(found) > asked["limit"]:
                break
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    _main()
