"""GNU tools that refuse what they did not know in 2010, as wrappers around today's.

From the NEWS of coreutils (8.5 of April 2010 is the last one allowed), findutils (4.4.2), grep (2.6.3), sed (4.2.1) and
util-linux (2.17): options, and formats, that came later. What these programs did otherwise then is not imitated.
"""

from __future__ import annotations

LATER = {
    "cp": ("--attributes-only", "-Z", "--sparse=*", "--debug", "--update=*"),
    "stat": ("--cached*", "*%.*", "*%W*", "*%w*", "*%m*"),
    "date": ("--resolution", "--iso-8601=ns", "--debug", "-Ins"),
    "dd": ("status=none", "status=progress", "*count_bytes*", "*skip_bytes*"),
    "head": ("-z*", "--zero-terminated"),
    "tail": ("-z*", "--zero-terminated", "--debug"),
    "cut": ("-z*", "--zero-terminated"),
    "wc": ("--total*",),
    "tr": ("--zero*",),
    "ls": ("--zero", "--hyperlink*"),
    "ln": ("-r*", "--relative"),
    "rm": ("-d", "--dir"),
    "mv": ("-Z", "--exchange", "--no-copy", "--debug"),
    "mktemp": ("--suffix*",),
    "realpath": ("*",),
    "numfmt": ("*",),
    "readlink": ("-z", "--zero"),
    "sort": ("--debug", "--parallel*"),
    "sha256sum": ("--ignore-missing", "--tag", "-z", "--zero", "--strict"),
    "md5sum": ("--ignore-missing", "--tag", "-z", "--zero", "--strict"),
    "cksum": ("-*",),
    "env": ("-S*", "-C*", "--chdir*", "--split-string*", "--ignore-signal*", "--block-signal*", "--default-signal*"),
    "id": ("-z", "--zero"),
    "timeout": ("--foreground", "--preserve-status", "-v", "--verbose"),
    "touch": ("--no-dereference=*",),
    "sync": ("/*", "-d", "-f"),
    "find": ("-files0-from",),
    "xargs": ("--process-slot-var*", "-o", "--open-tty"),
    "grep": ("--no-ignore-case", "--no-messages=*", "--group-separator*"),
    "sed": ("-z*", "--null-data", "--debug", "--sandbox", "-E*"),
    "setsid": ("-w", "-f", "--wait", "--fork"),
    "cmp": ("--zero*",),
}
"""Patterns of sh for arguments that each program refuses."""


def _setup() -> str:
    """Shell text for a container's setup: today's programs move away, wrappers take their place."""
    lines = ["mkdir -p /usr/lib/today"]
    for program, patterns in LATER.items():
        cases = "|".join(patterns)
        refuse = f'{cases}) echo "{program}: unrecognized option \\`$a' + "'\" >&2; exit 1 ;;"
        text = f'#!/bin/sh\nfor a do case $a in {refuse} --) break ;; esac; done\nexec /usr/lib/today/{program} "$@"\n'
        lines.append(f"mv /usr/bin/{program} /usr/lib/today/{program}")
        lines.append(f"cat > /usr/bin/{program} <<'WRAPPER'\n{text}WRAPPER\nchmod 755 /usr/bin/{program}")
    return "\n".join(lines)


SETUP = _setup()
