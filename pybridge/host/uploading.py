"""Large contents on their way to a temporary: raw bytes on a stream of their own, ahead of the request using them."""

from __future__ import annotations

import asyncio
import logging

from pybridge.errors import ChannelError, RemoteTimeoutError
from pybridge.host.applying import Step, failure
from pybridge.host.control_shell import DEFAULT_TIMEOUT
from pybridge.host.framing import decode_text, encode_text, new_marker, quote
from pybridge.host.login_shell import START_COMMAND
from pybridge.transport.process import ByteProcess, Carrier, Stream

SFTP_BYTES = 4 * 1024 * 1024
"""From here on SFTP is worth its start: measured 1.2 times as fast as a `cat` at a round trip of 50 ms."""

log = logging.getLogger(__name__)

_PIECE = 256 * 1024
_MOST_SAID = 64 * 1024
_SLOWEST_BYTES_PER_SECOND = 64 * 1024


class Uploader:
    """Uploads over SFTP where the carrier has it and it pays, else through a `cat`, which needs no encoder.

    Args:
        carrier: where processes are started.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._sftp_is_trusted = True

    async def upload(self, content: bytes, step: Step) -> str:
        """Put `content` into the step's temporary and say which of its two places that is.

        The bytes are not verified here: the request that uses the temporary does that.

        Raises:
            ConnectionLostError, RemoteTimeoutError: the link failed on the way; only a temporary may remain.
            FileError: no temporary could be made, or not filled; one may remain.
        """
        creating = step.creates
        if not creating and len(content) >= SFTP_BYTES and self._sftp_is_trusted:
            try:
                async with asyncio.timeout(_deadline(content)):
                    await self._carrier.upload(step.temporary, content)
                return step.temporary
            except (ChannelError, TimeoutError) as error:
                log.info("no upload over SFTP (%s), so through a process", error)
                self._sftp_is_trusted = False
        return await self._through_cat(content, step, creating)

    def distrust_sftp(self) -> bool:
        """What SFTP wrote was not found by the shell (it may be shut into a folder of its own): do without it.

        Returns:
            Whether it was trusted until now.
        """
        trusted, self._sftp_is_trusted = self._sftp_is_trusted, False
        return trusted

    async def _through_cat(self, content: bytes, step: Step, creating: bool) -> str:
        marker = new_marker()
        candidates = [step.temporary] + ([step.elsewhere] if step.elsewhere and not creating else [])
        lines = ["{", "PB="]  # one command: cut short by a dying link, nothing of it is run
        if creating:
            folder = quote(step.temporary.rpartition("/")[0] or "/")
            there = f"[ -d {quote(step.root)} ] && " if step.root else ""
            lines.append(f"(umask {step.umask:o}; {there}mkdir -p {folder})")
        for index, path in enumerate(candidates):
            # It may be there already, of a failed try over SFTP: no other process knows its name.
            umask = step.creation_umask or "077"
            create = f"[ -f {quote(path)} ] || (umask {umask}; set -C; : > {quote(path)})"
            lines.append(f'[ -n "$PB" ] || {{ {{ {create}; }} && PB={index}; }}')
        # `cat` replaces the shell only after all of this was read, so no byte of the content can reach the shell.
        lines.append(
            f"printf '\\n%s %s\\n' {marker} \"$PB\"; case $PB in "
            + " ".join(f"{i}) exec cat > {quote(path)} ;;" for i, path in enumerate(candidates))
            + " esac; exit 1"
        )
        lines.append("}\n")
        timeout = _deadline(content)
        process = None
        try:
            async with asyncio.timeout(timeout):
                process = await self._carrier.start(START_COMMAND, stdin=encode_text("\n".join(lines)))
                chosen = candidates[await _answer(process, marker, step, len(candidates))]
                view = memoryview(content)
                for at in range(0, len(content), _PIECE):
                    await process.write(bytes(view[at : at + _PIECE]))
                process.write_eof()
                said = bytearray()
                while (output := await process.read()) is not None:
                    said += output[1]
                    del said[:-_MOST_SAID]
                status = await process.wait_exit()
        except TimeoutError:
            raise RemoteTimeoutError(
                f"Sending {step.change.path} took longer than {timeout:.0f} s.", next_step="The file was not changed."
            ) from None
        finally:
            if process is not None:
                process.close()
        if status.code != 0:
            raise failure(step, "upload", decode_text(bytes(said)))
        return chosen


def _deadline(content: bytes) -> float:
    return 2 * DEFAULT_TIMEOUT + len(content) / _SLOWEST_BYTES_PER_SECOND


async def _answer(process: ByteProcess, marker: str, step: Step, choices: int) -> int:
    output, errors = bytearray(), bytearray()
    opening = b"\n" + marker.encode() + b" "
    while (piece := await process.read()) is not None:
        stream, data = piece
        (output if stream is Stream.STDOUT else errors).extend(data)
        at = output.find(opening)
        end = output.find(b"\n", at + 1) if at >= 0 else -1
        if end >= 0:
            chosen = bytes(output[at + len(opening) : end])
            if chosen in [b"%d" % index for index in range(choices)]:
                return int(chosen)
            # Refused: the process ends now, and what it said may still be on its way.
            del output[end + 1 :]
        elif at < 0:
            del output[: -len(opening)]  # what a login prints before
        elif len(output) - at > _MOST_SAID:
            break
        del errors[:-_MOST_SAID]
    raise failure(step, "create", decode_text(bytes(errors)))
