"""Scripted cases of apply_patch."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conformance.case import FOLDER, HERE, REL, Case, Content, File, Link, Step, case, patch

_F = f"*** Update File: {REL}/f"
_LINES = b"one\ntwo\nthree\nfour\nfive\n"
_CODE = b"class A:\n    def f(self):\n        return 1\n\nclass B:\n    def f(self):\n        return 1\n"


def _one(id: str, content: Content, *lines: str) -> Case:
    return case(f"patch-{id}", patch(_F, *lines), files={"f": content})


def _in(id: str, files: Mapping[str, Content], *lines: str) -> Case:
    return case(f"patch-{id}", patch(*lines), files=files)


def _raw(id: str, text: str, files: Mapping[str, Content] | None = None) -> Case:
    return case(f"patch-{id}", Step("apply_patch", {"patchText": text}), files=files)


_CHANGE = f"*** Begin Patch\n{_F}\n@@\n-two\n+2\n*** End Patch"

CASES: tuple[Case, ...] = (
    _one("update", _LINES, "@@", " one", "-two", "+2", " three"),
    _one("update-only-removed", _LINES, "@@", "-two"),
    _one("update-two-chunks", _LINES, "@@", "-one", "+1", "@@", "-four", "+4"),
    _one("update-context", _CODE, "@@ class B:", "     def f(self):", "-        return 1", "+        return 2"),
    _one("update-context-only", _CODE, "@@ class B:", "-        return 1", "+        return 2"),
    _one("update-contexts", _CODE, "@@ class B:", "@@     def f(self):", "-        return 1", "+        return 2"),
    _one("update-context-trimmed", _CODE, "@@   def f(self):  ", "-        return 1", "+        return 2"),
    _in("absolute", {"f": _LINES}, f"*** Update File: {HERE}/f", "@@", "-two", "+2"),
    _in("add", {}, f"*** Add File: {REL}/n.txt", "+hi", "+there"),
    _in("add-with-parents", {}, f"*** Add File: {REL}/a/b/n.txt", "+hi"),
    _in("add-empty", {}, f"*** Add File: {REL}/n.txt"),
    _in("add-blank-last", {}, f"*** Add File: {REL}/n.txt", "+a", "+"),
    _in("add-bom", {}, f"*** Add File: {REL}/n.txt", "+\ufeffa"),
    _in("add-lines-without-plus", {}, f"*** Add File: {REL}/n.txt", "+a", "b", " c", "", "+d"),
    _in("add-existing", {"f": b"precious\n"}, f"*** Add File: {REL}/f", "+new"),
    _in("delete", {"f": _LINES}, f"*** Delete File: {REL}/f"),
    _in("delete-no-final-newline", {"f": b"a\nb"}, f"*** Delete File: {REL}/f"),
    _in("delete-empty", {"f": b""}, f"*** Delete File: {REL}/f"),
    _in("delete-bom", {"f": b"\xef\xbb\xbfa\n"}, f"*** Delete File: {REL}/f"),
    _in("move", {"f": _LINES}, _F, f"*** Move to: {REL}/sub/g", "@@", "-two", "+2"),
    _in("move-only", {"f": _LINES}, _F, f"*** Move to: {REL}/g"),
    _in("move-mode", {"f": File(_LINES, 0o755)}, _F, f"*** Move to: {REL}/g", "@@", "-two", "+2"),
    _in("move-onto-existing", {"f": _LINES, "g": b"precious\n"}, _F, f"*** Move to: {REL}/g", "@@", "-two", "+2"),
    _in("move-onto-itself", {"f": _LINES}, _F, f"*** Move to: {REL}/f", "@@", "-two", "+2"),
    _in(
        "all-kinds",
        {"f": _LINES, "g": b"g\n", "h": b"h\n"},
        *(_F, "@@", "-one", "+1"),
        *(f"*** Add File: {REL}/n", "+n"),
        *(f"*** Delete File: {REL}/g",),
        *(f"*** Update File: {REL}/h", f"*** Move to: {REL}/i", "@@", "-h", "+i"),
    ),
    _in("same-file-twice", {"f": _LINES}, _F, "@@", "-one", "+1", _F, "@@", "-five", "+5"),
    _in("mode", {"f": File(_LINES, 0o700)}, _F, "@@", "-two", "+2"),
    _in("through-link", {"real": _LINES, "f": Link("real")}, _F, "@@", "-two", "+2"),
    _raw("empty-text", ""),
    _raw("empty", "*** Begin Patch\n*** End Patch"),
    _raw("empty-crlf", "*** Begin Patch\r\n*** End Patch\r\n"),
    _raw("blank-inside", "*** Begin Patch\n\n*** End Patch"),
    _raw("no-hunks", "*** Begin Patch\njunk\n*** End Patch"),
    _raw("no-markers", "junk"),
    _raw("no-end", f"*** Begin Patch\n{_F}\n@@\n-two\n+2", {"f": _LINES}),
    _raw("markers-turned", "*** End Patch\n*** Begin Patch"),
    _raw("around", f"Here it is:\n{_CHANGE}\nThat was it.", {"f": _LINES}),
    _raw("markers-indented", f"  *** Begin Patch\n{_F}\n@@\n-two\n+2\n  *** End Patch", {"f": _LINES}),
    _raw("heredoc", f"<<'EOF'\n{_CHANGE}\nEOF", {"f": _LINES}),
    _raw("heredoc-cat", f"cat <<EOF\n{_CHANGE}\nEOF\n", {"f": _LINES}),
    _raw("heredoc-double-quoted", f'cat <<"PATCH"\n{_CHANGE}\nPATCH', {"f": _LINES}),
    _raw("crlf-text", _CHANGE.replace("\n", "\r\n"), {"f": _LINES}),
    _raw("crlf-text-add", f"*** Begin Patch\r\n*** Add File: {REL}/n\r\n+a\r\n+b\r\n*** End Patch\r\n"),
    _raw("crlf-text-crlf-file", _CHANGE.replace("\n", "\r\n"), {"f": _LINES.replace(b"\n", b"\r\n")}),
    _raw("unified", f"--- a/{REL}/f\n+++ b/{REL}/f\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n", {"f": _LINES}),
    _one("missing-lines", _LINES, "@@", "-not there", "+x"),
    _one("missing-context", _LINES, "@@ nowhere", "-two", "+2"),
    _one("missing-second", _LINES, "@@", "-one", "+1", "@@", "-zzz", "+2"),
    _in("missing-file", {}, f"*** Update File: {REL}/gone", "@@", "-a", "+b"),
    _in("missing-file-delete", {}, f"*** Delete File: {REL}/gone"),
    _in("folder", {"d": FOLDER}, f"*** Update File: {REL}/d", "@@", "-a", "+b"),
    _in("folder-delete", {"d": FOLDER}, f"*** Delete File: {REL}/d"),
    _in("one-of-two-fails", {"f": _LINES}, _F, "@@", "-two", "+2", f"*** Update File: {REL}/gone", "@@", "-a", "+b"),
    _in("no-name", {"f": _LINES}, "*** Update File: ", "@@", "-two", "+2"),
    _one("pass-trailing-blanks", b"one  \ntwo\t\nthree\n", "@@", " one", "-two", "+2"),
    _one("pass-trailing-blanks-in-patch", _LINES, "@@", " one   ", "-two  ", "+2"),
    _one("pass-trimmed", b"  one\n  two\n", "@@", " one", "-two", "+2"),
    _one("pass-quotes", "say \u201chi\u201d \u2013 it\u2019s\u2026\n".encode(), "@@", '-say "hi" - it\'s...', "+x"),
    _one("pass-nbsp", "a\u00a0b\n".encode(), "@@", "-a b", "+x"),
    _one("chunk-out-of-order", _LINES, "@@", "-four", "+4", "@@", "-two", "+2"),
    _one("chunk-nearest-below", b"x\na\nx\nb\n", "@@ a", "-x", "+y"),
    _one("duplicate-lines", b"x\nx\nx\n", "@@", "-x", "+y"),
    _one("addition-only", _LINES, "@@", "+six"),
    _one("addition-only-blank-last", b"one\n\n", "@@", "+two"),
    _one("addition-only-empty-file", b"", "@@", "+one"),
    _one("addition-under-context", _LINES, "@@ two", "+two and a half"),
    _one("addition-then-change", b"one\n\n", "@@", "+six", "@@", "-one", "-", "+1"),
    _one("no-at", _LINES, "-two", "+2"),
    _one("no-change", _LINES),
    _one("at-without-lines", _LINES, "@@", "@@ two"),
    _one("end-of-file", b"a\nb\na\n", "@@", "-a", "+z", "*** End of File"),
    _one("end-of-file-then-more", b"a\nb\na\n", "@@", "-a", "+z", "*** End of File", f"*** Add File: {REL}/n", "+n"),
    _one("blank-lines-without-space", b"one\n\ntwo\n", "@@", " one", "", "-two", "+2"),
    _one("blank-line-removed", b"one\n\ntwo\n", "@@", "-one", "-", "+1", " two"),
    _one("blank-at-end", b"one\ntwo\n", "@@", "-two", "+2", "-"),
    _one("blank-context-at-end", b"one\ntwo\n", "@@", "-two", "+2", " "),
    _one("file-ends-blank", b"one\ntwo\n\n", "@@", "-one", "+1"),
    _one("no-final-newline", b"one\ntwo", "@@", "-one", "+1"),
    _one("no-final-newline-last", b"one\ntwo", "@@", "-two", "+2"),
    _one("to-empty", b"one\n", "@@", "-one"),
    _one("crlf", b"a\r\nb\r\nc\r\n", "@@", "-b", "+B"),
    _one("crlf-context", b"a\r\nb\r\nc\r\n", "@@", " a", "-b", "+B", " c"),
    _one("bom", b"\xef\xbb\xbfone\ntwo\n", "@@", "-one", "+1"),
    _one("bom-added", b"one\ntwo\n", "@@", "-one", "+\ufeff1"),
    _one("not-utf-8", b"caf\xe9\ntwo\n", "@@", "-two", "+2"),
    _one("unicode", "h\u00e9\n\U0001f600\n".encode(), "@@", "-\U0001f600", "+\u20ac"),
    _one("indented-diff", b"    a\n    b\n    c\n", "@@", "     a", "-    b", "+    B"),
    _one("git-header", _LINES, "@@ -1,2 +1,2 @@", "-two", "+2"),
)
