"""The output of a running command: its end in memory, the whole of it in a local file once it is long.

What is kept in memory is bounded (law 9), whatever the command prints; no character is ever split.
"""

from __future__ import annotations

import codecs
from collections import deque

from pybridge.editing.js_text import utf8_length
from pybridge.editing.truncation import MAX_BYTES, MAX_LINES, keep_tail, last_characters
from pybridge.mirror.spool import Spool, SpoolFile

_KEPT_BYTES = 4 * MAX_BYTES
_PIECE = 8192  # characters; what is dropped at once is so little that enough is left to be shown


class CommandOutput:
    """Collects output in order of arrival.

    Args:
        spool: where long output is kept as a whole.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._file: SpoolFile | None = None
        self._decoders: dict[object, codecs.IncrementalDecoder] = {}
        self._pieces: deque[tuple[str, int]] = deque()
        self._size = 0
        self._dropped = False

    def feed(self, stream: object, data: bytes) -> None:
        """Take a piece of one stream; a character that comes in two pieces is put together per stream."""
        decoder = self._decoders.get(stream)
        if decoder is None:
            decoder = self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        self._add(decoder.decode(data))

    def finish(self) -> None:
        """The command has ended: what is left of a character is shown as U+FFFD."""
        for decoder in self._decoders.values():
            self._add(decoder.decode(b"", final=True))
        if self._file is None and self._is_long():
            self._keep_whole()
        if self._file is not None:
            self._file.close()

    @property
    def preview(self) -> str:
        """The end of the output as the screen shows it."""
        return last_characters(self._tail())

    def shown(self) -> tuple[str, bool, str | None]:
        """What the model reads, after `finish`: the text, whether it is cut, and where all of it lies."""
        shortened = keep_tail(self._tail())
        tail, cut = shortened.text, shortened.cut or self._dropped
        path = str(self._file.path) if self._file is not None and self._file.path is not None else None
        if not tail:
            tail = "(no output)"
        if cut and path is not None:
            tail = f"...output truncated...\n\nFull output saved to: {path}\n\n{tail}"
        elif cut:
            tail = f"...output truncated...\n\n{tail}"
        return tail, cut, path if cut else None

    def _add(self, text: str) -> None:
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE]
            size = utf8_length(piece)
            self._pieces.append((piece, size))
            self._size += size
        if self._file is not None:
            self._file.append(text.encode("utf-8", "replace"))
        elif self._size > MAX_BYTES:
            self._keep_whole()
        while self._size > _KEPT_BYTES:
            _, dropped = self._pieces.popleft()
            self._size -= dropped
            self._dropped = True

    def _tail(self) -> str:
        return "".join(text for text, _ in self._pieces)

    def _is_long(self) -> bool:
        return self._size > MAX_BYTES or self._tail().count("\n") >= MAX_LINES

    def _keep_whole(self) -> None:
        self._file = self._spool.open()
        self._file.append(self._tail().encode("utf-8", "replace"))
