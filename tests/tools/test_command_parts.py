"""A command line taken apart: patterns, what is allowed always, paths."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from pybridge.tools import command_parts
from pybridge.tools.command_arity import known_by
from pybridge.tools.command_parts import literal_path, take_apart

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("command", "patterns", "always"),
    [
        ("git status -s && ls -la", ["git status -s", "ls -la"], ["git status *", "ls *"]),
        ("npm run build > out 2>&1", ["npm run build > out 2>&1"], ["npm run build *"]),
        ("cd /x && npm run build > out", ["npm run build"], ["npm run build *"]),
        ("echo $(cat f) | grep x", ["echo $(cat f)", "cat f", "grep x"], ["echo *", "cat *", "grep *"]),
        ("if true; then docker compose up; fi", ["true", "docker compose up"], ["true *", "docker compose up *"]),
        ("FOO=1 git push", ["FOO=1 git push"], ["git push *"]),
        ("export A=$(touch z)", ["touch z"], ["touch *"]),
        ("f() { rm x; }; f", ["rm x", "f"], ["rm *", "f *"]),
        ("ls; ls", ["ls"], ["ls *"]),
        ("a | b > c", ["a", "b"], ["a *", "b *"]),
        ("a > b | c", ["a > b", "c"], ["a *", "c *"]),
        ("(a; b) > c", ["a", "b"], ["a *", "b *"]),
        ("", [], []),
        ("FOO=1", [], []),
        ("export A=1 # set", [], []),
        # What OpenCode would not ask for: what it cannot read, and a redirection without a command.
        ("echo 'open", ["echo", "echo 'open"], ["echo *"]),
        ("> /etc/x", ["> /etc/x"], []),
        ("ls; > a >> b", ["ls", "> a >> b"], ["ls *"]),
        ("A=$(> a)", ["> a"], []),
        ("A=$(< a); < b", [], []),
    ],
)
def test_patterns(command: str, patterns: list[str], always: list[str]) -> None:
    parts = take_apart(command, "/w", "/home/u")
    assert list(parts.patterns) == patterns
    assert list(parts.always) == always


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        ("rm -rf ~/x /etc/*.conf 'a b' $HOME/y", ["/home/u/x", "/etc", "/w/a b"]),
        ("cp ../a b && mv /x/y .", ["/a", "/w/b", "/x/y", "/w"]),
        ("chmod +x a && chown u:g /b", ["/w/a", "/w/u:g", "/b"]),
        ("pushd /tmp; touch -r x y", ["/tmp", "/w/x", "/w/y"]),
        ("echo /etc/passwd; ls /root", []),
        ("cat `which sh` *", []),
    ],
)
def test_paths_of_file_commands(command: str, paths: list[str]) -> None:
    assert list(take_apart(command, "/w", "/home/u").paths) == paths


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        ("@(x)", None),
        ("/etc/*$x", "/etc/"),
        ("~//x", "/home/u//x"),
        ("'~/x'", "/home/u/x"),
        ('"/a b"', "/a b"),
        ("~", "/home/u"),
        ("*", None),
        ("a/[bc]", "a/"),
        ("${X}/y", None),
        ("(x)", None),
        ("", None),
    ],
)
def test_literal_paths(argument: str, path: str | None) -> None:
    found = literal_path(argument, "/home/u")
    assert (found and found.rstrip("/")) == (path and path.rstrip("/"))


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("git config user.name x", "git config user.name"),
        ("git", "git"),
        ("aws s3 ls x", "aws s3 ls"),
        ("unknown tool", "unknown"),
        ("python -c x", "python -c"),
        ("npm run", "npm run"),
        ("", ""),
    ],
)
def test_what_a_command_is_known_by(words: str, known: str) -> None:
    assert " ".join(known_by(words.split())) == known


def test_without_the_parser_the_whole_text_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **options: Any) -> Any:
        if name.startswith("tree_sitter"):
            raise ImportError(name)
        return real(name, *rest, **options)

    command_parts._parser.cache_clear()
    monkeypatch.setattr(builtins, "__import__", refuse)
    try:
        parts = take_apart(" ls && rm x ", "/w", "/home/u")
    finally:
        monkeypatch.undo()
        command_parts._parser.cache_clear()
    assert (parts.patterns, parts.always, parts.paths) == (("ls && rm x",), (), ())
