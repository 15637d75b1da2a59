"""What a tool call gets and gives: the call's context, and its result."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pybridge.editing.js_text import without_surrogates


class ToolContext(Protocol):
    """One tool call of OpenCode's, as the tool sees it.

    Attributes:
        session_id, message_id, call_id: OpenCode's ids of the call.
        agent: name of the agent that calls.
        abort: set when the user aborts the call.
        instructions: paths of the instruction files that answers of the conversation hold, as OpenCode counts them.
    """

    @property
    def session_id(self) -> str: ...

    @property
    def message_id(self) -> str: ...

    @property
    def call_id(self) -> str: ...

    @property
    def agent(self) -> str: ...

    @property
    def abort(self) -> asyncio.Event: ...

    @property
    def instructions(self) -> frozenset[str]: ...

    async def ask(
        self, permission: str, patterns: Sequence[str], always: Sequence[str], metadata: Mapping[str, Any]
    ) -> None:
        """Ask OpenCode for a permission and wait for the answer.

        Args:
            permission: OpenCode's name of it, as `edit` or `external_directory`.
            patterns: what is to be done, matched against the user's rules.
            always: the patterns allowed from then on when the user answers "always".
            metadata: what the prompt shows.

        Raises:
            PermissionRejectedError: it was refused.
        """
        ...

    def progress(self, title: str | None, metadata: Mapping[str, Any]) -> None:
        """Show something of a call that is still running; never waits."""
        ...


@dataclass(frozen=True)
class Attachment:
    """A file shown to the model as it is: an image or a PDF.

    Args:
        mime: its media type.
        url: a `data:` URL with the whole content.
    """

    mime: str
    url: str

    def to_json(self) -> dict[str, str]:
        """The form OpenCode takes."""
        return {"type": "file", "mime": self.mime, "url": self.url}


@dataclass(frozen=True)
class ToolResult:
    """What a completed call answers.

    Args:
        title: one line for the user's screen.
        output: the text the model reads.
        metadata: what OpenCode's screen draws from.
        attachments: files for the model.
    """

    title: str
    output: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The form the shim hands to OpenCode; what no UTF-8 can hold is replaced by U+FFFD."""
        answer: dict[str, Any] = {
            "title": _sendable(self.title),
            "output": _sendable(self.output),
            "metadata": _sendable(dict(self.metadata)),
        }
        if self.attachments:
            answer["attachments"] = [a.to_json() for a in self.attachments]
        return answer


def _sendable(value: Any) -> Any:
    """`value` with every lone surrogate (a byte of a remote name that is not UTF-8) replaced by U+FFFD."""
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, Mapping):
        return {key: _sendable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(item) for item in value]
    return value
