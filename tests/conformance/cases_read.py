"""Scripted cases of read."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tests.conformance.case import FOLDER, HERE, REL, Case, Content, Link, Step, case

_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_BROKEN_JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(200)) + b"\xff\xd9"
_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEAYABgAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAx"
    "NDQ0Hyc5PTgyPC4zNDL/wAALCAABAAEBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUF"
    "BAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW"
    "V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi"
    "4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/APvSiiigD//Z"
)
_WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00/\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"
_PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"

_NUMBERED = b"".join(b"line %d\n" % n for n in range(1, 3001))
_WIDE = b"w\n" + (b"y" * 90 + b"\n") * 800
_BIG = b"".join(b"%07d %s\n" % (n, b"k" * 60) for n in range(1, 20_001))
_NAMES = (
    "b.txt",
    "B.txt",
    "a.txt",
    "_u",
    ".hidden",
    "\u00c4.txt",
    "z 1",
    "10",
    "9",
    "\u00e9clair",
    "Zebra",
    "ss-2",
    "a-b",
)


def read(path: str = f"{HERE}/f", **more: Any) -> Step:
    return Step("read", {"filePath": path, **more})


def _one(id: str, content: Content, name: str = "f", **more: Any) -> Case:
    return case(f"read-{id}", read(f"{HERE}/{name}", **more), files={name: content})


def _in(id: str, files: Mapping[str, Content], *steps: Step) -> Case:
    return case(f"read-{id}", *steps, files=files)


CASES: tuple[Case, ...] = (
    _one("whole", b"hello\nhello again\nx\n"),
    _in("relative", {"f": b"a\n"}, read(f"{REL}/f")),
    _in("dots", {"sub/f": b"a\n"}, read(f"{HERE}/sub/../sub/./f")),
    _in("twice", {"f": b"a\nb\n"}, read(), read(offset=2)),
    _one("no-final-newline", b"a\nb"),
    _one("empty", b""),
    _one("empty-offset-1", b"", offset=1),
    _one("empty-offset-2", b"", offset=2),
    _one("only-newlines", b"\n\n\n"),
    _one("offset-0-limit-0", b"a\nb\n", offset=0, limit=0),
    _one("offset", b"a\nb\nc\n", offset=3, limit=1),
    _one("limit", b"a\nb\nc\n", limit=2),
    _one("limit-is-all", b"a\nb\nc\n", limit=3),
    _one("offset-beyond", b"a\nb\nc\n", offset=4),
    _one("more-than-2000-lines", _NUMBERED),
    _one("more-than-2000-lines-end", _NUMBERED, offset=2990),
    _one("more-than-2000-lines-asked", _NUMBERED, limit=2500),
    _one("capped", _WIDE),
    _one("capped-offset", _WIDE, offset=100),
    _one("capped-goes-on", _WIDE, offset=563),
    _one("long-line", b"z" * 2500 + b"\nend"),
    _one("line-of-2000", b"z" * 2000 + b"\n" + b"z" * 2001),
    _one("long-line-astral", ("z" * 1999 + "\U0001f600" * 3).encode()),
    _one("wide-characters", "é€\U0001f600é€\U0001f600é€\U0001f600é€\n".encode() * 3000),
    _one("crlf", b"a\r\nb\r\n"),
    _one("crlf-no-final", b"a\r\n\r\nb"),
    _one("cr-alone", b"a\rb\r\n\rc\nd\r"),
    _one("cr-at-end", b"a\r"),
    _one("bom", b"\xef\xbb\xbfa\nb\n"),
    _one("bom-alone", b"\xef\xbb\xbf"),
    _one("bom-crlf", b"\xef\xbb\xbfa\r\nb\r\n"),
    _one("bad-utf-8", b"caf\xe9\n\xff\xfe\n"),
    _one("cut-utf-8", b"a\xe2\x82\nb\xf0\x9f\x98\n"),
    _one("line-separators", "a\u2028b\u2029c\u0085d\ve\ff\n".encode()),
    _one(
        "other-encoding",
        "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c\u3002\u30c6\u30b9\u30c8\n".encode("shift_jis") * 40,
    ),
    _one("big-first", _BIG),
    _one("big-middle", _BIG, offset=9_999, limit=3),
    _one("big-end", _BIG, offset=19_999),
    _one("big-beyond", _BIG, offset=20_001),
    _one("big-long-line", b"q" * 1_500_000 + b"\nend\n"),
    _one("big-crlf-bom", b"\xef\xbb\xbf" + _BIG.replace(b"\n", b"\r\n"), limit=2),
    _one("big-no-final-newline", _BIG + b"last", offset=20_001),
    _in("folder", {name: b"" for name in _NAMES} | {"sub/x": b"", "link": Link("sub"), "dead": Link("no")}, read(HERE)),
    _in("folder-slash", {"a": b"", "b": FOLDER}, read(f"{HERE}/")),
    _in("folder-empty", {"void": FOLDER}, read(f"{HERE}/void")),
    _in("folder-paged", {name: b"" for name in "abcdef"}, read(HERE, offset=2, limit=2)),
    _in("folder-paged-end", {name: b"" for name in "abcdef"}, read(HERE, offset=5, limit=9)),
    _in("folder-beyond", {name: b"" for name in "abc"}, read(HERE, offset=9)),
    _in("folder-limit-0", {name: b"" for name in "abc"}, read(HERE, limit=0)),
    _in("folder-more-than-2000", {f"n{n}": b"" for n in range(2003)}, read(HERE)),
    _in("folder-link", {"sub/x": b"", "link": Link("sub")}, read(f"{HERE}/link")),
    case("read-workdir", read("", offset=1, limit=1)),
    _in("missing", {}, read(f"{HERE}/zzzzzz")),
    _in("missing-folder", {}, read(f"{HERE}/no/such/file")),
    _in("missing-alike", {"a.txt": b""}, read(f"{HERE}/a.tx")),
    _in("missing-alike-case", {"README.md": b""}, read(f"{HERE}/readme")),
    _in("missing-alike-longer", {"main": b""}, read(f"{HERE}/main.py")),
    _in("missing-alike-many", {f"x{n}.py": b"" for n in "3142"} | {"other": b""}, read(f"{HERE}/x")),
    _in("below-a-file", {"f": b"a\n"}, read(f"{HERE}/f/g")),
    _in("file-with-slash", {"f": b"a\n"}, read(f"{HERE}/f/")),
    _in("dead-link", {"dead": Link("no")}, read(f"{HERE}/dead")),
    _in("link", {"f": b"a\n", "link": Link("f")}, read(f"{HERE}/link")),
    _in("link-to-archive", {"f.zip": b"text\n", "link": Link("f.zip")}, read(f"{HERE}/link")),
    _in("link-named-archive", {"f": b"text\n", "link.zip": Link("f")}, read(f"{HERE}/link.zip")),
    _one("binary-extension", b"text", "x.zip"),
    _one("binary-extension-upper", b"text", "X.ZIP"),
    _one("binary-object", b"text", "x.o"),
    _one("binary-name-only-dot", b"text", ".bin"),
    _one("binary-nul", b"a\0b"),
    _one("binary-control", b"\x01\x02\x03abcde"),
    _one("text-few-controls", b"\x01\x02abcdefgh"),
    _one("nul-after-4096", b"a" * 4096 + b"\0b\n"),
    _one("png", _PNG, "x.png"),
    _one("png-by-content", _PNG, "x.txt"),
    _one("text-named-png", b"text\n", "x.png"),
    _one("empty-named-png", b"", "x.png"),
    _one("gif", _GIF, "x.gif"),
    _one("jpeg", _JPEG, "x.jpg"),
    _one("jpeg-broken", _BROKEN_JPEG, "x.jpg"),
    _one("webp", _WEBP, "x.webp"),
    _one("pdf", _PDF, "x.pdf"),
    _one("pdf-by-content", _PDF, "x"),
    _one("svg", b"<svg></svg>\n", "x.svg"),
    _one("bmp", b"BM" + bytes(60), "x.bmp"),
    _one("bmp-named-png", b"BM" + bytes(60), "x.png"),
    _in("instructions", {"AGENTS.md": b"be nice\n", "f": b"a\n"}, read(), read()),
    _in(
        "instructions-nested",
        {"AGENTS.md": b"outer\n", "sub/AGENTS.md": b"inner", "sub/deep/f": b"a\n", "sub/g": b"b\n"},
        read(f"{HERE}/sub/deep/f"),
        read(f"{HERE}/sub/g"),
    ),
    _in("instructions-claude", {"CLAUDE.md": b"be brief\n", "f": b"a\n"}, read()),
    _in("instructions-both", {"CLAUDE.md": b"no\n", "AGENTS.md": b"yes\n", "f": b"a\n"}, read()),
    _in("instructions-context", {"CONTEXT.md": b"deprecated\n", "f": b"a\n"}, read()),
    _in("instructions-empty", {"AGENTS.md": b"", "f": b"a\n"}, read()),
    _in("instructions-itself", {"AGENTS.md": b"be nice\n", "f": b"a\n"}, read(f"{HERE}/AGENTS.md"), read()),
    _in("instructions-folder", {"sub/AGENTS.md": b"be nice\n", "sub/f": b"a\n"}, read(f"{HERE}/sub")),
    _in("instructions-image", {"AGENTS.md": b"be nice\n", "x.png": _PNG}, read(f"{HERE}/x.png"), read(f"{HERE}/x.png")),
    _in("instructions-bom", {"AGENTS.md": b"\xef\xbb\xbfbe nice\r\n", "f": b"a\n"}, read()),
    case("read-outside", read("/proc/version")),
    _in("odd-name", {"a b\u00e9'$x\n.txt": b"odd\n"}, read(f"{HERE}/a b\u00e9'$x\n.txt")),
    _in("home", {"~/f": b"a\n"}, read("~/f"), read(f"{HERE}/~/f")),
)
