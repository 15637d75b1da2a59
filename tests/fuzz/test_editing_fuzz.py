"""What a model may send, and files as they may be: patches, edits, encodings, arguments."""

from __future__ import annotations

import contextlib
import itertools
import json
import time

import pytest
from hypothesis import strategies as st

from pybridge.editing.encoding import decode, encode
from pybridge.editing.file_patch import PatchKind
from pybridge.editing.patches import parse_patch
from pybridge.editing.replacing import edit_text
from pybridge.editing.unified_diff import display_diff, unified_diff
from pybridge.editing.unified_patch import parse_unified_patch
from pybridge.errors import EditError, EncodingError, PatchError, ToolArgumentsError
from pybridge.tools.arguments import ARGUMENTS, Arguments, parse_arguments
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.spoiling import spoiled, spoiled_text

pytestmark = pytest.mark.unit

TEXT = "one\ntwo\n\tthree\n\nfour\u2019s\r\nfive\n"
PATCHES = (
    "*** Begin Patch\n*** Update File: a/b.py\n*** Move to: c.py\n@@ one\n two\n-\tthree\n+3\n*** End of File\n"
    "*** Add File: new\n+x\n+\n*** Delete File: old\n*** End Patch\n",
    "cat <<'EOF'\n*** Begin Patch\n*** Update File: a\n-one\n+1\n@@\n-five\n*** End Patch\nEOF\n",
    "--- a/x\t2024-01-01\n+++ b/x\n@@ -1,3 +1,3 @@ def\n one\n-two\n+2\n \tthree\n\\ No newline at end of file\n",
    'diff --git "a/\\303\\251 x" "b/\\303\\251 x"\nnew file mode 100644\n'
    '--- /dev/null\n+++ "b/\\303\\251 x"\n@@ -0,0 +1 @@\n+a\n',
    "diff --git a/o b/n\nsimilarity index 90%\nrename from o\nrename to n\n@@ -1 +1 @@\n-one\n+1\n",
    "Index: x\n=====\n--- x\n+++ x\n@@ ... @@\n one\n-two\n+2\n-- \n2.39\n",
    "--- a\r\n+++ b\r\n@@ -1,2 +1,2 @@\r\n one\r\n-two\r\n+2\r\n",
)  # fmt: skip


def test_a_patch_is_read_or_refused(request: pytest.FixtureRequest) -> None:
    def check(text: str) -> None:
        try:
            files = parse_patch(text)
        except PatchError:
            return
        for file in files:
            assert file.path
            try:
                assert isinstance(file.apply(TEXT), str)
            except PatchError:
                continue

    fuzz(request, "patches", spoiled_text(*PATCHES, most=3), check, 700)


_LINES = st.lists(
    st.sampled_from(
        ["a", "b", "", "\tc", " d ", "é", "--- x", "+++ y", "@@ -1 +1 @@", "\\ No", "e\r", "\x0c", "\u2028"]
    ),
    max_size=9,
)
_TEXTS = st.tuples(_LINES, st.booleans()).map(lambda both: "\n".join(both[0]) + "\n" * both[1])


def test_our_own_diff_leads_to_the_new_text(request: pytest.FixtureRequest) -> None:
    def check(value: tuple[str, str]) -> None:
        old, new = value
        assert display_diff("file", old, new)
        if old == new or not old or not new:
            return
        (patch,) = parse_unified_patch(unified_diff("file", old, new))
        assert patch.kind is PatchKind.UPDATE
        assert patch.apply(old) == new

    fuzz(request, "diffs, applied again", st.tuples(_TEXTS, _TEXTS), check, 700)


def test_an_edit_changes_one_place_or_is_refused(request: pytest.FixtureRequest) -> None:
    files = st.one_of(_TEXTS, spoiled_text(TEXT, "  if x:\n    y\n  end\n" * 3, "a  b\tc\n" * 5, most=2))

    def check(value: tuple[str, str, str, bool]) -> None:
        text, old, new, everywhere = value
        try:
            edited = edit_text(text, old, new, replace_all=everywhere)
        except EditError:
            return
        assert edited != text or new in text

    fuzz(request, "edits", st.tuples(files, files, _TEXTS, st.booleans()), check, 400)


def test_what_is_decoded_is_encoded_to_the_same_bytes(request: pytest.FixtureRequest) -> None:
    contents = spoiled(
        TEXT.encode(), "\ufeffé\n".encode(), "é\n".encode("utf-16"), "é€\n".encode("utf-32"),
        "日本語\n".encode("shift_jis"), b"caf\xe9\r\n", b"\xff\xfe\x00\xd8\n\0", b"\x1b$B\n",
    )  # fmt: skip

    def check(value: tuple[bytes, str | None]) -> None:
        content, encoding = value
        document = decode(content, encoding=encoding)
        assert encode(document, path="f") == content
        assert "\udc80" not in document.shown
        try:
            again = encode(document.with_text(document.text + "é€\ud800x"), path="f")
        except EncodingError:
            return
        assert again

    names = st.sampled_from([None, "latin-1", "cp1252", "shift_jis", "utf-7", "utf-16", "gb18030", "idna", "punycode"])
    fuzz(request, "encodings", st.tuples(contents, names), check, 300)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("\ud800")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip
_KEYS = sorted({field.alias or name for model in ARGUMENTS.values() for name, field in model.model_fields.items()})


def test_any_json_is_arguments_or_refused(request: pytest.FixtureRequest) -> None:
    calls = st.one_of(_JSON, st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=5))

    def check(value: tuple[str, object]) -> None:
        tool, raw = value
        try:
            assert isinstance(parse_arguments(tool, raw), Arguments)
        except ToolArgumentsError as error:
            assert error.message
            json.dumps(error.message)

    fuzz(request, "arguments of tools", st.tuples(st.sampled_from(sorted(ARGUMENTS)), calls), check, 700)


@pytest.mark.parametrize("tool", sorted(ARGUMENTS))
def test_arguments_nested_as_deep_as_json_may_be_are_refused(tool: str) -> None:
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    for raw in (deep, {name: deep for name in _KEYS}, 10**5000, {name: 10**5000 for name in _KEYS}):
        with pytest.raises(ToolArgumentsError):
            parse_arguments(tool, raw)


SLOW = {
    "one line of a megabyte": ("x" * 1_000_000, "y" * 1000),
    "many equal lines": ("same\n" * 10_000, "same\n" * 200 + "other\n"),
    "many candidates for a block": ("begin\nx\nend\n" * 5_000, "begin\ny\nz\nend"),
    "long lines in a block": ("begin\n" + "ab" * 12_000 + "\nend\n", "begin\n" + "ba" * 12_000 + "\nend"),
    "white space alone": (" \t" * 100_000, "\t \t\n"),
    "escapes alone": ("\\n" * 100_000, "\\\\n" * 1000 + "x"),
}


@pytest.mark.parametrize("name", SLOW)
def test_no_edit_takes_for_ever(name: str) -> None:
    text, old = SLOW[name]
    begun = time.process_time()
    with contextlib.suppress(EditError):
        edit_text(text, old, "new")
    assert time.process_time() - begun < 60


SLOW_PATCHES = {
    "a git header of many words": "diff --git " + "a " * 300_000 + "\n",
    "a git header of many quotes": 'diff --git "' + '\\"' * 100_000 + "\n",
    "a heredoc that never ends": "<<EOF\n*** Begin Patch\n" + "EO\n" * 100_000 + "*** End Patch",
    "many hunks without lines": "--- a\n+++ b\n" + "@@ -1 +1 @@\n" * 50_000,
    "many files": "".join(f"--- a/{n}\n+++ b/{n}\n@@ -1 +1 @@\n-x\n+y\n" for n in range(3000)),
    "a hunk as long as a number can be": "--- a\n+++ b\n@@ -1," + "9" * 5000 + " +1 @@\n-x\n+y\n",
    "a hunk as far as a number can be": "--- a\n+++ b\n@@ -" + "9" * 5000 + " +1 @@\n-x\n+y\n",
    "blanks": "*** Begin Patch\n*** Update File: " + " " * 300_000 + "x" + " " * 300_000 + "\n*** End Patch",
}


@pytest.mark.parametrize("name", SLOW_PATCHES)
def test_no_patch_takes_for_ever(name: str) -> None:
    begun = time.process_time()
    try:
        for file in itertools.islice(parse_patch(SLOW_PATCHES[name]), 100):
            file.apply("x\n" * 100)
    except PatchError:
        pass
    assert time.process_time() - begun < 60
