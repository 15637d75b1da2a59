from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.editing.file_patch import FilePatch, PatchKind
from pybridge.editing.patches import parse_patch
from pybridge.editing.unified_diff import unified_diff
from pybridge.editing.unified_patch import parse_unified_patch
from pybridge.errors import PatchError, ToolError
from tests.kit.counterparts import need

pytestmark = pytest.mark.unit

NAMES = "--- a/f\n+++ b/f\n"


def one(patch_text: str) -> FilePatch:
    (patch,) = parse_unified_patch(patch_text)
    return patch


@pytest.mark.parametrize(
    ("hunk", "old", "new"),
    [
        ("@@ -1,2 +1,2 @@\n a\n-b\n+c\n", "a\nb\n", "a\nc\n"),
        ("@@ -1 +1 @@\n-a\n+b", "a\n", "b\n"),
        ("@@ -0,0 +1,1 @@\n+a\n", "", "a\n"),
        ("@@ -1,0 +2,1 @@\n+x\n", "a\nb\n", "a\nx\nb\n"),
        ("@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n", "a", "a\n"),
        ("@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n", "a\n", "a"),
        ("@@ -1 +1 @@\n-a\n\\ Kein Zeilenumbruch am Dateiende.\n+b\n\\ Kein ...\n", "a", "b"),
        ("@@ -1,1 +1,2 @@\n a\n+b\n", "a", "a\nb\n"),
        ("@@ -1,9 +1,1 @@\n a\n-b\n+c\n", "a\nb\n", "a\nc\n"),
        ("@@ -1,1 +1,1 @@\n a\n-b\n+c\n d\n", "a\nb\nd\n", "a\nc\nd\n"),
        ("@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n", "a\n\nb\n", "a\n\nc\n"),
        ("@@ -40,2 +40,2 @@\n a\n-b\n+c\n", "x\na\nb\n", "x\na\nc\n"),
        ("@@ ... @@\n a\n-b\n+c\n", "x\na\nb\n", "x\na\nc\n"),
        ("@@\n-b\n+c\n", "a\nb\n", "a\nc\n"),
        ("@@ -1,2 +1,2 @@ def f():\n a\n-b\n+c\n", "a  \nb\n", "a  \nc\n"),
        ("@@ -1 +1 @@\n--- x\n+++ y\n", "-- x\n", "++ y\n"),
        ("@@ -3 +3 @@\n-c\n+C\n@@ -1 +1 @@\n-a\n+A\n", "a\nb\nc\n", "A\nb\nC\n"),
        ("@@ -1 +1 @@\n-a\n+b\n-- \n2.43.0\n\n", "a\n", "b\n"),
    ],
)
def test_hunks_are_applied(hunk: str, old: str, new: str) -> None:
    assert one(NAMES + hunk).apply(old) == new


@pytest.mark.parametrize(
    ("hunk", "text", "message"),
    [
        (
            "@@ -1 +1 @@\n-x\n+y\n",
            "a\n",
            "verification failed: Error: Failed to find expected lines in f:\nx",
        ),
        ("@@ -2 +2 @@\n-x\n+y\n", "x\na\nx\n", "more than once (at line 1, 3)"),
        ("@@\n-x\n+y\n", "x\nx\n", "more than once (at line 1, 2)"),
        ("@@ -7,0 +8 @@\n+y\n", "x\n", "f has 1 lines, too few for a hunk at 7"),
        ("@@\n+y\n", "x\n", "adds lines without saying where"),
        ("@@ -1,2 +1,2 @@\n a\n-b\n+c\n@@ -1,0 +2 @@\n+x\n", "a\nb\n", "two hunks of f change the same lines"),
    ],
)
def test_hunks_that_do_not_fit_are_refused(hunk: str, text: str, message: str) -> None:
    with pytest.raises(PatchError) as caught:
        one(NAMES + hunk).apply(text)
    assert message in str(caught.value)


def test_the_nearest_place_is_taken() -> None:
    text = "x\n" + "a\n" * 10 + "x\n"
    assert one(NAMES + "@@ -3 +3 @@\n-x\n+y\n").apply(text).startswith("y\n")
    assert one(NAMES + "@@ -11 +11 @@\n-x\n+y\n").apply(text).endswith("y\n")


def test_a_shift_found_for_one_hunk_holds_for_the_next() -> None:
    text = "new\n" * 3 + "a\nx\nb\nx\n"
    patch = one(NAMES + "@@ -1 +1 @@\n-a\n+A\n@@ -4 +4 @@\n-x\n+X\n")
    assert patch.apply(text) == "new\n" * 3 + "A\nx\nb\nX\n"


@pytest.mark.parametrize(
    ("text", "kind", "path", "move_to"),
    [
        ("--- a/d/f\n+++ b/d/f\n@@ -1 +1 @@\n-a\n+b\n", "update", "d/f", None),
        ("--- d/f\n+++ d/f\n@@ -1 +1 @@\n-a\n+b\n", "update", "d/f", None),
        ("--- a/f\n+++ a/f\n@@ -1 +1 @@\n-a\n+b\n", "update", "a/f", None),
        ("--- f.orig\t2026-01-01 00:00:00\n+++ f\t2026-01-01\n@@ -1 +1 @@\n-a\n+b\n", "update", "f", None),
        ("--- /w/a b\n+++ /w/a b\n@@ -1 +1 @@\n-a\n+b\n", "update", "/w/a b", None),
        ('--- "a/\\303\\251"\n+++ "b/\\303\\251"\n@@ -1 +1 @@\n-a\n+b\n', "update", "é", None),
        ("--- a/f\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n", "update", "f", "g"),
        ("diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n", "update", "f", "g"),
        (
            "diff --git a/x y b/x z\nrename from x y\nrename to x z\n--- a/x y\n+++ b/x z\n@@ -1 +1 @@\n-a\n+b\n",
            "update",
            "x y",
            "x z",
        ),
        ("--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+b\n", "add", "f", None),
        ("diff --git a/f b/f\nnew file mode 100644\nindex 0..e69\n", "add", "f", None),
        ("--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "delete", "f", None),
        ("diff --git a/p q b/p q\ndeleted file mode 100644\nindex e69..0\n", "delete", "p q", None),
        ("Sure:\n\nIndex: f\n=====\n--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\nDone.\n", "update", "f", None),
    ],
)
def test_file_names(text: str, kind: str, path: str, move_to: str | None) -> None:
    patch = one(text)
    assert (patch.kind.value, patch.path, patch.move_to) == (kind, path, move_to)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@@ -1 +1 @@\n-a\n+b\n", "before any file name"),
        ("--- a/f\n+++ b/f\n", "the diff of f has no hunks"),
        ("diff --git a/f b/f\nindex 1..2\nGIT binary patch\nliteral 1\n", "binary"),
        ("Binary files a/f and b/f differ\n", "binary"),
        ("diff --git a/f b/g\ncopy from f\ncopy to g\n", "copies"),
        ("--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n", "does not name a file"),
        ("diff --git a/f b/f\nold mode 100644\nnew mode 100755\n", "no hunks found"),
    ],
)
def test_what_cannot_be_done_is_refused(text: str, message: str) -> None:
    with pytest.raises(PatchError, match=message):
        parse_unified_patch(text)


def test_an_added_file_has_the_lines_of_the_patch() -> None:
    patch = one("--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file\n")
    assert (patch.kind, patch.apply("")) == (PatchKind.ADD, "a\nb")
    assert one("--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\r\n").apply("") == "a\r\n"
    assert one("--- /dev/null\r\n+++ b/f\r\n@@ -0,0 +1 @@\r\n+a\r\n").apply("") == "a\n"


def test_a_deletion_must_account_for_the_whole_file() -> None:
    patch = one("--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n")
    assert patch.apply("a\n") == ""
    with pytest.raises(PatchError, match="holds more than the patch deletes"):
        patch.apply("a\nb\n")


def test_crlf() -> None:
    hunk = "@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    assert one(NAMES + hunk).apply("a\r\nb\r\n") == "a\r\nc\r\n"
    assert one((NAMES + hunk).replace("\n", "\r\n")).apply("a\nb\n") == "a\nc\n"
    assert one(NAMES + "@@ -1 +1 @@\n-a\r\n+a\n").apply("a\r\n") == "a\n"


def test_several_files_in_order() -> None:
    text = NAMES + "@@ -1 +1 @@\n-a\n+b\n\n" + NAMES.replace("f", "g") + "@@ -1 +1 @@\n-c\n+d\n"
    first, second = parse_unified_patch(text)
    assert (first.path, first.apply("a\n")) == ("f", "b\n")
    assert (second.path, second.apply("c\n")) == ("g", "d\n")


TEXT = st.lists(st.sampled_from(["a", "b", "", "-- x", "++ y", "@@", " c", "\\d", "*** e"]), max_size=15).flatmap(
    lambda lines: st.sampled_from(["\n".join(lines), "".join(f"{line}\n" for line in lines)])
)


@given(TEXT, TEXT)
def test_our_own_diff_gives_the_new_text(old: str, new: str) -> None:
    if old != new:
        assert one(unified_diff("f", old, new)).apply(old) == new


@given(TEXT, TEXT)
def test_our_own_diff_gives_the_new_text_of_a_crlf_file(old: str, new: str) -> None:
    crlf_old, crlf_new = old.replace("\n", "\r\n"), new.replace("\n", "\r\n")
    if old != new:
        assert one(unified_diff("f", crlf_old, crlf_new)).apply(crlf_old) == crlf_new


LINES = st.lists(
    st.sampled_from(["--- a/f", "+++ b/f", "--- /dev/null", "+++ /dev/null", "@@ -1,2 +1,2 @@", "@@", "@@ -0,0 +1 @@"])
    | st.sampled_from([" a", "-a", "+b", "", "\\ No newline at end of file", "diff --git a/f b/f", "rename from f"])
    | st.sampled_from(["rename to g", "new file mode 1", "index 1..2 100644", '--- "a/\\777"', "+++ ", "\\"])
    | st.text(max_size=5),
    max_size=15,
)


@given(LINES.map("\n".join), st.text("ab\r\n", max_size=12))
def test_arbitrary_text_raises_nothing_but_tool_errors(patch_text: str, text: str) -> None:
    for parse in (parse_patch, parse_unified_patch):
        try:
            for patch in parse(patch_text):
                patch.apply(text)
        except ToolError as error:
            assert error.message


@pytest.mark.parametrize("options", [[], ["--no-prefix"], ["-U0"], ["--src-prefix=i/", "--dst-prefix=w/"]])
def test_a_diff_of_git(tmp_path: Path, options: list[str]) -> None:
    git = need("git")
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_bytes(b"".join(b"line %d\n" % i for i in range(40)))
    new.write_bytes(old.read_bytes().replace(b"line 3\n", b"three\n").replace(b"line 30\n", b"").removesuffix(b"\n"))
    command = [git, "diff", "--no-index", *options, "old.txt", "new.txt"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    patch = one(shown)
    assert (patch.path, patch.move_to) == ("old.txt", "new.txt")
    assert patch.apply(old.read_text()).encode() == new.read_bytes()


def test_a_newline_at_the_end_of_a_file_of_mixed_line_ends() -> None:
    old = "e\r\ne\r\na\na\na\na\na"
    assert one(unified_diff("f", old, old + "\n")).apply(old) == old + "\n"
