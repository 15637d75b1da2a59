from __future__ import annotations

import pytest

from pybridge.editing.file_patch import PatchKind
from pybridge.editing.patches import parse_patch
from pybridge.errors import PatchError

pytestmark = pytest.mark.unit


def test_both_formats_are_told_apart() -> None:
    own = parse_patch("*** Begin Patch\n*** Update File: f\n@@\n-a\n+b\n*** End Patch")
    unified = parse_patch("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n")
    assert [(p.kind, p.path, p.apply("a\n")) for p in own] == [(p.kind, p.path, p.apply("a\n")) for p in unified]
    assert own[0].kind is PatchKind.UPDATE


def test_a_new_file_may_hold_a_diff() -> None:
    (patch,) = parse_patch("*** Begin Patch\n*** Add File: x.diff\n+--- a\n++++ b\n*** End Patch")
    assert (patch.path, patch.apply("")) == ("x.diff", "--- a\n+++ b\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "patchText is required"),
        ("hello", "apply_patch verification failed: Error: Invalid patch format: missing Begin/End markers"),
    ],
)
def test_neither_format(text: str, message: str) -> None:
    with pytest.raises(PatchError) as caught:
        parse_patch(text)
    assert str(caught.value) == message
