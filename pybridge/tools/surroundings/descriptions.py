"""Descriptions of tools as the running OpenCode has them, with what is wrong for a remote corrected.

Only what states a local fact is replaced: operating system and shell, the temporary folder, the local folder, and that
files are local. A description that does not make the statement known of it gets a sentence of ours in front.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNREACHABLE = "a host that cannot be reached at the moment"

_SHELL = re.compile(r"^Be aware: OS: [^,\n]+, Shell: (?P<shell>[^,\n]+)$", re.MULTILINE)
_TEMPORARY = re.compile(r"^Use `(?P<path>[^`\n]+)` for temporary work outside the workspace\..*\n*", re.MULTILINE)
_LOCAL_FILES = re.compile(r"\bthe local filesystem\b")
_PLAN = re.compile(r"(?<= at )[^\n`:;!?]*?opencode/plans/(?P<name>[\w.-]+\.md)")
_NOT_POSIX = ("powershell", "pwsh", "cmd", "nu")


@dataclass(frozen=True)
class Where:
    """Where the tools act.

    Args:
        host: as a person would name it.
        platform: its operating system in OpenCode's spelling.
        shell: name of the shell that commands run in.
        workdir: remote absolute path of the folder.
        worktree: the git work tree it lies in, else the folder itself.
        temporary: remote absolute path of the folder for temporary work; None where there is none.
    """

    host: str
    platform: str
    shell: str
    workdir: str
    worktree: str
    temporary: str | None


NOWHERE = Where(UNREACHABLE, "unknown", "unknown", "the project folder", "the project folder", None)
"""A remote of which nothing is known yet."""


def corrected(tool: str, description: str, directory: str, where: Where, *, own: str) -> str:
    """A description that is true for the remote.

    Args:
        tool: the tool's name.
        description: the built-in tool's, as the running OpenCode has it, or `own`.
        directory: the local folder the OpenCode instance is for.
        own: our own description of the tool, for a built-in one whose shell is of another kind than the remote's.
    """
    if tool == "bash":
        text = _bash(description, where, own)
    elif tool in ("read", "write"):
        text, known = _LOCAL_FILES.subn(f"the filesystem of the remote host ({where.host})", description)
        text = text if known else f"{_sentence(where)}\n\n{text}"
    else:
        text = description
    return text.replace(directory, where.workdir) if len(directory) > 1 else text


def guided(text: str, worktree: str, where: Where) -> str:
    """The text of OpenCode's command /init, which says where the project's AGENTS.md is.

    Args:
        worktree: the local git work tree, "/" without one: what OpenCode has put into the text.
    """
    return text.replace(f" at `{worktree}`", f" at `{where.worktree}`")


def planned(text: str, where: Where) -> str:
    """A reminder of OpenCode's plan mode, which names a local file for the plan.

    It becomes the file OpenCode itself takes in a git work tree, and lets the plan agent write there.
    """
    return _PLAN.sub(lambda match: f"{where.worktree}/.opencode/plans/{match['name']}", text)


def _bash(description: str, where: Where, own: str) -> str:
    shell = _SHELL.search(description)
    if shell and shell["shell"].lower() in _NOT_POSIX:
        description, shell = own, None
    if shell is None:
        hint = f" Use `{where.temporary}` there for temporary files." if where.temporary else ""
        return f"{_sentence(where)}{hint}\n\n{description}"
    line = f"Be aware: OS: {where.platform}, Shell: {where.shell}, Remote host: {where.host}"
    text = description[: shell.start()] + line + description[shell.end() :]
    temporary = _TEMPORARY.search(text)
    if temporary is None:
        return text
    if where.temporary is None:
        text = text[: temporary.start()] + text[temporary.end() :]
        return "\n".join(line for line in text.split("\n") if temporary["path"] not in line)
    return text.replace(temporary["path"], where.temporary)


def _sentence(where: Where) -> str:
    return f"This tool acts on the remote host {where.host} (OS: {where.platform}, shell: {where.shell})."
