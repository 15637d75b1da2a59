"""The `pybridge` command: which subcommand, and how its failures reach a person.

Standard output carries data, standard error narrates. `pybridge sidecar` is started by OpenCode and waited for, so it
is recognised before anything heavy is imported.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line in sys.argv and end the process.

    Exit codes: 0 done, 1 it failed (with one message on standard error), 2 the command line is wrong, 130 interrupted.
    PYBRIDGE_LOG=debug shows the traceback of a failure as well.
    """
    if sys.argv[1:2] == ["sidecar"] and not {"--help", "-h"} & set(sys.argv[2:]):
        from pybridge.sidecar.run import main as sidecar

        sys.exit(sidecar())
    sys.exit(_run())


def _run() -> int:
    from pybridge.cli.commands import app
    from pybridge.cli.console import narrate
    from pybridge.errors import RemoteError

    debug = os.environ.get("PYBRIDGE_LOG", "").strip().lower() == "debug"
    try:
        app(prog_name="pybridge")
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has had enough; the interpreter must not complain about it at its end.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        return 1
    except RemoteError as error:
        narrate(_traceback() if debug else "\n".join([f"pybridge: {error}", *getattr(error, "__notes__", ())]))
        return 1
    except Exception as error:
        narrate(
            _traceback()
            if debug
            else f"pybridge: this is a fault of pybridge's own: {type(error).__name__}: {error}\n"
            "Run it again with PYBRIDGE_LOG=debug and report what it prints, with `pybridge doctor --report`."
        )
        return 1
    return 0


def _traceback() -> str:
    import traceback

    return traceback.format_exc()
