"""@file and @folder mentions in a user's message: what the model gets of them is the remote's.

What counts as a mention, and where it is looked for:

- A word `@path` of the text that no client has completed, taken from the workdir, or from the remote home folder when
  it begins with `~/`. If there is such a file or folder on the remote, it is attached, whatever the word looks like;
  OpenCode's rule for words (`pybridge.editing.mention_words`) is kept, and the name of an agent is never a file. If
  there is none, nothing happens, unless the word is a file's by its looks: then the model is told. A word that begins
  with `/` is an alias of a JavaScript project (`@/lib/x.ts`) more often than a path: it counts as a file's only if its
  first folder exists. `#10` or `#10-20` at the end are lines.
- A mention that OpenCode has already read on this machine, for a word or under the folder that stands for the remote
  one (or the git work tree around that): only the remote's content is passed on, and without one only an error.
- A file from elsewhere on this machine that the user attached by its own path (`opencode run -f ~/shot.png`): if there
  is one at the same path on the remote, that; else it stays as it is. The model is told which it got. What came as a
  `data:` URL (a pasted or dropped image) is not looked at.

Nothing is asked for: as in OpenCode, the mention itself is the permission.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybridge.editing.js_text import length, without_surrogates
from pybridge.editing.mention_words import MentionWord, looks_like_file, with_lines
from pybridge.errors import FileMissingError, RemoteError, ToolError
from pybridge.host.model import FileKind
from pybridge.tools import read
from pybridge.tools.arguments import ReadArguments
from pybridge.tools.context import ToolResult
from pybridge.tools.mentions.user_message import ANYWHERE, CALLED, FAILED, LocalRead, Part, UserMessage, is_file_by_name
from pybridge.tools.permissions import remote_path
from pybridge.tools.remote_files import fetch
from pybridge.tools.session import Session

AT_ONCE = 4
"""Mentions read at the same time: an image is in memory as a whole."""

MAX_ATTACHED = 48 * 1024 * 1024
"""Characters of images and PDF in one message, as `data:` URLs: once so many are there, no further one is read."""

NewPart = dict[str, Any]
"""A part of the message as it is to be: `{"keep": i}` for the one at position i as it is, else all of it but the ids of
session and message."""


async def deliver(message: UserMessage, session: Session, host: str) -> list[NewPart]:
    """The parts of the message, with the remote's contents.

    Args:
        host: the remote's name, as a person would write it.

    Raises:
        RemoteError: the remote cannot be asked. What is wrong with one file is said in that file's parts.
    """
    reader = _Reader(message, session, host)
    replaced, added = await asyncio.gather(
        asyncio.gather(*(reader.replace(local) for local in message.reads)), reader.add(message.words)
    )
    return _assembled(message, replaced, added)


def undelivered(message: UserMessage, error: RemoteError) -> list[NewPart]:
    """The parts of the message with the error in the place of every content, for a remote that cannot be asked."""
    replaced = [[] if local.ours else _texts(_Wanted(local.word or local.path), error) for local in message.reads]
    added = [_texts(_Wanted(word.name), error) for word in message.words if is_file_by_name(word)]
    return _assembled(message, replaced, added)


@dataclass(frozen=True)
class _Wanted:
    """What to read: a remote path, and read's offset and limit."""

    path: str
    offset: int | None = None
    limit: int | None = None

    def arguments(self) -> dict[str, Any]:
        named = {"filePath": self.path, "offset": self.offset, "limit": self.limit}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class _Reading:
    """One way to understand a word.

    Args:
        text: the part of the word that counts.
        name: the same without lines.
        wanted: what that is on the remote.
    """

    text: str
    name: str
    wanted: _Wanted


class _Unasked:
    """The context of a read that asks for no permission."""

    def __init__(self, message: UserMessage) -> None:
        self.session_id = message.session_id
        self.message_id = message.message_id
        self.call_id = ""
        self.agent = message.agent
        self.abort = asyncio.Event()
        self.instructions: frozenset[str] = frozenset()

    async def ask(
        self, permission: str, patterns: Sequence[str], always: Sequence[str], metadata: Mapping[str, Any]
    ) -> None:
        """Nothing is asked for."""

    def progress(self, title: str | None, metadata: Mapping[str, Any]) -> None:
        """Nothing is shown."""


class _Reader:
    """Reads for one message."""

    def __init__(self, message: UserMessage, session: Session, host: str) -> None:
        self._message = message
        self._session = session
        self._host = host
        self._context = _Unasked(message)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._attached = 0

    async def replace(self, local: LocalRead) -> list[NewPart]:
        """What takes the place of something that OpenCode read on this machine."""
        if local.ours:
            return []
        written = local.word or self._message.in_project(local.path, self._session.anchors)
        path = remote_path(self._session, local.path if written is None else written)
        wanted = _Wanted(path, local.offset, local.limit)
        outcome = await self._read(wanted)
        if written is None and isinstance(outcome, FileMissingError) and not local.failed:
            note = f"{local.path} was read on the user's own machine; {self._host}, where the tools work, has none."
            return [*({"keep": i} for i in range(local.first, local.end)), _text(note)]
        parts = _texts(wanted, outcome)
        if isinstance(outcome, ToolResult):
            parts += _files(outcome, _mention_of(local))
            if written is None:
                parts.append(_text(f"{path} was read on {self._host}, where the tools work."))
        return parts

    async def add(self, words: Sequence[MentionWord]) -> list[list[NewPart]]:
        """What the words that no client has completed add to the message."""
        if not words:
            return []
        readings = {word: self._readings(word) for word in words}
        found = await self._look(reading.wanted.path for word in words for reading in readings[word])
        return await asyncio.gather(*(self._word(word, readings[word], found) for word in words))

    def _readings(self, word: MentionWord) -> list[_Reading]:
        found = []
        for text in word.readings():
            found.append(_Reading(text, text, _Wanted(remote_path(self._session, text))))
            lines = with_lines(text)
            if lines is not None:
                wanted = _Wanted(remote_path(self._session, lines.name), lines.first, lines.limit)
                found.append(_Reading(text, lines.name, wanted))
        return found

    async def _look(self, paths: Iterable[str]) -> Mapping[str, FileKind]:
        """What lies at each path, and at the first folder of each: one round trip."""
        wanted = dict.fromkeys(at for path in paths for at in (path, _first_folder(path)))
        return {file.path: file.kind for file in await fetch(self._session, list(wanted), 0)}

    async def _word(
        self, word: MentionWord, readings: Sequence[_Reading], found: Mapping[str, FileKind]
    ) -> list[NewPart]:
        for reading in readings:
            if found[reading.wanted.path] is not FileKind.MISSING:
                outcome = await self._read(reading.wanted)
                parts = _texts(reading.wanted, outcome)
                if isinstance(outcome, ToolResult):
                    parts += _files(outcome, _mention(reading, word))
                return parts
        for reading in reversed(readings):
            if word.quoted or not looks_like_file(reading.name):
                continue
            if reading.name.startswith("/") and found[_first_folder(reading.wanted.path)] is FileKind.MISSING:
                continue
            return _texts(reading.wanted, await self._read(reading.wanted))  # says what has a similar name
        return []

    async def _read(self, wanted: _Wanted) -> ToolResult | RemoteError:
        async with self._turns:
            if self._attached > MAX_ATTACHED:
                return ToolError("The message has too many large images already.", next_step="Use the read tool.")
            try:
                result = await read.execute(ReadArguments(**wanted.arguments()), self._context, self._session)
            except RemoteError as error:
                return error
            self._attached += sum(len(file.url) for file in result.attachments)
            return result


def _first_folder(path: str) -> str:
    return "/" + path.split("/")[1]


def _text(text: str) -> NewPart:
    return {"type": "text", "synthetic": True, "text": without_surrogates(text)}


def _texts(wanted: _Wanted, outcome: ToolResult | RemoteError) -> list[NewPart]:
    """The two texts about one mention."""
    called = CALLED + json.dumps(wanted.arguments(), ensure_ascii=False, separators=(",", ":"))
    if isinstance(outcome, ToolResult):
        return [_text(called), _text(outcome.output)]
    return [_text(called), _text(FAILED.format(path=wanted.path, error=outcome))]


def _mention_of(local: LocalRead) -> Part:
    """The mention of something OpenCode read: the client's own without a content, or where that is lost one like it."""
    url = Path(local.path).as_uri()
    if local.mention is not None:
        own = str(local.mention.get("url", ""))
        return {**local.mention, "url": url if own.startswith("data:") else own}
    if local.word is not None:
        return {"type": "file", "filename": local.word, "url": ANYWHERE}
    return {"type": "file", "filename": Path(local.path).name, "url": url}


def _mention(reading: _Reading, word: MentionWord) -> Part:
    """A mention as a client makes it of a word that it has completed: what shows the user that it was understood."""
    value = "@" + reading.text
    place = {"value": value, "start": word.start, "end": word.start + length(value)}
    source = {"type": "file", "path": reading.name, "text": place}
    return {"type": "file", "filename": reading.name, "url": ANYWHERE, "source": source}


def _files(outcome: ToolResult, mention: Part) -> list[NewPart]:
    """The mention itself, or in its place what read answered with."""
    if outcome.attachments:
        name = mention.get("filename") or posixpath.basename(outcome.title)
        files: list[NewPart] = [{**file.to_json(), "filename": name} for file in outcome.attachments]
        if "source" in mention:
            files[0]["source"] = mention["source"]
    else:
        folder = outcome.metadata["display"]["type"] == "directory"
        kept = {key: mention[key] for key in ("filename", "url", "source") if key in mention}
        files = [{"type": "file", "mime": "application/x-directory" if folder else "text/plain", **kept}]
    if "id" in mention:
        files[0]["id"] = mention["id"]
    return files


def _assembled(
    message: UserMessage, replaced: Iterable[list[NewPart]], added: Iterable[list[NewPart]]
) -> list[NewPart]:
    """All parts in their order, those that are new with ids: OpenCode shows and sends them in the order of those.

    An id that begins with another one sorts right after it, and before any that OpenCode makes later.
    """
    numbers = itertools.count(1)
    parts: list[NewPart] = []
    position = 0
    for local, new in zip(message.reads, replaced, strict=True):
        parts += [{"keep": i} for i in range(position, local.first)]
        ids = [message.parts[i]["id"] for i in range(local.first, local.end)]
        used = {part.get("id") for part in new}
        kept = any("keep" in part for part in new)
        parts += _identified(new, [] if kept else [i for i in ids if i not in used], max(ids), numbers)
        position = local.end
    parts += [{"keep": i} for i in range(position, len(message.parts))]
    last = max(part["id"] for part in message.parts)
    parts += _identified([part for new in added for part in new], [], last, numbers)
    return parts


def _identified(
    parts: Iterable[NewPart], free: Iterable[str], before: str, numbers: Iterator[int]
) -> Iterator[NewPart]:
    """Parts with ids: the free ones first, then some that follow `before`."""
    ids = itertools.chain(free, (f"{before}{number:03d}" for number in numbers))
    return (part if "id" in part or "keep" in part else {"id": next(ids), **part} for part in parts)
