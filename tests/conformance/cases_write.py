"""Scripted cases of write."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conformance.case import FOLDER, HERE, REL, Case, Content, File, Link, Step, case
from tests.conformance.cases_bash import bash
from tests.conformance.cases_read import read


def write(content: str, path: str = f"{HERE}/f") -> Step:
    return Step("write", {"filePath": path, "content": content})


def _case(id: str, files: Mapping[str, Content], *steps: Step) -> Case:
    return case(f"write-{id}", *steps, files=files)


CASES: tuple[Case, ...] = (
    _case("new", {}, write("a\nb\n")),
    _case("new-relative", {}, write("a\n", f"{REL}/f")),
    _case("new-with-parents", {}, write("x", f"{HERE}/new/deep/f.txt")),
    _case("new-empty", {}, write("")),
    _case("new-dots", {"sub": FOLDER}, write("a\n", f"{HERE}/sub/../f")),
    _case("existing", {"f": b"old\n"}, write("new\n")),
    _case("existing-same", {"f": b"same\n"}, write("same\n")),
    _case("existing-empty", {"f": b"old\n"}, write("")),
    _case("keeps-bom", {"f": b"\xef\xbb\xbfold\n"}, write("new\n")),
    _case("brings-bom", {"f": b"old\n"}, write("\ufeffnew\n")),
    _case("bom-twice", {"f": b"\xef\xbb\xbfold\n"}, write("\ufeffnew\n")),
    _case("new-bom", {}, write("\ufeffnew\n")),
    _case(
        "keeps-mode",
        {"f": File(b"#!/bin/sh\n", 0o755), "g": File(b"x", 0o600)},
        write("#!/bin/sh\nls\n"),
        write("y", f"{HERE}/g"),
    ),
    _case("crlf-is-as-given", {"f": b"a\r\nb\r\n"}, write("a\nc\n")),
    _case("crlf-given", {}, write("a\r\nb\r\n")),
    _case("unicode", {}, write("h\u00e9 \u20ac \U0001f600\n")),
    _case("no-final-newline", {"f": b"a\n"}, write("a\nb")),
    _case("through-link", {"real/f": b"old\n", "f": Link("real/f")}, write("new\n")),
    _case("onto-folder", {"f": FOLDER}, write("x")),
    _case("below-a-file", {"f": b"a\n"}, write("x", f"{HERE}/f/g")),
    _case("odd-name", {}, write("x", f"{HERE}/a b\u00e9'$x.txt")),
    _case("large", {}, write("0123456789abcdef\n" * 20_000)),
    _case("read-then-write", {"f": b"old\n"}, read(), write("new\n"), write("newer\n")),
    _case("changed-since-read", {"f": b"old\n"}, read(), bash(f"echo more >> {HERE}/f"), write("new\n")),
    _case("not-utf-8", {"f": b"caf\xe9\n"}, write("plain\n")),
)
