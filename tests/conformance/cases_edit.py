"""Scripted cases of edit."""

from __future__ import annotations

from typing import Any

from tests.conformance.case import FOLDER, HERE, REL, Case, Content, File, Link, Step, case

_CODE = b"""def first():
    value = compute(1)
    if value:
        return value
    return None


def second():
    value = compute(2)
    if value:
        return value
    return None
"""


def edit(old: str, new: str, path: str = f"{HERE}/f", **more: Any) -> Step:
    return Step("edit", {"filePath": path, "oldString": old, "newString": new, **more})


def _one(id: str, content: Content, old: str, new: str, **more: Any) -> Case:
    return case(f"edit-{id}", edit(old, new, **more), files={"f": content})


CASES: tuple[Case, ...] = (
    _one("simple", b"one\ntwo\nthree\n", "two", "2"),
    _one("simple-lines", _CODE, "compute(2)\n    if value:", "compute(3)\n    if not value:"),
    _one("relative", b"a\n", "a", "b", path=f"{REL}/f"),
    _one("to-nothing", b"one\ntwo\n", "two\n", ""),
    _one("multiple", b"same\nsame\n", "same", "other"),
    _one("replace-all", b"same\nsame\n", "same", "other", replaceAll=True),
    _one("replace-all-once", b"one\ntwo\n", "two", "2", replaceAll=True),
    _one("replace-all-not-found", b"one\n", "zzz", "2", replaceAll=True),
    _one("replace-all-dollars", b"a b a\n", "a", "$1 $x", replaceAll=True),
    _one("replace-all-dollar-commands", b"a b a\n", "a", "[$&] $$", replaceAll=True),
    _one("dollars-once", b"a b\n", "a", "[$&] $$"),
    _one("not-found", b"one\n", "zzz", "y"),
    _one("not-found-empty-file", b"", "zzz", "y"),
    _one("identical", b"one\n", "one", "one"),
    _one("empty-old-existing", b"one\n", "", "x"),
    _one("empty-old-empty-file", b"", "", "x"),
    case("edit-empty-old-new-file", edit("", "a\nb\n", f"{HERE}/made.txt")),
    case("edit-empty-old-parents", edit("", "a\n", f"{HERE}/x/y/made.txt")),
    case("edit-empty-old-bom", edit("", "\ufeffa\n", f"{HERE}/made.txt")),
    case("edit-missing", edit("a", "b", f"{HERE}/gone")),
    case("edit-folder", edit("a", "b", f"{HERE}/sub"), files={"sub": FOLDER}),
    case("edit-folder-empty-old", edit("", "b", f"{HERE}/sub"), files={"sub": FOLDER}),
    case("edit-below-a-file", edit("a", "b", f"{HERE}/f/g"), files={"f": b"a\n"}),
    case("edit-through-link", edit("a", "b"), files={"real/f": b"a\n", "f": Link("real/f")}),
    case("edit-mode", edit("a", "b"), files={"f": File(b"a\n", 0o750)}),
    case("edit-dots", edit("a", "b", f"{HERE}/sub/../f"), files={"f": b"a\n", "sub": FOLDER}),
    case("edit-twice", edit("a", "b"), edit("b", "c"), files={"f": b"a\n"}),
    _one("line-trimmed", _CODE, "value = compute(2)  \n\tif value:", "value = 2\n    if value:"),
    _one("line-trimmed-last-newline", b"  one\n  two\n  three\n", "two\nthree\n", "2\n3\n"),
    _one(
        "block-anchor",
        _CODE,
        "def second():\n    value = computed(2)\n    if value:\n        return valu\n    return None",
        "def second():\n    return 2",
    ),
    _one(
        "block-anchor-best-of-two",
        b"begin\n  alpha one\n  beta\nend\nbegin\n  gamma two\n  delta\nend\n",
        "begin\n  gamma twoo\n  delt\nend",
        "begin\nend",
    ),
    _one("block-anchor-unlike", b"begin\n  alpha\n  beta\nend\n", "begin\n  12345\n  67890\nend", "x"),
    _one("block-anchor-no-middle", b"begin\nend\n", "begin\nx\nend", "y"),
    _one("whitespace-line", b"if (a   &&  b)  {\n}\n", "if (a && b) {", "if (a || b) {"),
    _one("whitespace-part", b"let x = f( a,\t b ); // end\n", "f( a, b );", "g();"),
    _one("whitespace-lines", b"a  b\nc   d\n", "a b\nc d", "e\nf"),
    _one("indentation", b"if x:\n        a\n            b\n", "    a\n        b", "c"),
    _one("escape-newline", b"one\ntwo\n", "one\\ntwo", "1\n2"),
    _one("escape-quote", b'say("hi")\n', 'say(\\"hi\\")', "say('ho')"),
    _one("escape-tab", b"a\tb\n", "a\\tb", "c"),
    _one("escape-in-file", b"x = 1\na\\tb\n", "a\tb", "c"),
    _one("escape-dollar", b"`${x}`\n", "\\`\\${x}\\`", "y"),
    _one("trimmed-boundary", b"x = foo(\nbar)y\n", "\n foo(\nbar)  ", "z"),
    _one("trimmed-boundary-lines", b"pre foo(\nbar) post\n\n\n", "  foo(\nbar) \n", "z"),
    _one(
        "context-aware",
        b"begin\n  same line here\n  completely other thing\nend\n",
        "begin\n  same line here\n  0123456789 zzzz qqqq\nend",
        "begin\nend",
    ),
    _one("context-aware-half", b"begin\nkeep\nXXXXXXXX\nend\n", "begin\nkeep\nyyyyyyyy\nend", "n"),
    _one("span-guard-lines", b"1\n2\n3\n4\n5\n6\n", "1\\n2\\n3\\n4\\n5", "x"),
    _one("span-guard-lines-just-not", b"1\n2\n3\n4\n5\n6\n", "1\\n2\\n3", "x"),
    _one("span-guard-characters", b"begin\na\nb\n" + b"m" * 700 + b"\nend\n", "begin\na\nb\nend", "x"),
    _one("span-guard-characters-just-not", b"begin\na\nb\n" + b"m" * 480 + b"\nend\n", "begin\na\nb\nend", "x"),
    _one("crlf", b"\xef\xbb\xbfa\r\nb\r\n", "a\nb", "A\nB"),
    _one("crlf-old", b"a\r\nb\r\nc\r\n", "a\r\nb", "A\nB"),
    _one("crlf-new-in-lf", b"a\nb\n", "a", "A\r\nA2"),
    _one("crlf-mixed", b"a\r\nb\nc\r\n", "a\nb", "A\nB"),
    _one("crlf-trimmed", b"  a\r\n  b\r\n", "a \nb", "A\nB"),
    _one("bom", b"\xef\xbb\xbfa\nb\n", "a", "A"),
    _one("bom-in-new", b"a\nb\n", "a", "\ufeffA"),
    _one("no-final-newline", b"a\nb", "b", "c"),
    _one("counts", b"".join(b"%d\n" % n for n in range(40)), "5\n6\n7\n", "five\n6\nseven\neight\n"),
    _one("indented-diff", b"    a\n    b\n    c\n", "    b", "    B"),
    _one("far-apart", b"same\n" + b"".join(b"%d\n" % n for n in range(30)) + b"same\n", "same", "x", replaceAll=True),
    _one("unicode", "h\u00e9llo \U0001f600 world\n".encode(), "\U0001f600", "\u20ac"),
    _one("blank-old", b"a\nb\n", "   ", "x"),
    _one("blank-old-replace-all", b"a\nb\n", "   ", "x", replaceAll=True),
    _one("newline-old", b"a\n\nb\n", "\n\n", "\n"),
    _one("large", b"0123456789abcdef\n" * 1_000_000 + b"last\n", "last", "LAST"),
    _one("not-utf-8", b"caf\xe9\nplain\n", "plain", "other"),
    _one("latin-1", b"caf\xe9\nplain\n", "caf\u00e9", "tea"),
    _one("separators", "a\u2028b\u0085c\n".encode(), "a", "A"),
)
