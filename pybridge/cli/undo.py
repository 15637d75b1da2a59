"""`pybridge undo`: puts back what the tools changed."""

from __future__ import annotations

import asyncio
import datetime
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pybridge.cli.console import confirm, narrate, show
from pybridge.cli.environment import hide_secrets, take_environment
from pybridge.errors import ConfigurationError, RemoteError

if TYPE_CHECKING:
    from pybridge.cli.recorded import Journals, Recorded
    from pybridge.tools.undoing import Outcome


def undo(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="As `pybridge history` shows them.")
    ] = None,
    session: Annotated[str | None, typer.Option("--session", help="All changes of this OpenCode session.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="All later ones: 10m, 2h, 1d, or an ISO date or time.")
    ] = None,
    again: Annotated[bool, typer.Option("--redo", help="Make changes again that were undone.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be undone.")] = False,
) -> None:
    """Put back what the tools changed; without arguments the last change, which is shown first.

    A change is put back as a whole, and only where its files still are as it left them: otherwise it is refused, and
    what either side did is shown. The remote is that of the change; REMOTE_SSH need not be set. Where it is set, only
    its changes are looked at, unless their ids are given. Changes that commands (bash) made are not recorded.
    """
    from pybridge.cli.recorded import NOT_BASH, open_journals

    env = take_environment()
    hide_secrets(env)
    journals = open_journals(env)
    chosen = _choose(journals, ids or [], session, since, redo=again)
    if not chosen:
        _nothing(journals, redo=again)
        narrate(NOT_BASH)
        return
    word = "make again" if again else "undo"
    if dry_run or not (ids or yes):
        _preview(chosen, journals)
    if dry_run:
        return
    if not ids and not yes:
        _ask(f"{word.capitalize()} {_count(chosen)}?", chosen, journals, redo=again)
    failed = 0
    for group in _by_target(chosen):
        try:
            outcomes = asyncio.run(_put_back(group, env, redo=again))
        except RemoteError as error:
            narrate(f"pybridge: {error}")
            narrate(f"Nothing was {'made again' if again else 'undone'} on {group[0].entry.target.host}.")
            failed += len(group)
            continue
        failed += sum(_tell(outcome, journals) for outcome in outcomes)
    narrate(NOT_BASH)
    if failed:
        narrate(f"pybridge: {failed} of {len(chosen)} could not be {'made again' if again else 'undone'}.")
        raise typer.Exit(1)


def _choose(
    journals: Journals, ids: Sequence[str], session: str | None, since: str | None, *, redo: bool
) -> list[Recorded]:
    from pybridge.cli.recorded import NOT_STANDING, NOT_UNDONE
    from pybridge.cli.times import read_since

    if ids:
        if session is not None or since is not None:
            raise ConfigurationError("Ids are given, and --session or --since too.", next_step="Leave one of them out.")
        return list({change.entry.id: change for change in map(journals.by_id, ids)}.values())
    moment = None if since is None else read_since(since, datetime.datetime.now(datetime.UTC))
    wanted = NOT_STANDING if redo else NOT_UNDONE
    found = [change for change in journals.select(session=session, since=moment) if change.entry.state in wanted]
    if session is not None or moment is not None:
        return found
    if redo:
        raise ConfigurationError(
            "It is not said what to make again.", next_step="Give ids (`pybridge history`), --session or --since."
        )
    return found[-1:]


def _nothing(journals: Journals, *, redo: bool) -> None:
    from pybridge.cli.times import clock

    narrate("There is nothing to make again." if redo else "There is nothing to undo.")
    for gone in journals.dropped:
        if gone.last is not None:
            narrate(f"Changes up to {clock(gone.last)} were dropped, because the journal was full.")


def _preview(chosen: Sequence[Recorded], journals: Journals) -> None:
    from pybridge.cli.change_text import describe, place, visible

    now = datetime.datetime.now(datetime.UTC)
    heading = ""
    for change in reversed(chosen):
        belongs = f"Session {change.entry.session_id} on {place(change.entry)}"
        if belongs != heading:
            show(visible(belongs))
            heading = belongs
        show(describe(change, journals.short(change.entry), now, diff=True))


def _ask(question: str, chosen: Sequence[Recorded], journals: Journals, *, redo: bool) -> None:
    if not sys.stdin.isatty():
        names = " ".join(journals.short(change.entry) for change in chosen[:20])
        more = " ..." if len(chosen) > 20 else ""
        raise ConfigurationError(
            f"{question} There is no terminal to answer at.",
            next_step=f"Type: pybridge undo {'--redo ' if redo else ''}{names}{more}\nOr add --yes.",
        )
    if not confirm(question):
        narrate("Left as it is.")
        raise typer.Exit(1)


def _by_target(chosen: Sequence[Recorded]) -> list[list[Recorded]]:
    groups: dict[str, list[Recorded]] = {}
    for change in sorted(chosen, key=lambda change: change.entry.key, reverse=True):
        groups.setdefault(change.entry.target.slug, []).append(change)
    return list(groups.values())


async def _put_back(group: Sequence[Recorded], env: Mapping[str, str], *, redo: bool) -> list[Outcome]:
    from pybridge.cli.remote_session import open_remote
    from pybridge.tools import undoing

    async with open_remote(group[0].entry.target, env) as session:
        act = undoing.redo if redo else undoing.undo
        return await act(session, [change.entry for change in group])


def _tell(outcome: Outcome, journals: Journals) -> bool:
    """Print what became of one change; whether it is not as asked."""
    from pybridge.cli.change_text import visible

    show(visible(f"{journals.short(outcome.entry)}  {outcome.result.value}  {outcome.text}"))
    if outcome.details:
        show(visible(outcome.details))
    return not outcome.well


def _count(chosen: Sequence[Recorded]) -> str:
    return "this change" if len(chosen) == 1 else f"these {len(chosen)} changes"
