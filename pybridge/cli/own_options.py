"""A command that has a few options of its own, and hands everything after `--` to another program."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class OwnOptionsThenArguments(TyperCommand):
    """Refuses what begins with `-` before the first `--` and is none of its own; what comes after is left untouched.

    To be used with `allow_extra_args` and `ignore_unknown_options`: what is left over is found in the context's `args`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Split the words, read the options, and refuse a mistyped one: the other program would get the typo."""
        end = args.index("--") if "--" in args else len(args)
        left = super().parse_args(ctx, args[:end])
        for word in left:
            if word.startswith("-") and word != "-":
                ctx.fail(f"No such option: {word}\nArguments for OpenCode go after `--`.")
        ctx.args = [*left, *args[end + 1 :]]
        return ctx.args
