"""What a cell's job works with: the tools on one side, the independent look on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pybridge.host.host import Host
from pybridge.tools.context import ToolResult
from pybridge.tools.registry import call
from pybridge.tools.session import Session
from tests.matrix.column import Counterpart
from tests.matrix.truth import Looking
from tests.tools.kit import Call


@dataclass
class Work:
    """One row's work on one column.

    Args:
        session: over SSH, as the sidecar opens it.
        host: the machine.
        server: the column's server.
        truth: the independent look.
        folder: an absolute folder of this row alone, empty, owned by the remote user.
    """

    session: Session
    host: Host
    server: Counterpart
    truth: Looking
    folder: str

    async def __call__(self, tool: str, context: Call | None = None, /, **arguments: Any) -> ToolResult:
        """Call a tool as the sidecar does."""
        return await call(tool, arguments, context or Call(), self.session)

    def put(self, files: Mapping[str, bytes], *, mode: int = 0o644) -> None:
        """Files for the tool to find, made past pybridge; names are relative to the folder."""
        for name, content in files.items():
            self.truth.write(f"{self.folder}/{name}", content, mode=mode)
