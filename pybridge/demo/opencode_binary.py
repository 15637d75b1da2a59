"""OpenCode's executable for the demo: the one on PATH, or one of our own that npm installed."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import platformdirs

from pybridge.demo.failure import DemoError
from pybridge.demo.printing import Printer

OPENCODE_PACKAGE = "opencode-ai@1.18.33"
"""What npm installs when OpenCode is asked for and not there."""

INSTALL_SECONDS = 900.0
"""How long the installation by npm may take."""

VERSION_SECONDS = 20.0
"""How long `opencode --version` may take."""


async def find(printer: Printer, *, install: bool) -> Path | None:
    """OpenCode's executable: from PATH, else from our cache, else installed there by npm if that is asked for.

    Args:
        printer: shows the installation's progress.
        install: install when it is not there, and fail when that does not work.

    Raises:
        DemoError: it was asked for and cannot be had.
    """
    found = shutil.which("opencode")
    if found is not None:
        version = await _version(found)
        if version.startswith("1."):
            return Path(found)
        printer.line(f"OpenCode on PATH ({found}) is {version}; pybridge's plugin is for 1.15 and later 1.x.")
    if not install:
        return None
    folder = platformdirs.user_cache_path("pybridge", appauthor=False) / "opencode"
    binary = folder / "node_modules" / ".bin" / ("opencode.cmd" if os.name == "nt" else "opencode")
    marker = folder / "installed"
    if binary.exists() and marker.exists() and marker.read_text(encoding="utf-8") == OPENCODE_PACKAGE:
        return binary
    npm = shutil.which("npm")
    if npm is None:
        raise DemoError(
            "OpenCode is not on PATH, and there is no npm to install it with.",
            next_step="Install Node.js (it brings npm) or OpenCode itself, or run the demo without OPENCODE=1.",
        )
    printer.line(f"Installing {OPENCODE_PACKAGE} into {folder} (about 200 MB, kept for the next time) ...")
    folder.mkdir(parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        npm,
        "install",
        "--prefix",
        str(folder),
        "--no-audit",
        "--no-fund",
        "--loglevel=http",
        OPENCODE_PACKAGE,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said: list[str] = []
    try:
        async with asyncio.timeout(INSTALL_SECONDS):
            assert process.stdout is not None
            while line := (await process.stdout.readline()).decode(errors="replace").rstrip():
                said.append(line)
                printer.line(f"  {line}")
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    if process.returncode != 0 or not binary.exists():
        raise DemoError(
            f"npm could not install {OPENCODE_PACKAGE}:\n" + "\n".join(said[-5:]),
            next_step="Check that this machine reaches the npm registry, or run the demo without OPENCODE=1.",
        )
    marker.write_text(OPENCODE_PACKAGE, encoding="utf-8")
    return binary


async def _version(binary: str) -> str:
    process = await asyncio.create_subprocess_exec(
        binary,
        "--version",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), VERSION_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return "a version that does not tell"
    return said.decode(errors="replace").strip() or "a version that does not tell"
