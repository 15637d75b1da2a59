"""A user's message as OpenCode hands it to a plugin: after it has read, on this machine, what was mentioned in it.

OpenCode puts what it read into the message as parts of its own, in these forms (seen with 1.15.0 and 1.18.33):

- a text that says with which input the read tool was called, one with what it answered, and the mention itself, or in
  its place the image or PDF the tool answered with;
- the same first text, and one with the error: the mention itself is gone;
- for a folder that is not there, only the error;
- for a mention of any other media type than text: the first text, and the mention with the content as a `data:` URL;
- for text that came as a `data:` URL, as the first form. It was not read here, and is left alone.

A message that is taken back and sent again (/undo) brings the mentions with it that we made of words. Their address is
ANYWHERE, so that OpenCode does not look for the file on this machine; they go, and the words are looked at again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from pybridge.editing.mention_words import MentionWord, looks_like_file, mention_words, resolved_words

Part = Mapping[str, Any]

CALLED = "Called the Read tool with the following input: "
FAILED = "Read tool failed to read {path} with the following error: {error}"
"""What OpenCode writes; found in messages, and written as it does."""

ANYWHERE = "data:text/plain;remote,"
"""The address of a mention that we made: it has no content of its own."""

_FAILED = re.compile(r"Read tool failed to read (?P<path>.+?) with the following error: ", re.DOTALL)


@dataclass(frozen=True)
class LocalRead:
    """A file or folder of this machine that OpenCode read for the message: `parts[first:end]`.

    Args:
        path: the local absolute path.
        offset, limit: lines asked for, as read's arguments.
        mention: the part the user's client sent, where OpenCode left it in.
        failed: it could not be read.
        word: the word of the text that it was read for, without the `@`; None when a client attached it.
        ours: nothing was read: it is a mention we made of a word when the message was first sent.
    """

    first: int
    end: int
    path: str
    offset: int | None = None
    limit: int | None = None
    mention: Part | None = None
    failed: bool = False
    word: str | None = None
    ours: bool = False


@dataclass(frozen=True)
class UserMessage:
    """The message, and what in it is to be read on the remote.

    Args:
        session_id, message_id, agent: OpenCode's.
        directory: the local folder of the OpenCode instance.
        worktree: its git work tree, `/` without one: what OpenCode resolves words of a command's template against.
        agents: names of agents, which are no files when they are mentioned.
        parts: as OpenCode has them; contents may have been left out.
    """

    session_id: str
    message_id: str
    agent: str
    directory: str
    worktree: str
    agents: frozenset[str]
    parts: Sequence[Part]
    reads: Sequence[LocalRead] = field(init=False)
    """What OpenCode read here."""
    words: Sequence[MentionWord] = field(init=False)
    """The other words that may name a file."""

    def __post_init__(self) -> None:
        words = {word.name: word for text in self._typed() for word in mention_words(text)}
        resolved = {name for text in self._typed() for name in resolved_words(text)} | words.keys()
        reads = [_for_word(read, resolved, self) for read in local_reads(self.parts)]
        done = {read.word for read in reads} | self._completed()
        left = [word for word in words.values() if word.name not in done and word.name not in self.agents]
        object.__setattr__(self, "reads", reads)
        object.__setattr__(self, "words", left)

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> UserMessage:
        """Take it from what the shim sent.

        Raises:
            ValueError: that is not of this form.
        """
        texts = [params.get(name, "") for name in ("sessionID", "messageID", "agent", "directory", "worktree")]
        agents, parts = params.get("agents", []), params.get("parts")
        if not all(isinstance(text, str) for text in [*texts, *agents]):
            raise ValueError("ids, folders and agents must be strings")
        if not isinstance(parts, list) or not all(_is_part(part) for part in parts):
            raise ValueError("parts must be a list of message parts")
        session_id, message_id, agent, directory, worktree = texts
        return cls(session_id, message_id, agent, directory, worktree, frozenset(agents), parts)

    @property
    def asks(self) -> bool:
        """Whether there is anything to look for on the remote."""
        return bool(self.reads or self.words)

    @property
    def certain(self) -> bool:
        """Whether it mentions a file for certain, and not only something that may be one."""
        return bool(self.reads) or any(is_file_by_name(word) for word in self.words)

    def in_project(self, path: str, anchors: Sequence[PurePath]) -> str | None:
        """The path relative to the folder that stands for the remote one, with slashes, for a local path in that
        folder or in the git work tree around it; None for any other path of this machine.

        Args:
            path: local absolute path.
            anchors: further folders that stand for the remote one.
        """
        folders = [(folder, folder) for folder in (self.directory, *map(str, anchors)) if folder]
        if self.worktree and Path(self.worktree) != Path(self.worktree).parent:
            folders.append((self.worktree, self.directory))
        for resolve in (os.path.normpath, os.path.realpath):
            for folder, start in folders:
                if Path(resolve(path)).is_relative_to(resolve(folder)):
                    return Path(os.path.relpath(resolve(path), resolve(start))).as_posix()
        return None

    def _typed(self) -> list[str]:
        """The texts a person, or a command's template, wrote."""
        kept = (p for p in self.parts if p["type"] == "text" and not p.get("synthetic") and not p.get("ignored"))
        return [part.get("text", "") for part in kept]

    def _completed(self) -> set[str]:
        """The words a client has made a mention of by itself."""
        found = set()
        for part in self.parts:
            source = part.get("source")
            if isinstance(source, dict) and part.get("url") != ANYWHERE:
                text = source.get("text")
                value = (text if isinstance(text, dict) else source).get("value")
                found.add(str(value).removeprefix("@"))
        return found


def local_reads(parts: Sequence[Part]) -> list[LocalRead]:
    """What OpenCode read on this machine, by the forms above."""
    found = []
    position = 0
    while position < len(parts):
        read = _read_at(parts, position)
        if read is not None:
            found.append(read)
        position = read.end if read is not None else position + 1
    return found


def _read_at(parts: Sequence[Part], first: int) -> LocalRead | None:
    text = _synthetic(parts, first)
    if text is None:
        return LocalRead(first, first + 1, "", ours=True) if _is_ours(parts, first) else None
    failure = _FAILED.match(text)
    if failure is not None:
        return LocalRead(first, first + 1, failure["path"], failed=True)
    asked = _asked(text)
    if asked is None:
        return None
    path, offset, limit = asked
    answer = _synthetic(parts, first + 1)
    if answer is None:
        content = parts[first + 1] if first + 1 < len(parts) else {}
        if content.get("type") != "file":
            return None
        return LocalRead(first, first + 2, path, mention=content)
    if _FAILED.match(answer) is not None:
        return LocalRead(first, first + 2, path, offset, limit, failed=True)
    end = first + 2
    while end < len(parts) and parts[end]["type"] == "file" and parts[end].get("synthetic"):
        end += 1
    if _is_ours(parts, end):
        return LocalRead(first, end + 1, "", ours=True)
    if end > first + 2:
        return LocalRead(first, end, path, offset, limit, mention=parts[first + 2])
    mention = parts[end] if end < len(parts) else {}
    if mention.get("type") != "file" or str(mention.get("url", "")).startswith("data:"):
        return None
    return LocalRead(first, end + 1, path, offset, limit, mention=mention)


def is_file_by_name(word: MentionWord) -> bool:
    """Whether a word mentions a file for certain: if there is none of the name, that is worth a word."""
    return not word.quoted and any(looks_like_file(name) for name in word.readings())


def _for_word(read: LocalRead, words: Iterable[str], message: UserMessage) -> LocalRead:
    """The read with the word it was made for. OpenCode takes the words of a command's template from the work tree (in
    a folder without git from `/`), a client those it completes from the folder."""
    folders = {folder for folder in (message.worktree, message.directory) if folder}
    for word in words if not read.ours else ():
        if read.path in {_resolved(folder, word) for folder in folders}:
            return replace(read, word=word)
    return read


def _resolved(folder: str, name: str) -> str:
    path = os.path.normpath(Path(name).expanduser() if name.startswith("~/") else Path(folder) / name)
    return "/" + path.lstrip("/") if path.startswith("//") else path  # two are kept in POSIX, but not by OpenCode


def _synthetic(parts: Sequence[Part], position: int) -> str | None:
    part = parts[position] if position < len(parts) else {}
    return part.get("text") if part.get("type") == "text" and part.get("synthetic") else None


def _is_ours(parts: Sequence[Part], position: int) -> bool:
    return position < len(parts) and parts[position].get("url") == ANYWHERE


def _asked(text: str) -> tuple[str, int | None, int | None] | None:
    """Path, offset and limit of the text that names the read tool's input."""
    if not text.startswith(CALLED):
        return None
    # Of a media file OpenCode writes the path as it is, between quotes: on Windows that is no JSON.
    try:
        asked = json.loads(text.removeprefix(CALLED))
    except ValueError:
        asked = {"filePath": text.removeprefix(CALLED).removeprefix('{"filePath":"').removesuffix('"}')}
    if not isinstance(asked, dict) or not isinstance(asked.get("filePath"), str):
        return None
    numbers = (asked.get("offset"), asked.get("limit"))
    offset, limit = (n if isinstance(n, int) and n >= 0 else None for n in numbers)
    return asked["filePath"], offset, limit


def _is_part(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("type", "id"))
