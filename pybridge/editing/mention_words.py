"""The `@path` words in a text a person typed.

A word begins as OpenCode's do in its command templates: at an `@` that follows no letter, digit or backtick, and ends
before white space, a comma, a backtick, or a dot that nothing follows. People also write `@` for other things, so more
is asked of the character before it: the beginning, white space, an opening bracket, a quote, or one of `:;,=|>`. That
leaves out e-mail addresses, `git@host:path`, and package names in a path or an address (`node_modules/@types/node`,
`https://host/@user`). Nothing in a code span or a fenced block is a mention: those are full of decorators.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from pybridge.editing.js_text import WHITESPACE, length

MAX_WORDS = 50
"""Words looked at in one text; a text with more is no prompt somebody typed."""

_WORD = re.compile(r"""(?<![^\s(\[{<"'“‘«:;,=|>])@(?P<name>\.?(?:[^\s\0`,.]|\.(?=[^\s\0`,.]))+)""")
_ENDS = re.escape(WHITESPACE) + "`,."
_RESOLVED = re.compile(rf"(?<![A-Za-z0-9_`])@(\.?(?:[^{_ENDS}]|\.(?=[^{_ENDS}]))*)")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_LINES = re.compile(r"(?P<name>.+)#(?P<first>[0-9]{1,9})(?:-(?P<last>[0-9]{1,9})?)?")
_CLOSING = ")]}>\"'”’»!?;:"
_QUOTES = "\"'“‘"
_USUAL = re.compile(r"[\w./~+@ #-]+")

_FILES = """
    adoc asm astro awk bash bat bib c cc cfg cjs clj cmake conf cpp cs css csv cts cu cxx dart diff ejs el env erb erl
    ex exs fs gif go gradle graphql groovy h hbs hcl hpp hs htm html hxx ini ipynb java jl jpeg jpg js json json5 jsonc
    jsonl jsx kt kts less lisp lock log lua m make markdown md mdx mjs ml mod mts nim nix odt patch pdf php pl plist pm
    png po prisma proto ps1 psd1 py pyi pyx r rb rkt rs rst sass scala scm scss sh sol sql styl sum svelte svg swift tcl
    tex tf tfvars toml ts tsv tsx txt v vb vhd vim vue wasm webp xml xsl yaml yml zig zsh
"""
_EXTENSIONS = frozenset(_FILES.split())
"""Endings that make a name without a slash a file's: `@app.route` and `@pytest.fixture` are none."""


@dataclass(frozen=True)
class MentionWord:
    """One word.

    Args:
        name: what follows the `@`, as written; lines asked for included.
        start, end: where it stands, `@` included, in UTF-16 code units.
        quoted: a quote is before it: a package or an alias in a line of code, more often than a mention.
    """

    name: str
    start: int
    end: int
    quoted: bool = False

    def readings(self) -> list[str]:
        """What the word may name, the likeliest first: itself, then without the punctuation of the sentence around."""
        bare = self.name.rstrip(_CLOSING)
        return [self.name] if bare == self.name or not bare else [self.name, bare]


@dataclass(frozen=True)
class Lines:
    """A name with the lines asked for, as the terminal interface has it: `name#first-last`.

    Args:
        name: without them.
        first: counted from 1; None without any.
        last: None for up to the end.
    """

    name: str
    first: int | None = None
    last: int | None = None

    @property
    def limit(self) -> int | None:
        """How many lines; None for all from `first` on."""
        return None if self.first is None or self.last is None else max(self.last - self.first + 1, 1)


def mention_words(text: str) -> list[MentionWord]:
    """The first MAX_WORDS different words of a text, in order."""
    code = [match.span() for match in _CODE.finditer(text)]
    found: dict[str, MentionWord] = {}
    for match in _WORD.finditer(text):
        start, end = match.span()
        name = match["name"]
        if name in found or any(first <= start < last for first, last in code):
            continue
        offset = length(text[:start])
        quoted = start > 0 and text[start - 1] in _QUOTES
        found[name] = MentionWord(name, offset, offset + length(text[start:end]), quoted)
        if len(found) == MAX_WORDS:
            break
    return list(found.values())


def resolved_words(text: str) -> set[str]:
    """Every word that OpenCode itself resolves, on this machine, in a command's template or a sub-agent's task.

    Far more than are mentions here: what it has read for any of them is not what the user attached.
    """
    return {name for name in _RESOLVED.findall(text) if name}


def with_lines(name: str) -> Lines | None:
    """The name and the lines, where it ends in lines; None where it does not."""
    match = _LINES.fullmatch(name)
    if match is None:
        return None
    return Lines(match["name"], max(int(match["first"]), 1), int(match["last"]) if match["last"] else None)


def looks_like_file(name: str) -> bool:
    """Whether a name is a file's whatever lies there, so that its absence is worth a word.

    It begins with `/`, `./`, `../` or `~/`, or its ending is one of files. Not so a package (`@types/node`), a
    decorator (`@app.route`), a person, an option (`@tailwind`), or anything with a character that is rare in paths
    (`@app.get("/x.html")`).

    Args:
        name: without lines.
    """
    if not _USUAL.fullmatch(name):
        return False
    if name.startswith(("/", "./", "../", "~/")):
        return True
    _, dot, ending = posixpath.basename(name).rpartition(".")
    return bool(dot) and ending.lower() in _EXTENSIONS
