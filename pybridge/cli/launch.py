"""`pybridge launch`: OpenCode, started so that its tools act on the remote and never here."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pybridge.cli.console import narrate, show
from pybridge.cli.environment import take_environment
from pybridge.cli.opencode.binary import find_opencode
from pybridge.cli.opencode.client import NOTICE, client_environment, is_client
from pybridge.cli.opencode.config_content import CONTENT
from pybridge.cli.opencode.handover import hand_over, remove_abandoned, withdraw
from pybridge.cli.opencode.login import log_in
from pybridge.cli.opencode.plan import Plan, make_plan
from pybridge.errors import OpenCodeError, RemoteError


def launch(
    context: typer.Context,
    print_only: Annotated[bool, typer.Option("--print", help="Show what would be started, and start nothing.")] = False,
) -> None:
    """Start OpenCode on the remote folder that REMOTE_SSH and REMOTE_WORKDIR name.

    Everything after `--` is handed to OpenCode. Its `attach` is only a window: the tools are those of the server.
    """
    env = take_environment()
    try:
        if is_client(context.args):
            _launch_client(context.args, env, print_only=print_only)
            return
        plan = make_plan(env, context.args)
        for warning in plan.warnings:
            narrate(f"pybridge: {warning}")
        if print_only:
            show(describe(plan, env))
            return
        narrate(f"pybridge: OpenCode will work on {plan.target}")
        start(plan, env)
    except RemoteError as error:
        error.add_note("`pybridge doctor` checks every step.")
        raise


def describe(plan: Plan, env: Mapping[str, str]) -> str:
    """The plan as shell commands a person can read.

    The secrets are left out, and of the user's environment `env` the configuration content: it may hold keys.
    """
    changes = {**plan.changes, CONTENT: json.dumps(plan.ours)}
    lines = [f"cd {shlex.quote(str(plan.folder))}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in changes.items()]
    if env.get(CONTENT):
        lines.append(f"# {CONTENT}: your own value, with the above merged over it")
    lines.append(shlex.join(["exec", str(plan.program), *plan.arguments]))
    return "\n".join(lines)


def start(plan: Plan, env: Mapping[str, str]) -> NoReturn:
    """Become OpenCode; on Windows, run it and end with its exit code.

    Args:
        plan: what to start.
        env: the caller's environment, secrets included.

    Raises:
        ConnectError: and below: ssh, which asks at the terminal, could not log in.
        LocalStorageError: the secrets cannot be handed over.
        OpenCodeError: the program cannot be started.
    """
    remove_abandoned()
    environment = hand_over({**env, **plan.changes, **log_in(plan.route, env)})
    try:
        _become(plan.program, plan.arguments, environment, plan.folder)
    except OpenCodeError:
        withdraw(environment)
        raise


def _launch_client(arguments: Sequence[str], env: Mapping[str, str], *, print_only: bool) -> None:
    program = find_opencode(env)
    environment = client_environment(env)
    if print_only:
        dropped = sorted(set(env) - set(environment))
        show("\n".join([*([f"unset {' '.join(dropped)}"] if dropped else []), shlex.join([str(program), *arguments])]))
        return
    narrate(f"pybridge: {NOTICE}")
    _become(program, arguments, environment)


def _become(
    program: Path, arguments: Sequence[str], environment: dict[str, str], folder: Path | None = None
) -> NoReturn:
    command = [str(program), *arguments]
    try:
        if os.name == "nt":
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is OpenCode's to answer
            sys.exit(subprocess.run(command, cwd=folder, env=environment).returncode)
        if folder is not None:
            os.chdir(folder)
        os.execve(program, command, environment)
    except OSError as error:
        raise OpenCodeError(
            f"{program} cannot be started: {error.strerror or error}.",
            next_step="Set PYBRIDGE_OPENCODE to OpenCode's executable.",
        ) from error
