"""OpenCode's system prompt with the remote's surroundings in it.

Nothing of the prompt is known here but the lines that state a local fact (seen alike with 1.15.0 and 1.18.33). After
the agent's own text come, each on lines of its own:

- `<env>`, lines `  NAME: VALUE`, `</env>`;
- `<available_references>` with a line before it (1.18): folders that may be looked at beside the project;
- instruction files, each as `Instructions from: PATH` and its content;
- `<available_skills>` and others, up to the end.

These are rewritten in place. A prompt without such an `<env>` for the local folder is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pybridge.tools.instructions import Instruction
from pybridge.tools.surroundings.local_project import LocalProject, is_own, is_url

FROM = "Instructions from: "

_ENV = re.compile(r"^<env>\n(?P<lines>(?:(?!</env>$).*\n)*)</env>$", re.MULTILINE)
_LINE = re.compile(r"  (?P<name>[^:\n]+): (?P<value>.*)")
_REFERENCES = re.compile(
    r"\n[^\n]*\n<available_references>\n(?P<items>.*?)(?<=\n)</available_references>(?=\n|\Z)", re.DOTALL
)
_REFERENCE = re.compile(r"  <reference>\n.*?(?<=\n)  </reference>\n", re.DOTALL)
_REFERENCE_PATH = re.compile(r"(?<=\n    <path>).*(?=</path>\n)")
_SKILLS = re.compile(r"(?<=\n)<available_skills>\n(?P<items>.*?)</available_skills>", re.DOTALL)
_SKILL = re.compile(r"  <skill>\n(?:(?!  </skill>\n).*\n)*  </skill>\n")
_SKILL_LOCATION = re.compile(r"<location>(.*)</location>")
# Where the text of an instruction file ends that is not on this machine any more as it is in the prompt.
_AFTER = re.compile(
    r"\n(?=Instructions from: (?:/|[A-Za-z]:[\\/]|https?://)"
    r"|Skills provide specialized instructions |<mcp_instructions>)"
)

_KNOWN: tuple[str, ...] = (
    "Working directory",
    "Workspace root folder",
    "Is directory a git repo",
    "Platform",
    "Today's date",
)

_LARGEST_LOCAL = 16 * 1024 * 1024


@dataclass(frozen=True)
class RemoteSurroundings:
    """What the prompt is to say of the remote.

    Args:
        workdir: remote absolute path of the folder.
        worktree: the git work tree it lies in, "/" without one (as OpenCode has it).
        git: it lies in a git work tree.
        platform: the operating system in OpenCode's spelling: linux, darwin, freebsd.
        date: today's date there, as JavaScript's `toDateString` gives it.
        project: the instruction files of the folder and those above it.
        entries: the instruction files that each relative entry of the setting `instructions` means.
        references: where on the remote those reference folders are that are there, by the path in the prompt.
    """

    workdir: str
    worktree: str
    git: bool
    platform: str
    date: str
    project: Sequence[Instruction] = ()
    entries: Mapping[str, Sequence[Instruction]] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Block:
    """One instruction file in the prompt: where it is from, and its text with the line that says so."""

    path: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """A system prompt taken apart; joined by line ends, the parts are the prompt.

    Args:
        head: everything up to the environment block.
        env: the lines in it.
        references: the text about reference folders, with the line before it, or "".
        blocks: the instruction files.
        tail: the rest; None when there is none.
    """

    head: str
    env: Sequence[str]
    references: str
    blocks: Sequence[_Block]
    tail: str | None
    local: LocalProject

    @classmethod
    def parse(cls, text: str, local: LocalProject) -> Prompt | None:
        """Take a prompt apart; None when it does not say what the working directory is in the way known."""
        for found in _ENV.finditer(text):
            lines = found["lines"].split("\n")[:-1]
            if f"  Working directory: {local.directory}" in lines:
                break
        else:
            return None
        rest = text[found.end() :]
        references = _REFERENCES.match(rest)
        if references:
            rest = rest[references.end() :]
        blocks, tail = _blocks(rest)
        head = text[: found.start()]
        return cls(head, lines, references[0] if references else "", blocks, tail, local)

    @property
    def reference_folders(self) -> list[str]:
        """The paths of the reference folders."""
        return _REFERENCE_PATH.findall(self.references)

    def rewritten(self, remote: RemoteSurroundings) -> str:
        """The prompt with the remote's surroundings in the place of the local ones."""
        git = "yes" if remote.git else "no"
        values = dict(zip(_KNOWN, (remote.workdir, remote.worktree, git, remote.platform, remote.date), strict=True))
        blocks = self._instructions(remote.project, remote.entries)
        return self._joined(values, [], self._references(remote.references), blocks)

    def without_remote(self, host: str) -> str:
        """The prompt for a remote that does not answer: nothing local is left, and it says so.

        Args:
            host: what to call the remote.
        """
        notice = f"  The project is on {host}, which cannot be reached at the moment."
        values = dict.fromkeys(_KNOWN, "unknown")
        return self._joined(values, [notice], self._references({}), self._instructions((), {}))

    def _joined(self, values: Mapping[str, str], notices: Sequence[str], references: str, blocks: Sequence[str]) -> str:
        lines = [*notices]
        for line in self.env:
            match = _LINE.fullmatch(line)
            name = match["name"] if match else ""
            if name in values:
                lines.append(f"  {name}: {values[name]}")
            elif self.local.directory not in line:
                lines.append(line)
        env = "\n".join(["<env>", *lines, "</env>"])
        tail = [] if self.tail is None else [self._without_local_skills(self.tail)]
        return self.head + "\n".join([env + references, *blocks, *tail])

    def _instructions(self, project: Sequence[Instruction], entries: Mapping[str, Sequence[Instruction]]) -> list[str]:
        """The instruction files in OpenCode's order: the user's own, the project's, those of `instructions`, URLs."""
        kept = [block for block in self.blocks if not self.local.loads(block.path)]
        ordered = [block.text for block in kept if self.local.is_global(block.path)]
        kept = [block for block in kept if not self.local.is_global(block.path)]
        added: set[str] = set()

        def add(instructions: Sequence[Instruction]) -> None:
            for instruction in instructions:
                if instruction.path not in added:
                    added.add(instruction.path)
                    ordered.append(f"{FROM}{instruction.path}\n{instruction.text}")

        add(project)
        for entry in self.local.entries:
            if is_url(entry):
                continue
            if is_own(entry):
                ordered += [block.text for block in kept if self.local.own_entry_matches(entry, block.path)]
                kept = [block for block in kept if not self.local.own_entry_matches(entry, block.path)]
            else:
                add(entries.get(entry, ()))
        return ordered + [block.text for block in kept]

    def _references(self, places: Mapping[str, str]) -> str:
        """The reference folders the remote has, with where they are there; "" when it has none."""

        def corrected(match: re.Match[str]) -> str:
            path = _REFERENCE_PATH.search(match[0])
            if path is None or path[0] not in places:
                return ""
            return match[0][: path.start()] + places[path[0]] + match[0][path.end() :]

        found = _REFERENCES.match(self.references)
        if not found:
            return ""
        items = _REFERENCE.sub(corrected, found["items"])
        return self.references.replace(found["items"], items) if items.strip() else ""

    def _without_local_skills(self, tail: str) -> str:
        def corrected(match: re.Match[str]) -> str:
            location = _SKILL_LOCATION.search(match[0])
            if location is None:
                return match[0]
            if location[1].endswith("/%3Cbuilt-in%3E"):  # 1.15.0 takes the mark for a file of the local folder
                return match[0].replace(location[1], "&lt;built-in&gt;")
            return "" if self.local.has_skill(_unescaped(location[1])) else match[0]

        def items(match: re.Match[str]) -> str:
            return match[0].replace(match["items"], _SKILL.sub(corrected, match["items"]))

        return _SKILLS.sub(items, "\n" + tail, count=1)[1:]


def states_local_facts(text: str, local: LocalProject) -> bool:
    """Whether a prompt that could not be taken apart still seems to tell the model of the local folder."""
    return local.directory in text or "\n<env>\n" in text or f"\n{FROM}" in text


def _blocks(text: str) -> tuple[list[_Block], str | None]:
    """The instruction files `text` begins with (each after a line end), and what comes after them."""
    blocks = []
    while text.startswith("\n" + FROM):
        text = text[1:]
        path, _, content = text[len(FROM) :].partition("\n")
        end = len(text) - len(content) + _length(path, content)
        blocks.append(_Block(path, text[:end]))
        text = text[end:]
    return blocks, text[1:] if text.startswith("\n") else text or None


def _length(path: str, content: str) -> int:
    """How much of `content` is the text of the file at `path`, which may itself hold whatever a prompt holds."""
    held = None if is_url(path) else _local_text(path)
    if held and content.startswith(held) and content[len(held) : len(held) + 1] in ("", "\n"):
        return len(held)
    after = _AFTER.search(content)
    return after.start() if after else len(content)


def _unescaped(text: str) -> str:
    # As xml.sax.saxutils has it, which would load the modules for HTTP and e-mail.
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _local_text(path: str) -> str | None:
    """A local file as OpenCode has read it."""
    try:
        file = Path(path)
        if not file.is_file() or file.stat().st_size > _LARGEST_LOCAL:
            return None
        return file.read_bytes().decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return None
