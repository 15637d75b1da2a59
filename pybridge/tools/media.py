"""Which files are shown to the model as they are: images and PDF, told by their first bytes, else by their name."""

from __future__ import annotations

import posixpath

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_OTHER_SIGNATURES = (b"BM",)  # a bitmap, whatever its name: no type a model takes

_ATTACHED = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jpe": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
}


def attached_type(name: str, head: bytes) -> str | None:
    """The media type of a file that is shown to the model as it is; None for any other.

    Args:
        name: of the file, symlinks resolved.
        head: its first bytes; they count more than the name.
    """
    for signature, mime in _SIGNATURES:
        if head.startswith(signature):
            return mime
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(_OTHER_SIGNATURES):
        return None
    return _ATTACHED.get(_extension(name))


def _extension(name: str) -> str:
    return posixpath.splitext(name)[1].lower()
