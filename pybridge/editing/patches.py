"""Reads what apply_patch is given, in whichever of the two formats it is."""

from __future__ import annotations

from pybridge.editing.file_patch import FilePatch
from pybridge.editing.js_text import trim
from pybridge.editing.opencode_patch import BEGIN, parse_opencode_patch
from pybridge.editing.unified_patch import is_unified_diff, parse_unified_patch
from pybridge.errors import PatchError


def parse_patch(patch_text: str) -> list[FilePatch]:
    """The files of a patch, in its order; OpenCode's format if it has the begin marker.

    Raises:
        PatchError: the patch is empty, or in neither format.
    """
    if not patch_text:
        raise PatchError("patchText is required")
    if any(trim(line) == BEGIN for line in patch_text.split("\n")) or not is_unified_diff(patch_text):
        return parse_opencode_patch(patch_text)
    return parse_unified_patch(patch_text)
