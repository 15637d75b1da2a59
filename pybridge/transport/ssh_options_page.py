"""docs/ssh-options.md, written from the table of keywords: one source.

`python -m pybridge.transport.ssh_options_page --write` writes it in a checkout; `--check` fails if it is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pybridge.transport.ssh_command import REFUSED_LETTERS
from pybridge.transport.ssh_keywords import KEYWORDS, Fate, Keyword

PATH = Path(__file__).resolve().parents[2] / "docs" / "ssh-options.md"

_TOP = """# ssh options

What `REMOTE_SSH` and ssh's configuration files may say, and what becomes of it. Every keyword of OpenSSH's client
(ssh_config(5) of OpenSSH 10, with Debian's and Apple's additions and the old names) is in the table:

- **honoured**: it does what it does in `ssh`;
- **harmless**: it is ignored, as it makes no difference here, for the reason given;
- **refused**: an error names it, with the reason and what to do. What is refused when it is typed is often ignored in a
  configuration file, which is there for other uses of `ssh` too.

A keyword is typed as `-o Keyword=value`, or by its letter. One that OpenSSH does not have is an error, unless
`IgnoreUnknown` names it. The files are `~/.ssh/config` and `/etc/ssh/ssh_config`, or the one of `-F` (`-F none`: none).
Options may follow the host. A remote command is refused: pybridge runs its own.

With `REMOTE_TRANSPORT=openssh` this page does not apply: the system's own ssh reads its options itself.

This page is written by `python -m pybridge.transport.ssh_options_page --write`; do not edit it.

| Keyword | Letter | Typed | In a file | Reason or remark |
|---|---|---|---|---|
"""

_LETTERS = """
## Letters that are no keyword

| Letter | Fate | Reason |
|---|---|---|
| `-F` | honoured | the configuration file to read |
| `-o` | honoured | a keyword and its value |
| `-E` | harmless | pybridge keeps its own log |
"""


def generate() -> str:
    """The content of the page."""
    rows = "".join(_row(keyword) for keyword in sorted(KEYWORDS.values(), key=lambda keyword: keyword.name.lower()))
    letters = "".join(f"| `-{letter}` | refused | {why} |\n" for letter, why in sorted(REFUSED_LETTERS.items()))
    return _TOP + rows + _LETTERS + letters


def _row(keyword: Keyword) -> str:
    names = f"`{keyword.name}`" + "".join(f", `{alias}`" for alias in keyword.aliases)
    letters = " ".join(f"`-{letter}`" for letter in keyword.letters)
    remarks = [keyword.why] if keyword.why else []
    if Fate.REFUSED in (keyword.fate, keyword.fate_in_files()):
        if keyword.harmless:
            remarks.append("never refused: " + ", ".join(f"`{value}`" for value in keyword.harmless))
        if keyword.next_step:
            remarks.append(keyword.next_step.rstrip("."))
    remark = ". ".join(text[0].upper() + text[1:] for text in remarks)
    return f"| {names} | {letters} | {keyword.fate.value} | {keyword.fate_in_files().value} | {remark} |\n"


def is_current(path: Path = PATH) -> bool:
    """Whether the file holds what `generate` gives."""
    try:
        return path.read_text(encoding="utf-8") == generate()
    except FileNotFoundError:
        return False


def main(arguments: list[str]) -> int:
    """Write or check the file.

    Returns:
        the exit code: 1 when the file is stale, 2 for wrong arguments.
    """
    if arguments == ["--write"]:
        PATH.write_bytes(generate().encode())
        return 0
    if arguments == ["--check"]:
        if is_current():
            return 0
        print(f"{PATH} is stale: run `python -m pybridge.transport.ssh_options_page --write`", file=sys.stderr)
        return 1
    print("usage: python -m pybridge.transport.ssh_options_page --write | --check", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
