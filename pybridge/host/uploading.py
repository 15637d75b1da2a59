"""Large contents on their way to a temporary: raw bytes on a stream of their own, ahead of the request using them."""

from __future__ import annotations

import asyncio
import logging

from pybridge.errors import ChannelError, RemoteTimeoutError
from pybridge.host.applying import Step, failure
from pybridge.host.control_shell import DEFAULT_TIMEOUT
from pybridge.host.framing import Reply, decode_text, encode_text, new_marker, quote
from pybridge.host.login_shell import START_COMMAND
from pybridge.transport.process import ByteProcess, Carrier, Stream

SFTP_BYTES = 4 * 1024 * 1024
"""From here on SFTP is worth its start: measured 1.2 times as fast as a `cat` at a round trip of 50 ms."""

log = logging.getLogger(__name__)

_PIECE = 256 * 1024
_SLOWEST_BYTES_PER_SECOND = 64 * 1024
_MOST_SAID = 64 * 1024


def making_script(step: Step) -> str:
    """A script that makes the temporary of a step, and the folders of a new file, for `made_at` to read its output.

    The shell that is to make the change runs it, and no other one: whoever settles an interrupted change ends that.
    """
    lines = ["PB="]
    if step.creates:
        folder = quote(step.temporary.rpartition("/")[0] or "/")
        there = f"[ -d {quote(step.root)} ] && " if step.root else ""
        lines.append(f"(umask {step.umask:o}; {there}mkdir -p {folder})")
    for index, path in enumerate(_candidates(step)):
        create = f"(umask {step.creation_umask or '077'}; set -C; : > {quote(path)})"
        lines.append(f'[ -n "$PB" ] || {{ {create} && PB={index}; }}')
    return "\n".join([*lines, "printf '%s\\n' \"$PB\""])


def made_at(reply: Reply, step: Step) -> str:
    """Where the temporary was made.

    Raises:
        FileError: nowhere.
    """
    chosen, candidates = reply.stdout.strip(), _candidates(step)
    for index, path in enumerate(candidates):
        if chosen == b"%d" % index:
            return path
    raise failure(step, "create", decode_text(reply.stderr))


def _candidates(step: Step) -> list[str]:
    return [step.temporary] + ([step.elsewhere] if step.elsewhere and not step.creates else [])


class Uploader:
    """Uploads over SFTP where the carrier has it and it pays, else through a `cat`, which needs no encoder.

    Args:
        carrier: where processes are started.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._sftp_is_trusted = True

    async def upload(self, content: bytes, step: Step, path: str) -> None:
        """Put `content` into the temporary at `path`, which is there already (`making_script`).

        Only filled, never made: what a silent link lets go of late would else make a file that nobody removes.
        The bytes are not verified here: the request that uses the temporary does that.

        Raises:
            ConnectionLostError, RemoteTimeoutError: the link failed on the way.
            FileError: it could not be filled.
        """
        if not step.creates and len(content) >= SFTP_BYTES and self._sftp_is_trusted:
            try:
                async with asyncio.timeout(_deadline(content)):
                    await self._carrier.upload(path, content)
                return
            except (ChannelError, TimeoutError) as error:
                log.info("no upload over SFTP (%s), so through a process", error)
                self._sftp_is_trusted = False
        await self._through_cat(content, step, path)

    def distrust_sftp(self) -> bool:
        """What SFTP wrote was not found by the shell (it may be shut into a folder of its own): do without it.

        Returns:
            Whether it was trusted until now.
        """
        trusted, self._sftp_is_trusted = self._sftp_is_trusted, False
        return trusted

    async def _through_cat(self, content: bytes, step: Step, path: str) -> None:
        marker = new_marker()
        # One command: cut short by a dying link, nothing of it is run. `cat` replaces the shell only after all of this
        # was read, so no byte of the content can reach the shell.
        script = f"{{\nprintf '\\n%s\\n' {marker}; [ -f {quote(path)} ] && exec cat > {quote(path)}; exit 1\n}}\n"
        timeout = _deadline(content)
        process = None
        try:
            async with asyncio.timeout(timeout):
                process = await self._carrier.start(START_COMMAND, stdin=encode_text(script))
                await _begun(process, marker, step)
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


def _deadline(content: bytes) -> float:
    return 2 * DEFAULT_TIMEOUT + len(content) / _SLOWEST_BYTES_PER_SECOND


async def _begun(process: ByteProcess, marker: str, step: Step) -> None:
    output, errors = bytearray(), bytearray()
    opening = f"\n{marker}\n".encode()
    while (piece := await process.read()) is not None:
        stream, data = piece
        (output if stream is Stream.STDOUT else errors).extend(data)
        if opening in output:
            return
        del output[: -len(opening)]  # what a login prints before
        del errors[:-_MOST_SAID]
    raise failure(step, "upload", decode_text(bytes(errors)))
