"""One process on the remote that is sent a span of a content, and writes it into a file that is there."""

from __future__ import annotations

from dataclasses import dataclass

from pybridge.host.applying import Step, failure
from pybridge.host.framing import decode_text, encode_text, new_marker, quote
from pybridge.transport.process import ByteProcess, ExitStatus, Stream

BLOCK = 64 * 1024
"""Bytes in which the place of a span is counted, but for the first one's: a multiple of it."""

_PIECE = 256 * 1024
_MOST_SAID = 64 * 1024


@dataclass
class Span:
    """Bytes of a content that one stream sends: from `at`, which moves on, up to `end`, which may come nearer."""

    at: int
    end: int

    @property
    def left(self) -> int:
        """How many are still to be sent."""
        return self.end - self.at


class UploadStream:
    """Fills its span of a file, and never makes one: what a silent link lets go of late finds none.

    Args:
        process: a shell that was sent nothing yet.
        step: whose content it is, for errors.
        path: the temporary.
    """

    def __init__(self, process: ByteProcess, step: Step, path: str) -> None:
        self._process = process
        self._step = step
        self._path = path

    async def send(self, content: bytes, span: Span) -> None:
        """Write a span of the content to its place in the file; returns when the process has ended.

        Args:
            span: begins at a multiple of BLOCK.

        Raises:
            FileError: it could not be written.
            ConnectionLostError: the link failed on the way.
        """
        await self._begin(span.at)
        view = memoryview(content)
        while span.at < span.end:
            piece = view[span.at : min(span.at + _PIECE, span.end)]
            span.at += len(piece)
            await self._process.write(bytes(piece))
        self._process.write_eof()
        said = bytearray()
        while (output := await self._process.read()) is not None:
            said += output[1]
            del said[:-_MOST_SAID]
        if await self._process.wait_exit() != ExitStatus(0):
            raise failure(self._step, "upload", decode_text(bytes(said)))

    def close(self) -> None:
        """Let go of the process."""
        self._process.close()

    async def _begin(self, at: int) -> None:
        marker = new_marker()
        # Opened without being cut: several write into it at once.
        program = f"dd bs={BLOCK} seek={at // BLOCK} conv=notrunc" if at else "cat"
        # One command: cut short by a dying link, nothing of it is run. The program replaces the shell only after all of
        # this was read, so no byte of the content can reach the shell.
        path = quote(self._path)
        script = f"{{\nprintf '\\n%s\\n' {marker}; [ -f {path} ] && exec {program} 1<> {path}; exit 1\n}}\n"
        await self._process.write(encode_text(script))
        output, errors = bytearray(), bytearray()
        opening = f"\n{marker}\n".encode()
        while (piece := await self._process.read()) is not None:
            stream, data = piece
            (output if stream is Stream.STDOUT else errors).extend(data)
            if opening in output:
                return
            del output[: -len(opening)]  # what a login prints before
            del errors[:-_MOST_SAID]
        raise failure(self._step, "upload", decode_text(bytes(errors)))
