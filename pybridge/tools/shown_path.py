"""How an answer names the file it is about."""

from __future__ import annotations

from pybridge.mirror.remote_paths import join_remote


def shown_path(argument: str, path: str) -> str:
    """The name of a file in answers, diffs and metadata: an absolute path as the model wrote it, as in OpenCode.

    Args:
        argument: what the model wrote.
        path: the remote absolute path that it means; shown where the argument says it in another way, as a relative
            path or a path of this machine.
    """
    return argument if argument.startswith("/") and join_remote("/", argument) == path else path
