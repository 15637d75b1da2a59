"""A report for an issue: what was found, without secrets and without names of people and machines."""

from __future__ import annotations

import getpass
import ipaddress
import os
import platform
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pybridge import __version__
from pybridge.cli.examination.finding import Finding
from pybridge.errors import RemoteError
from pybridge.locations import log_folder
from pybridge.logs import LOG_NAME, redact, tail
from pybridge.settings import VARIABLES, Settings
from pybridge.transport.carriers import find_route

LOG_LINES = 40
_ADDRESS = re.compile(r"(?<![\w.:])(?:\d+(?:\.\d+){3}|[0-9a-f]*:[0-9a-f:]*:[0-9a-f.]*)(?![\w:])", re.IGNORECASE)
_NO_NAMES = frozenset({"root", "user", "admin", "localhost", "git", "ubuntu", "debian", "127.0.0.1", "::1"})
"""Names that say nothing about anyone; replacing them would only garble the report."""


def make_report(env: Mapping[str, str], findings: Sequence[Finding]) -> str:
    """The report, as Markdown."""
    lines = [
        f"pybridge {__version__}, Python {platform.python_version()}, {platform.platform()}",
        "",
        "```",
        *(f"{variable.name}={_shown(env, variable.name, variable.secret)}" for variable in VARIABLES),
        "```",
        "",
        "```",
        *map(str, findings),
        "```",
        "",
        f"The last lines of {log_folder() / LOG_NAME}:",
        "",
        "```",
        tail(log_folder() / LOG_NAME, LOG_LINES) or "(there are none)",
        "```",
    ]
    return anonymous("\n".join(lines), _names(env))


def anonymous(text: str, names: Iterable[tuple[str, str]]) -> str:
    """The text without secrets, network addresses, and the given names.

    Args:
        names: pairs of a name and what takes its place.
    """
    text = redact(text)
    for name, instead in sorted(set(names), key=lambda pair: -len(pair[0])):
        if len(name) > 1 and name.lower() not in _NO_NAMES:
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", instead, text, flags=re.IGNORECASE)
    return _ADDRESS.sub(_without_address, text)


def _without_address(found: re.Match[str]) -> str:
    try:
        address = ipaddress.ip_address(found[0])
    except ValueError:  # a time of day, a version
        return found[0]
    return found[0] if address.is_loopback else "<address>"


def _shown(env: Mapping[str, str], name: str, secret: bool) -> str:
    value = env.get(name, "")
    return ("(set)" if value else "") if secret else value


def _names(env: Mapping[str, str]) -> list[tuple[str, str]]:
    names = [(str(Path.home()), "~"), (socket.gethostname(), "<this machine>")]
    try:
        names.append((getpass.getuser(), "<local user>"))
    except (OSError, KeyError, ImportError):  # a user without a name
        names.append((os.environ.get("USERNAME", ""), "<local user>"))
    try:
        target = find_route(Settings.from_environment(env)).target
    except RemoteError:
        return names
    for hop in (target, *target.jumps):
        names += [(hop.alias, "<host>"), (hop.host, "<host>"), (hop.user, "<user>")]
    return names
