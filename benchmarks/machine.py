"""What the figures depend on: the machine and the versions, without its name or any path."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path


def describe() -> dict[str, str]:
    """Names and values, for people."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": f"{platform.system()} {re.match(r'[0-9.]*', platform.release())[0]}",  # pyright: ignore[reportOptionalSubscript]
        "OpenSSH": _said("ssh", "-V", pattern=r"OpenSSH_(\S+?),? "),
        "ripgrep": _said("rg", "--version", pattern=r"ripgrep (\S+)"),
        "sshfs": _said("sshfs", "--version", pattern=r"SSHFS version (\S+)"),
        "asyncssh": version("asyncssh"),
        "Python": platform.python_version(),
        "pybridge": version("pybridge"),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _said(*words: str, pattern: str) -> str:
    if shutil.which(words[0]) is None:
        return "not there"
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown"
