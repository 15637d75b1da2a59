"""How the demo fails: by name of the step, with what to do."""

from __future__ import annotations

from pybridge.errors import RemoteError


class DemoError(RemoteError):
    """The demo could not go on."""

    code = "demo"

    @classmethod
    def in_step(cls, number: int, tool: str, wrong: str) -> DemoError:
        """A step that gave the wrong result.

        Args:
            number: of the step, as printed.
            tool: the tool it called.
            wrong: what is wrong, in one sentence.
        """
        return cls(
            f"Step {number} ({tool}) failed: {wrong}.",
            next_step="What it printed is above. Run it again with PYBRIDGE_LOG=debug; if it stays, please report it.",
        )
