"""OpenCode as no more than the window of another OpenCode's server: `attach URL` and `run --attach URL`.

The server runs the session and its tools, so whether these act on a remote was decided when it was started. A client
started with REMOTE_* would claim what it cannot know: its badge would name our remote whatever the server does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybridge.settings import VARIABLES

NOTICE = (
    "OpenCode is started as the client of another OpenCode's server. Its tools act where the server's do: on a remote "
    "only if the server itself was started by `pybridge launch`. REMOTE_SSH here has no effect."
)

_WITHOUT_VALUE = frozenset(
    {"-h", "--help", "-v", "--version", "--print-logs", "--pure", "-c", "--continue", "--fork", "--mdns", "--auto"}
    | {"--mini", "--no-replay"}
)


def is_client(arguments: Sequence[str]) -> bool:
    """Whether OpenCode, given these arguments, only shows the session of a server that runs already."""
    words = iter(arguments)
    for word in words:
        if word == "--":
            return False
        if not word.startswith("-"):
            return word == "attach" or (word == "run" and _names_a_server(list(words)))
        if "=" not in word and word not in _WITHOUT_VALUE:
            next(words, None)
    return False


def client_environment(env: Mapping[str, str]) -> dict[str, str]:
    """`env` without what names a remote, and without its secrets."""
    remote = {variable.name for variable in VARIABLES if variable.name.startswith("REMOTE_")}
    return {name: value for name, value in env.items() if name not in remote}


def _names_a_server(arguments: Sequence[str]) -> bool:
    if "--" in arguments:
        arguments = arguments[: arguments.index("--")]
    return any(word == "--attach" or word.startswith("--attach=") for word in arguments)
