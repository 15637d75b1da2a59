"""The subcommands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from pybridge.cli import (
    clean,
    demo,
    doctor,
    history,
    install,
    launch,
    password,
    sidecar,
    trust,
    undo,
    uninstall,
    version,
)
from pybridge.cli.own_options import OwnOptionsThenArguments
from pybridge.cli.trust import OwnOptionsAmongSshWords

app = typer.Typer(
    name="pybridge",
    help="OpenCode's seven tools on a remote machine, over SSH, with nothing installed there.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command(
    cls=OwnOptionsThenArguments,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    options_metavar="[OPTIONS] [-- ARGS]",
)(launch.launch)
app.command()(install.install)
app.command()(uninstall.uninstall)
app.command()(doctor.doctor)
app.command(
    cls=OwnOptionsAmongSshWords,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    options_metavar="[--fingerprint SHA256:...] HOST",
)(trust.trust)
app.add_typer(password.app)
app.command()(history.history)
app.command()(undo.undo)
app.command()(demo.demo)
app.command()(clean.clean)
app.command()(sidecar.sidecar)
app.command()(version.version)


@app.callback(invoke_without_command=True)
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if show_version:
        version.version()
        raise typer.Exit
