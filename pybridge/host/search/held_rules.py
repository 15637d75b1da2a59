"""The ignore files of roots that were searched before, so that a search without ripgrep is one round trip.

While such a search is under way, the remote goes through the tree's ignore files once more and tells their checksum.
Where it is the same, the search was made by the rules that stand. Else its answer counts for nothing.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from pybridge.host.checksums import PROGRAMS, version_of
from pybridge.host.search.ignore_files import IgnoreFiles, collect, gathering
from pybridge.host.search.remote import Facts, ScriptOutput, SearchScript

MOST_ROOTS = 16
"""Roots whose rules are held."""

MOST_BYTES = 256 * 1024
"""Of the ignore files of one root that is held."""


@dataclass(frozen=True)
class Rules:
    """The rules to search by. `checksum` is what they must still have; empty for those just read."""

    files: IgnoreFiles
    checksum: str = ""


class HeldRules:
    """Rules by root. Usage: `take` some, run the `checked` search, and take others until they `stand`.

    Args:
        facts: what the remote has.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._held: OrderedDict[str, Rules] = OrderedDict()

    async def take(self, script: SearchScript) -> Rules:
        """The rules held for the search's root, or those that stand there now: a round trip of its own.

        Raises:
            What `SearchScript.run` raises.
        """
        if script.root in self._held:
            self._held.move_to_end(script.root)
            return self._held[script.root]
        files, content = await collect(script, self._facts)
        program = PROGRAMS.get(self._facts.digest)
        if content is not None and len(content) <= MOST_BYTES and program is not None:
            version = await asyncio.to_thread(version_of, content, program.algorithm)
            self._held[script.root] = Rules(files, version.digest.partition(":")[2])
            while len(self._held) > MOST_ROOTS:
                self._held.popitem(last=False)
        return Rules(files)

    def checked(self, rules: Rules, body: str) -> str:
        """The script of a search, with what tells whether its rules stand."""
        if not rules.checksum:
            return body
        program = PROGRAMS[self._facts.digest].command
        return f"""\
{gathering(self._facts)}
{{ K=$(M=; gather | {program}) && printf '%srules %s\\n' "$M" "${{K%% *}}" >&2; }} &
{body}wait
"""

    def stand(self, script: SearchScript, rules: Rules, output: ScriptOutput) -> bool:
        """Whether the search was made by the rules that stood there then; where not, they are held no longer."""
        if not rules.checksum or script.reports(output, "rules") == [rules.checksum]:
            return True
        self._held.pop(script.root, None)
        return False
