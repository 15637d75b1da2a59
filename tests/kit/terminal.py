"""A program in a terminal of its own: what it shows as a person would see it, and keys typed into it."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

from tests.kit.counterparts import missing
from tests.kit.opencode import end_group
from tests.kit.waiting import WAIT_SECONDS


class Terminal:
    """A running program and its screen. Use as a context manager; the program is ended at the end.

    Args:
        command: the program and its arguments.
        environment: of the program, all of it.
        folder: the program's working folder.
        columns, lines: the screen's size.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        columns: int = 140,
        lines: int = 40,
    ) -> None:
        self._command = command
        self._environment = {**environment, "TERM": "xterm-256color"}
        self._folder = folder
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        if sys.platform == "win32":
            missing("there are no pseudo-terminals of this kind on Windows")
        import fcntl
        import pty
        import termios

        self._master, slave = pty.openpty()
        size = struct.pack("HHHH", self._screen.lines, self._screen.columns, 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        try:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._folder,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        end_group(self.process)
        self.process.wait()
        self._reader.join(10)
        os.close(self._master)

    def text(self) -> str:
        """The screen as it is, without empty lines and spaces at the ends of lines."""
        with self._changed:
            return self._text()

    @property
    def screen(self) -> pyte.Screen:
        """The screen itself, with its colours; read it once the program has nothing more to draw."""
        return self._screen

    def lines_with(self, text: str) -> list[str]:
        """The lines that hold `text`."""
        return [line for line in self.text().splitlines() if text in line]

    def wait_for(self, *texts: str, gone: str = "", seconds: float = WAIT_SECONDS) -> str:
        """Wait until the screen shows all of `texts`, and not `gone`; returns the screen.

        Raises:
            AssertionError: it did not, or the program ended before; the message has the last screen.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._shows(texts, gone):
                left = deadline - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    state = f"exit code {self.process.poll()}"
                    raise AssertionError(f"{texts} (without {gone!r}) not shown, {state}; shown:\n{self._text()}")
                self._changed.wait(min(left, 1.0))
            return self._text()

    def type(self, text: str) -> None:
        """Type keys, as UTF-8; Enter is `\\r`."""
        os.write(self._master, text.encode())

    def _shows(self, texts: Sequence[str], gone: str) -> bool:
        shown = self._text()
        return all(text in shown for text in texts) and not (gone and gone in shown)

    def _text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display if line.strip())

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # Linux says so when the other side is closed
                data = b""
            if not data:
                return
            with self._changed:
                self._stream.feed(data)
                self._changed.notify_all()
