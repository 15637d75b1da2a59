"""The rows of the matrix: what each tool must have done on a server before its cell is green.

A job does real work through the tool and compares what then stands on the remote with what an independent client sees
there. Its docstring is what the table says a green cell means.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.matrix import jobs_bash, jobs_change, jobs_look, jobs_sudo
from tests.matrix.work import Work

Job = Callable[[Work], Awaitable[None]]


@dataclass(frozen=True)
class Row:
    """One row: the tool's name and its job."""

    name: str
    job: Job

    @property
    def proves(self) -> str:
        """What a green cell means, in one paragraph."""
        return " ".join((inspect.getdoc(self.job) or "").split())


ROWS = (
    Row("bash", jobs_bash.bash),
    Row("glob", jobs_look.glob),
    Row("grep", jobs_look.grep),
    Row("read", jobs_look.read),
    Row("write", jobs_change.write),
    Row("edit", jobs_change.edit),
    Row("apply_patch", jobs_change.apply_patch),
    Row("sudo", jobs_sudo.sudo),
)
