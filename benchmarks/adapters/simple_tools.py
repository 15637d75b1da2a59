"""The seven tools as a simple implementation does them: remote command lines, and changes of text."""

from __future__ import annotations

import posixpath
import re
import secrets
from abc import abstractmethod
from collections.abc import Callable
from shlex import quote
from typing import Any

from benchmarks.adapters.protocol import Call, CallFailedError, Implementation

LINES = 2000
"""Lines of a file that a read shows unless told otherwise."""

RESULTS = 100
"""Results of a search that are shown."""


def read_line(path: str, args: Any) -> str:
    """Command line that prints the lines of a file that are asked for."""
    limit = args.get("limit", LINES)
    if (offset := args.get("offset", 1)) <= 1:
        return f"head -n {limit} -- {quote(path)}"
    return f"tail -n +{offset} -- {quote(path)} | head -n {limit}"


def glob_line(args: Any) -> str:
    """Command line that lists files newest first, from the working folder."""
    # ripgrep's own --sortr=modified takes one thread, and before version 14 sorts within each folder only.
    rg = f"rg --files --null --no-messages --glob={quote(args['pattern'])} --glob='!**/.git/**'"
    newest = f"xargs -0 -r stat --printf '%.9Y %n\\n' -- | sort -rn | head -n {RESULTS} | cut -d' ' -f2-"
    return f"{rg} -- {quote(args.get('path', '.'))} | {newest}"


def grep_line(args: Any) -> str:
    """Command line that finds lines, from the working folder."""
    include = f"--glob={quote(args['include'])} " if "include" in args else ""
    rg = f"rg --line-number --with-filename --hidden --no-messages {include}-e {quote(args['pattern'])}"
    return f"{rg} -- {quote(args.get('path', '.'))} | head -n {RESULTS}"


def edited(text: str, args: Any) -> str:
    """A file's text after an edit."""
    old, new = args["oldString"], args["newString"]
    found = text.count(old)
    if found == 0 or (found > 1 and not args.get("replaceAll")):
        raise CallFailedError(f"oldString is there {found} times")
    return text.replace(old, new)


def patched(text: str, lines: list[str]) -> str:
    """A file's text after the sections of a patch for it, which must match exactly."""
    for section in re.split(r"^@@.*\n", "".join(line + "\n" for line in lines), flags=re.MULTILINE):
        old = "".join(line[1:] + "\n" for line in section.splitlines() if line[:1] in "- ")
        new = "".join(line[1:] + "\n" for line in section.splitlines() if line[:1] in "+ ")
        if section and old not in text:
            raise CallFailedError(f"not found: {old}")
        text = text.replace(old, new, 1) if section else text
    return text


def updates(patch: str) -> dict[str, list[str]]:
    """The files that a patch updates, each with the lines of its sections."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in patch.splitlines():
        if line.startswith("*** Update File: "):
            lines = found.setdefault(line.removeprefix("*** Update File: "), [])
        elif line.startswith("*** ") and line not in ("*** Begin Patch", "*** End Patch"):
            raise CallFailedError(f"only updates of files are done here: {line}")
        else:
            lines.append(line)
    return found


def beside(path: str) -> str:
    """The path of a temporary in the same folder."""
    return posixpath.join(posixpath.dirname(path), f".bench-{secrets.token_hex(6)}")


class SimpleTools(Implementation):
    """Does each tool by the four methods that are left to be written."""

    @abstractmethod
    async def run(self, line: str) -> str:
        """Run a command line in the working folder; its output. Raises `CallFailedError`."""

    @abstractmethod
    async def load(self, path: str) -> str:
        """The whole text of a file."""

    @abstractmethod
    async def save(self, path: str, text: str) -> None:
        """Write a file by a temporary and a rename; make its folder if there is none."""

    async def tool(self, call: Call) -> str:
        args = call.args
        match call.tool:
            case "bash":
                return await self.run(args["command"])
            case "read":
                return await self.read(args["filePath"], args)
            case "write":
                await self.save(args["filePath"], args["content"])
            case "edit":
                await self.change(args["filePath"], lambda text: edited(text, args))
            case "apply_patch":
                for path, lines in updates(args["patchText"]).items():
                    await self.change(path, lambda text, lines=lines: patched(text, lines))
            case "glob":
                return await self.glob(args)
            case "grep":
                return await self.grep(args)
        return "done"

    async def read(self, path: str, args: Any) -> str:
        """The lines of a file that are asked for."""
        return await self.run(read_line(path, args))

    async def glob(self, args: Any) -> str:
        """Files, newest first."""
        return await self.run(glob_line(args))

    async def grep(self, args: Any) -> str:
        """Lines found."""
        return await self.run(grep_line(args))

    async def change(self, path: str, how: Callable[[str], str]) -> None:
        """Load a file, change its text, and save it."""
        await self.save(path, how(await self.load(path)))
