"""Evaluates the criteria of a Match line: ssh_config(5) of OpenSSH 10, the order of evaluation included."""

from __future__ import annotations

import ipaddress
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from pybridge.errors import ConfigurationError
from pybridge.transport.local_addresses import local_addresses
from pybridge.transport.ssh_tokens import Tokens, local_user
from pybridge.transport.ssh_words import match_host_list, match_pattern_list

VERSION = "OpenSSH_10.0"
"""What `Match version` is compared with: the release whose rules are followed."""
SESSION_TYPE = "exec"
_EXEC_SECONDS = 60.0
"""Law 7: every wait has an end, that for the user's own command too."""


@dataclass(frozen=True)
class Facts:
    """What is known of the connection when a Match line is reached.

    Args:
        tokens: builds the tokens for `exec`; a function, as few lines need them.
        final: whether this is the last pass over the files.
    """

    host: str
    original_host: str
    user: str
    tag: str
    final: bool
    tokens: Callable[[], Tokens]


def matches(words: list[str], facts: Facts, *, active: bool) -> bool:
    """Whether a Match line applies.

    Args:
        words: what follows `Match`.
        active: False where the surrounding block does not apply: then only the grammar counts, and no command runs.

    Raises:
        ValueError: the line cannot be understood; the message says why.
    """
    result = active
    count = 0
    rest = list(words)
    while rest:
        name, equals, inline = rest.pop(0).partition("=")
        negated = name.startswith("!")
        name = name.removeprefix("!").lower()
        if name == "all":
            if rest or count > 1:
                raise ValueError("'all' cannot be combined with other criteria")
            return result and not negated
        count += 1
        if name in ("canonical", "final"):
            result = result and facts.final is not negated
            continue
        if name not in _CRITERIA and name != "exec":
            raise ValueError(f"Match has no criterion {name!r}")
        if equals and inline:
            argument = inline
        elif rest:
            argument = rest.pop(0)
        else:
            raise ValueError(f"Match {name} needs an argument")
        # Not asked once the result is settled: `exec` would run a command for nothing.
        result = result and _matches_one(name, argument, facts) is not negated
    return result


def wants_final_pass(words: list[str]) -> bool:
    """Whether a Match line asks for a second pass over the files."""
    return any(word.lower() in ("final", "!final") for word in words)


def _matches_one(name: str, argument: str, facts: Facts) -> bool:
    if name == "exec":
        return _run(facts.tokens().expand(argument, only="CdhijkLlnpru"))
    return _CRITERIA[name](argument, facts)


def _on_local_network(networks: str, _facts: Facts) -> bool:
    """The addresses of this machine's interfaces against a list of networks in CIDR form."""
    addresses = [ipaddress.ip_address(address) for _, address in local_addresses()]
    matched = False
    for text in networks.split(","):
        try:
            network = ipaddress.ip_network(text.strip().removeprefix("!"), strict=False)
        except ValueError as error:
            raise ValueError(f"{text!r} is not a network such as 192.0.2.0/24") from error
        if any(address in network for address in addresses):
            if text.strip().startswith("!"):
                return False
            matched = True
    return matched


_CRITERIA: dict[str, Callable[[str, Facts], bool]] = {
    "host": lambda argument, facts: match_host_list(argument, facts.host),
    "originalhost": lambda argument, facts: match_host_list(argument, facts.original_host),
    "user": lambda argument, facts: match_pattern_list(argument, facts.user),
    "localuser": lambda argument, _: match_pattern_list(argument, local_user()),
    "tagged": lambda argument, facts: match_pattern_list(argument, facts.tag),
    "localnetwork": _on_local_network,
    "command": lambda argument, _: match_pattern_list(argument, ""),
    "sessiontype": lambda argument, _: match_pattern_list(argument, SESSION_TYPE),
    "version": lambda argument, _: match_pattern_list(argument, VERSION),
}


def _run(command: str) -> bool:
    shell = os.environ.get("SHELL") if os.name == "posix" else None
    try:
        done = subprocess.run(
            command,
            shell=True,
            executable=shell or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_EXEC_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(
            f"The command of `Match exec {command}` did not end within {_EXEC_SECONDS:.0f} s.",
            next_step="Try it in a terminal, or remove that Match line.",
        ) from error
    except OSError as error:
        raise ConfigurationError(f"The command of `Match exec {command}` cannot be run: {error.strerror}.") from error
    return done.returncode == 0
