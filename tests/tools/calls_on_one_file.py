"""A program for tests of memory: makes calls on one remote file, then prints what they said and its own peak memory.

    python -m tests.tools.calls_on_one_file SSH FOLDER CALLS

CALLS is JSON: a list of [tool, arguments]. HOME and the like say where local files of ours go.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys

from pybridge.errors import RemoteError
from tests.tools.opened import opened


async def said(ssh: str, folder: str, calls: list[tuple[str, dict[str, object]]]) -> list[str]:
    """The output of each call, or its error."""
    answers = []
    async with opened(ssh, folder) as remote:
        for tool, args in calls:
            try:
                answers.append((await remote(tool, **args)).output)
            except RemoteError as error:
                answers.append(f"{type(error).__name__}: {error}")
    return answers


if __name__ == "__main__":
    answers = asyncio.run(said(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"said": answers, "peak_kilobytes": peak}))
