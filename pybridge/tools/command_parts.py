"""A shell command line taken apart: its simple commands, what each is known by, and the paths it touches. Pure text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pybridge.editing.js_text import trim
from pybridge.mirror.remote_paths import join_remote
from pybridge.tools.command_arity import known_by

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

CHANGES_FOLDER = frozenset({"cd", "chdir", "pushd", "popd"})
"""Commands that only change the folder: no permission is asked for them."""

TOUCHES_PATHS = CHANGES_FOLDER | {"rm", "cp", "mv", "mkdir", "touch", "chmod", "chown", "cat"}
"""Commands whose arguments are paths that may lie outside the workspace."""

_WORDS = frozenset({"command_name", "word", "string", "raw_string", "concatenation"})
_GLOB = re.compile(r"[?*\[]")
_READS = frozenset({"<", "<&", "<&-"})


@dataclass(frozen=True)
class CommandParts:
    """What a command line does, as far as its text says.

    Args:
        patterns: the text of each simple command, with the redirections that the grammar hangs on it alone.
        always: what may be allowed from then on, one for each simple command.
        paths: absolute remote paths that file commands name, as written.
    """

    patterns: tuple[str, ...]
    always: tuple[str, ...]
    paths: tuple[str, ...]


def take_apart(command: str, workdir: str, home: str) -> CommandParts:
    """The parts of a command line.

    As OpenCode takes it apart, but for what it would let pass unasked: where the text cannot be read for certain the
    whole of it is a pattern as well, and a redirection without a command (`> file` empties a file) is one too.

    Args:
        command: a command line of the user's shell.
        workdir: remote absolute folder it runs in.
        home: remote absolute home folder.
    """
    whole = (trim(command),) if trim(command) else ()
    parser = _parser()
    if parser is None:
        return CommandParts(whole, (), ())
    root = parser.parse(command.encode("utf-8", "replace")).root_node
    patterns: dict[str, None] = {}
    always: dict[str, None] = {}
    paths: dict[str, None] = {}
    for node in _nodes(root):
        if _is_bare_redirection(node):
            patterns[_statement(node)] = None
        if node.type != "command":
            continue
        words = [_text(child) for child in node.children if child.type in _WORDS]
        name = words[0] if words else ""
        if name in TOUCHES_PATHS:
            for argument in _path_arguments(words):
                path = literal_path(argument, home)
                if path is not None:
                    paths[join_remote(workdir, path)] = None
        if words and name not in CHANGES_FOLDER:
            patterns[_statement(node)] = None
            always[" ".join(known_by(words)) + " *"] = None
    if root.has_error:
        patterns.update(dict.fromkeys(whole))
    return CommandParts(tuple(patterns), tuple(always), tuple(paths))


def literal_path(argument: str, home: str) -> str | None:
    """The path an argument names, or the folder part of a glob; None where only the shell can tell."""
    if len(argument) >= 2 and argument[0] == argument[-1] and argument[0] in "\"'":
        argument = argument[1:-1]
    if argument == "~" or argument.startswith(("~/", "~\\")):
        argument = f"{home}/{argument[2:]}"
    found = _GLOB.search(argument)
    if found:
        argument = argument[: found.start()]
    if not argument or argument.startswith(("(", "@(")) or "$" in argument or "`" in argument:
        return None
    return argument


def _path_arguments(words: list[str]) -> list[str]:
    plus = words[0] == "chmod"
    return [w for w in words[1:] if not w.startswith("-") and not (plus and w.startswith("+"))]


def _nodes(root: Node) -> Iterator[Node]:
    """Every node, also inside substitutions, subshells and functions, in the order of the text."""
    open_nodes = [root]
    while open_nodes:
        node = open_nodes.pop()
        yield node
        open_nodes += reversed(node.children)


def _is_bare_redirection(node: Node) -> bool:
    """Whether it writes although no command stands there: `> file`, `$(> file)`."""
    if node.type != "file_redirect" or any(child.type in _READS for child in node.children):
        return False
    outer = node.parent
    if outer is None or outer.type == "command_substitution":
        return True
    return outer.type == "redirected_statement" and outer.child_by_field_name("body") is None


def _statement(node: Node) -> str:
    """The text of a command or redirection, whole unless the grammar hangs what is redirected on the list it ends."""
    outer = node.parent
    return trim(_text(outer if outer is not None and outer.type == "redirected_statement" else node))


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


@cache
def _parser() -> Parser | None:
    """The bash grammar's parser; None on a platform it is not built for."""
    try:
        import tree_sitter
        import tree_sitter_bash
    except ImportError:
        return None
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
