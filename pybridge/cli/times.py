"""Times as people write and read them."""

from __future__ import annotations

import datetime
import re

from pybridge.errors import ConfigurationError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_STEPS = ((60, "s"), (3600, "min"), (86400, "h"))
_PER = {"s": 1, "min": 60, "h": 3600}


def read_since(text: str, now: datetime.datetime) -> datetime.datetime:
    """The moment that `--since` names.

    Args:
        text: how long ago (`30s`, `10m`, `2h`, `1d`, `1w`), or a date or date and time of ISO 8601, local unless it
            names its time zone.
        now: with a time zone.

    Raises:
        ConfigurationError: it is neither.
    """
    if ago := re.fullmatch(r"(\d{1,6})\s*([smhdw])", text.strip().lower()):
        return now - datetime.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        return datetime.datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError, OSError):
        raise ConfigurationError(
            f"--since {text!r} is no time.",
            next_step="Write how long ago, as 10m, 2h or 1d, or a time, as 2026-03-01 or 2026-03-01T14:30.",
        ) from None


def ago(time: datetime.datetime, now: datetime.datetime) -> str:
    """How long ago a time was, in one unit."""
    seconds = max(0, int((now - time).total_seconds()))
    for limit, unit in _STEPS:
        if seconds < limit:
            return f"{seconds // _PER[unit]} {unit} ago"
    days = seconds // 86400
    return f"{days} day{'s' if days > 1 else ''} ago"


def clock(time: datetime.datetime) -> str:
    """A time as this machine's clock shows it, to the second."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
