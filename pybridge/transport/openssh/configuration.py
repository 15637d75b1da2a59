"""What ssh itself makes of a command line and its configuration files (`ssh -G`), and whether it can be used at all."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pybridge.errors import CommandLineError, ConfigurationError
from pybridge.transport.openssh.command_line import OpensshCommand
from pybridge.transport.ssh_command import SshCommand, expand_home, split_destination
from pybridge.transport.ssh_target import SshTarget

_ANSWER_SECONDS = 20.0
"""A `Match exec` of the user's may take its time."""
_OLDEST = (7, 4)
"""The first OpenSSH whose shared connections can be spoken to directly (its release notes: `ssh -O proxy`)."""
_MAX_JUMPS = 8
_NO_PATH = ("", "none")


@dataclass(frozen=True)
class Openssh:
    """The system's ssh and where it would go.

    Args:
        command: what to run.
        target: as the other transport knows it, so that both have the same names for the same remote.
        values: the configuration in effect, by keyword in lower case; the first value of each.
        repeated: every value of each keyword.
        control_path: where the user's own shared connection would be, if one is configured.
    """

    command: OpensshCommand
    target: SshTarget
    values: Mapping[str, str]
    repeated: Mapping[str, Sequence[str]]
    control_path: str | None

    def variables(self, environment: Mapping[str, str]) -> list[tuple[str, str]]:
        """The environment to ask for on the remote: SetEnv, and what SendEnv names of ours."""
        sent = [name for value in self.repeated.get("sendenv", ()) for name in value.split()]
        set_here = [value.partition("=") for value in self.repeated.get("setenv", ())]
        found = {k: v for k, v in environment.items() if any(fnmatch.fnmatchcase(k, pattern) for pattern in sent)}
        return [*found.items(), *((name, value) for name, equals, value in set_here if equals)]

    def number(self, keyword: str) -> int:
        """A number of the configuration, 0 where it is none."""
        value = self.values.get(keyword, "")
        return int(value) if value.isascii() and value.isdigit() else 0


def typed_command(command: OpensshCommand) -> SshCommand:
    """Host, user and port as typed, for names that are shown."""
    user, host, port = split_destination(command.destination)
    options = list(zip(command.options, [*command.options[1:], ""], strict=True))
    user = user or next((value for letter, value in options if letter == "-l"), None)
    number = next((value for letter, value in options if letter == "-p" and value.isdigit()), None)
    return SshCommand(host, user=user, port=port or (int(number) if number else None))


def ask_ssh(command: OpensshCommand) -> Openssh:
    """Have ssh resolve a command line. Blocks for some milliseconds; nothing is connected to.

    Raises:
        ConfigurationError: there is no ssh that can be used here, or it refuses its configuration.
        CommandLineError: it refuses the command line.
    """
    _check_program(command.program)
    repeated = _configuration(command, list(command.options), command.destination)
    values = {keyword: found[0] for keyword, found in repeated.items()}
    path = command.control_path or values.get("controlpath", "")
    return Openssh(
        command,
        _target(command, values),
        values,
        repeated,
        None if path.lower() in _NO_PATH else str(expand_home(path)),
    )


def _check_program(program: str) -> None:
    if os.name != "posix":
        raise ConfigurationError(
            "REMOTE_TRANSPORT=openssh needs an ssh that can share a connection (ControlMaster), and that of Windows "
            "cannot.",
            next_step="Leave REMOTE_TRANSPORT out, or run OpenCode and pybridge inside WSL.",
        )
    said = _run([program, "-V"]).stderr.strip()
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", said)
    if found is None:
        raise ConfigurationError(
            f"REMOTE_TRANSPORT=openssh works with OpenSSH's own client only; {program!r} calls itself {said[:60]!r}.",
            next_step="Install OpenSSH's client (the package openssh-client), or leave REMOTE_TRANSPORT out.",
        )
    if (int(found[1]), int(found[2])) < _OLDEST:
        raise ConfigurationError(
            f"REMOTE_TRANSPORT=openssh needs OpenSSH {_OLDEST[0]}.{_OLDEST[1]} or newer; {program!r} is {found[0]}.",
            next_step="Install a newer one and name it in REMOTE_SSH by its path, or leave REMOTE_TRANSPORT out.",
        )


def _configuration(command: OpensshCommand, options: list[str], destination: str) -> dict[str, list[str]]:
    done = _run([command.program, "-G", *options, "--", destination])
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[-400:] or f"it ended with {done.returncode}"
        kind = CommandLineError if "usage:" in said or "command-line" in said else ConfigurationError
        raise kind(
            f"ssh refuses what REMOTE_SSH and its configuration say: {said}",
            next_step=f"Try it in a terminal: {command.program} -G {destination}",
        )
    values: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        values.setdefault(keyword.lower(), []).append(value.strip())
    return values


def _target(command: OpensshCommand, values: dict[str, str], *, depth: int = 0) -> SshTarget:
    _, alias, _ = split_destination(command.destination)
    host, user = values.get("hostname", alias), values.get("user", "")
    port = values.get("port", "22")
    proxy = values.get("proxycommand", "none")
    tokens = {"%h": host, "%p": port, "%r": user, "%n": alias, "%%": "%"}
    strict = {"true": "yes", "yes": "yes", "false": "no", "no": "no", "off": "no", "accept-new": "accept-new"}
    return SshTarget(
        alias=alias,
        host=host,
        port=int(port),
        user=user,
        jumps=_jumps(command, values.get("proxyjump", "none"), depth),
        proxy_command=None if proxy == "none" else re.sub(r"%[hprn%]", lambda found: tokens[found[0]], proxy),
        host_key_alias=values.get("hostkeyalias"),
        strict_host_key_checking=strict.get(values.get("stricthostkeychecking", "ask"), "ask"),  # type: ignore[arg-type]
    )


def _jumps(command: OpensshCommand, jump: str, depth: int) -> tuple[SshTarget, ...]:
    if jump == "none":
        return ()
    if depth > _MAX_JUMPS:
        raise ConfigurationError(f"The jump hosts of {command.destination} lead in a circle.")
    hops: list[SshTarget] = []
    for index, text in enumerate(jump.split(",")):
        destination = text if text.startswith("ssh://") else f"ssh://{text}"
        options = ("-F", command.config) if command.config else ()
        hop_command = OpensshCommand(command.program, options, destination, config=command.config)
        values = {k: found[0] for k, found in _configuration(command, list(options), destination).items()}
        if index:  # only the first hop is reached from here; a later one is reached through the one before it
            values["proxyjump"] = "none"
        hop = _target(hop_command, values, depth=depth + 1)
        hops += [*hop.jumps, hop]
    return tuple(hops)


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"REMOTE_TRANSPORT=openssh needs the program {words[0]!r}, which is not there.",
            next_step="Install OpenSSH's client and have it on PATH, or leave REMOTE_TRANSPORT out: that needs no ssh.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(
            f"`{' '.join(words[:2])}` did not answer within {_ANSWER_SECONDS:.0f} s.",
            next_step="A `Match exec` in your ssh configuration may hang; try it in a terminal.",
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{words[0]!r} cannot be run: {error.strerror or error}.") from error
