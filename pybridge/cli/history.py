"""`pybridge history`: what the tools changed, where, when and how."""

from __future__ import annotations

import datetime
import json
from typing import Annotated, Any

import typer

from pybridge.cli.console import narrate, show
from pybridge.cli.environment import take_environment


def history(
    session: Annotated[str | None, typer.Option("--session", help="Only this OpenCode session's.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only later ones: 10m, 2h, 1d, or an ISO date or time."),
    ] = None,
    path: Annotated[str | None, typer.Option("--path", help="Only those of this remote file or folder.")] = None,
    diff: Annotated[bool, typer.Option("--diff/--no-diff", help="With the diffs of the files.")] = True,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="At most so many, the newest; 0 for all.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, oldest first.")] = False,
) -> None:
    """List the changes of the tools, the newest first: on all hosts, or on the one REMOTE_SSH names.

    Changes that commands (bash) made are not recorded.
    """
    from pybridge.cli.recorded import NOT_BASH, open_journals
    from pybridge.cli.times import clock, read_since

    now = datetime.datetime.now(datetime.UTC)
    moment = None if since is None else read_since(since, now)
    journals = open_journals(take_environment())
    found = journals.select(session=session, since=moment, path=path)
    shown = found[-limit:] if limit else found
    dropped = [gone for gone in journals.dropped if gone.first is not None and gone.last is not None]
    if as_json:
        _show_json(shown, dropped, diff=diff)
    else:
        _show(shown, journals, now, diff=diff)
    if len(shown) < len(found):
        narrate(f"{len(found) - len(shown)} older ones are not shown; --limit 0 shows all.")
    for gone in dropped:
        assert gone.first is not None and gone.last is not None
        which = f"{gone.count} changes" if gone.count > 1 else "1 change"
        narrate(
            f"{which}, from {clock(gone.first)} to {clock(gone.last)}, {'were' if gone.count > 1 else 'was'} dropped, "
            "because the journal was full (PYBRIDGE_JOURNAL_MB)."
        )
    for records in journals.in_scope():
        for folder in records.unreadable():
            narrate(f"The record of a change is damaged, and it cannot be undone: {folder}")
    if not found:
        narrate("No changes are recorded" + (" that fit." if session or since or path else "."))
    narrate(NOT_BASH)


def _show(changes: list[Any], journals: Any, now: datetime.datetime, *, diff: bool) -> None:
    from pybridge.cli.change_text import describe, place, visible

    heading = ""
    for change in reversed(changes):
        belongs = f"Session {change.entry.session_id} on {place(change.entry)}"
        if belongs != heading:
            show(visible(belongs))
            heading = belongs
        show(describe(change, journals.short(change.entry), now, diff=diff))


def _show_json(changes: list[Any], dropped: list[Any], *, diff: bool) -> None:
    from pybridge.cli.change_text import to_json

    gone = [{"count": each.count, "first": each.first.isoformat(), "last": each.last.isoformat()} for each in dropped]
    show(json.dumps({"changes": [to_json(change, diff=diff) for change in changes], "dropped": gone}, indent=1))
