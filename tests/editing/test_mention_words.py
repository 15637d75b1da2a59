"""`@path` words in a text."""

from __future__ import annotations

import pytest

from pybridge.editing.mention_words import MAX_WORDS, Lines, looks_like_file, mention_words, resolved_words, with_lines


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@a.py", ["a.py"]),
        ("see @src/app.py, @docs/ and @.env.", ["src/app.py", "docs/", ".env"]),
        ("@./x @../y/z.c @~/notes @/etc/hosts", ["./x", "../y/z.c", "~/notes", "/etc/hosts"]),
        ("(@a.py) [@b] \"@c\" '@d' :@e\n@f", ["a.py)", "b]", 'c"', "d'", "e", "f"]),
        ("twice @a and @a", ["a"]),
        ("end @a.b.", ["a.b"]),
        ("@a..b", ["a"]),
        ("grün @grün/ß.txt 😀@no 😀 @yes", ["grün/ß.txt", "yes"]),
        ("me@example.com git@host:x/y node_modules/@types/node https://host/@user x_@y", []),
        ("`@a` then `x @b y` and @c", ["c"]),
        ("```py\n@property\ndef f(): ...\n```\n@d", ["d"]),
        ("```\n@property\nnever closed", []),
        ("@ @, @@", ["@"]),
        ("", []),
    ],
)
def test_words(text: str, names: list[str]) -> None:
    assert [word.name for word in mention_words(text)] == names


def test_a_word_ends_before_a_nul() -> None:
    assert [word.name for word in mention_words("@a\0b")] == ["a"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("-@etc/x and `cat @etc/y` ```@etc/z", {"etc/x", "etc/y"}),
        ("http://h/@etc/x @. @.. @", {"etc/x", "."}),
        ("é@etc/x a@b _@c", {"etc/x"}),  # JavaScript's letters are ASCII's
        ("@etc/x\ufeffy @etc/y\x85z", {"etc/x", "etc/y\x85z"}),  # and its white space is its own
        ("@" + " @a" * 200 + " @b", {"a", "b"}),
    ],
)
def test_what_opencode_itself_resolves(text: str, names: set[str]) -> None:
    assert resolved_words(text) == names


def test_places_are_counted_in_utf16() -> None:
    [word] = mention_words("😀 @ß😀.txt")
    assert (word.start, word.end) == (3, 11)


def test_a_long_paste_is_not_read_to_the_end() -> None:
    assert len(mention_words(" ".join(f"@{n}" for n in range(1000)))) == MAX_WORDS


@pytest.mark.parametrize(
    ("name", "readings"),
    [("a.py", ["a.py"]), ("a.py)", ["a.py)", "a.py"]), ('a.py"?!', ['a.py"?!', "a.py"]), (")", [")"])],
)
def test_punctuation_around_a_word(name: str, readings: list[str]) -> None:
    [word] = mention_words("@" + name)
    assert word.readings() == readings


@pytest.mark.parametrize(
    ("name", "lines", "limit"),
    [
        ("a.py#3", Lines("a.py", 3), None),
        ("a.py#3-", Lines("a.py", 3), None),
        ("a.py#3-5", Lines("a.py", 3, 5), 3),
        ("a.py#5-3", Lines("a.py", 5, 3), 1),
        ("a.py#0-2", Lines("a.py", 1, 2), 2),
        ("a#b#7", Lines("a#b", 7), None),
    ],
)
def test_lines(name: str, lines: Lines, limit: int | None) -> None:
    assert with_lines(name) == lines
    assert lines.limit == limit


@pytest.mark.parametrize("name", ["a.py", "a.py#", "#3", "a.py#x", "a.py#3-x"])
def test_no_lines(name: str) -> None:
    assert with_lines(name) is None


@pytest.mark.parametrize("name", ["a.py", "src/app.PY", "./x", "../x", "~/x", "/x/y", "dir name/x.c++.md", ".env"])
def test_files_by_their_looks(name: str) -> None:
    assert looks_like_file(name)


@pytest.mark.parametrize(
    "name",
    [
        *("property", "types/node", "angular/core", "scope/pkg@1.2.3", "app.route", "pytest.mark.slow", "alice"),
        *("app.get('/x.html')", "Input()", "media(max-width:1px)", "example.com", "tailwind", ""),
    ],
)
def test_no_files_by_their_looks(name: str) -> None:
    assert not looks_like_file(name)
