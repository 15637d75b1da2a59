"""Bytes to text and back, without losing a byte.

A file is UTF-8 where its bytes are; otherwise a codec is used only if the whole file goes through it and back
unchanged, and only if someone says so (REMOTE_ENCODING) or detection is at least 0.9 sure. Else the bytes that are not
UTF-8 are carried as lone surrogates (PEP 383), so that what an edit leaves alone stays as it is.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace

from pybridge.editing.js_text import BOM
from pybridge.editing.text_lines import newline_of
from pybridge.errors import ConfigurationError, EncodingError

MIN_CONFIDENCE = 0.9
"""How sure detection must be, from 0 to 1, before its answer is used."""

DETECTION_BYTES = 256 * 1024
"""How much of a file detection looks at."""

UTF8 = "utf-8"

# Longest first: the mark of UTF-32-LE begins with that of UTF-16-LE.
_MARKS = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNICODE = frozenset(codec for _, codec in _MARKS)


@dataclass(frozen=True)
class Document:
    """A file's text and how it is written as bytes.

    Args:
        text: without the byte order mark; bytes that do not decode are lone surrogates U+DC80 to U+DCFF.
        codec: Python's name of the encoding.
        bom: the file begins with a byte order mark.
        raw_bytes: `text` has bytes that do not decode, so lone surrogates in it are written as those bytes.
    """

    text: str = ""
    codec: str = UTF8
    bom: bool = False
    raw_bytes: bool = False

    @property
    def newline(self) -> str:
        """`"\\r\\n"` if the file contains it, else `"\\n"`."""
        return newline_of(self.text)

    @property
    def shown(self) -> str:
        """The text for a reader: U+FFFD for what does not decode, as the WHATWG Encoding Standard has it."""
        if self.raw_bytes:
            return self.text.encode(UTF8, "surrogateescape").decode(UTF8, "replace")
        return self.text

    def with_text(self, text: str) -> Document:
        """The same file with other text. A byte order mark that `text` brings along becomes the file's own."""
        if text.startswith(BOM) and not self.text.startswith(BOM) and self.codec in _UNICODE:
            return replace(self, text=text[1:], bom=True)
        return replace(self, text=text)


def decode(content: bytes, *, encoding: str | None = None) -> Document:
    """The text of a file, such that `encode` gives its bytes back.

    Args:
        content: the whole file.
        encoding: the codec to use for a file that is not UTF-8 (REMOTE_ENCODING), where it fits.

    Raises:
        ConfigurationError: `encoding` is not the name of a text encoding.
    """
    named = None if encoding is None else codec_name(encoding)
    for mark, codec in _MARKS:
        if content.startswith(mark):
            document = _exact(content[len(mark) :], codec)
            if document is not None:
                return replace(document, bom=True)
            if codec == UTF8:
                return _escaped(content[len(mark) :], bom=True)
    document = _exact(content, UTF8)
    if document is None and named is not None:
        document = _exact(content, named)
    if document is None:
        detected = _detect(content)
        document = None if detected is None else _exact(content, detected)
    return document or _escaped(content)


def encode(document: Document, *, path: str) -> bytes:
    """The bytes of a document, every character in the file's encoding.

    Args:
        path: how a message names the file.

    Raises:
        EncodingError: the text has a character that the encoding has not.
    """
    try:
        content = document.text.encode(document.codec, "surrogateescape" if document.raw_bytes else "strict")
    except UnicodeEncodeError as error:
        raise _cannot_encode(document, path, document.text[error.start]) from error
    if not document.raw_bytes:
        # Some codecs write two characters as the same bytes; the second would come back as the first.
        again = content.decode(document.codec, "replace")
        if again != document.text:
            culprit = next((a for a, b in zip(document.text, again, strict=False) if a != b), document.text[-1])
            raise _cannot_encode(document, path, culprit)
    mark = next((mark for mark, codec in _MARKS if codec == document.codec), b"")
    return mark + content if document.bom else content


def codec_name(encoding: str) -> str:
    """Python's name of a text encoding.

    Raises:
        ConfigurationError: there is none by that name.
    """
    try:
        info = codecs.lookup(encoding.strip())
        "a".encode(info.name)  # codecs that do not make bytes of text, such as rot13, refuse here
    except (LookupError, ValueError, UnicodeError) as error:
        raise ConfigurationError(
            f"REMOTE_ENCODING: {encoding!r} is not a text encoding",
            next_step="Use a name such as utf-8, latin-1, cp1252, shift_jis or gb18030, or leave it unset.",
        ) from error
    return info.name


def _exact(content: bytes, codec: str) -> Document | None:
    """The document, if decoding and encoding gives the bytes back."""
    try:
        text = content.decode(codec)
        return Document(text, codec) if text.encode(codec) == content else None
    except (UnicodeError, ValueError):
        return None


def _escaped(content: bytes, *, bom: bool = False) -> Document:
    return Document(content.decode(UTF8, "surrogateescape"), UTF8, bom, raw_bytes=True)


def _detect(content: bytes) -> str | None:
    import chardet  # costs 30 MB, so only where a file needs it

    found = chardet.detect(content[:DETECTION_BYTES])
    name, confidence = found.get("encoding"), found.get("confidence") or 0.0
    if not name or confidence < MIN_CONFIDENCE:
        return None
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def _cannot_encode(document: Document, path: str, character: str) -> EncodingError:
    kind = "UTF-8 with bytes that are not UTF-8" if document.raw_bytes else document.codec
    return EncodingError(
        f"{path} is written in {kind}, which has no character U+{ord(character):04X}; nothing was written",
        path=path,
        next_step="Use only characters that the file's encoding has, or convert the file first (iconv -t utf-8).",
    )
