"""What the model is told each tool does."""

from __future__ import annotations

DESCRIPTIONS = {
    "bash": (
        "Runs a shell command on the remote machine the user works on, in the project folder there, and returns what "
        "it wrote to standard output and standard error.\n"
        "- Each call is a fresh shell: variables and `cd` do not last. Use `workdir` to run in another folder.\n"
        "- Standard input is empty: commands that ask questions must be told not to.\n"
        "- `timeout` is in milliseconds, 120000 when left out. A command ended by it takes its child processes along.\n"
        "- An exit code other than 0 is reported as an error that ends with the code.\n"
        "- Long output keeps its end; the whole is kept in a file named at the top, which read and grep can open.\n"
        "- To find files use glob, to search in them grep, to read, change or write them read, edit and write.\n"
        "- Quote paths that contain spaces. Join commands that depend on each other with `&&`; make independent calls "
        "at the same time."
    ),
    "glob": (
        "Finds files on the remote machine by a glob pattern such as `**/*.ts` or `src/{a,b}/*.py`. Returns at most "
        "100 absolute paths, newest first."
    ),
    "grep": (
        "Searches file contents on the remote machine for a regular expression. `path` may be a folder or one file; "
        "`include` limits the files by a glob pattern. Returns at most 100 matching lines with path and line number."
    ),
    "read": (
        "Reads a file, or lists a folder, on the remote machine.\n"
        "- `filePath` is absolute.\n"
        "- Up to 2000 lines from the start, each with its number and `: ` in front (not part of the file). For more, "
        "use `offset` (first line, from 1) and `limit`.\n"
        "- Lines over 2000 characters are cut. Images and PDFs are shown as attachments.\n"
        "- Folders are listed one name per line, folders with a trailing `/`.\n"
        "- Read several files in one go by making the calls at the same time, and read large parts, not small ones."
    ),
    "write": (
        "Writes a whole file on the remote machine, creating folders as needed and replacing what was there. Read an "
        "existing file first. To change a part of a file use edit. Do not create documentation unasked."
    ),
    "edit": (
        "Replaces text in a file on the remote machine.\n"
        "- `oldString` must be in the file exactly, with its indentation, and without the line numbers read shows.\n"
        "- It must be unique: add surrounding lines, or set `replaceAll` to change every occurrence.\n"
        "- Read the file first. An empty `oldString` creates a new file with `newString` as its content."
    ),
    "apply_patch": (
        "Changes files on the remote machine by a patch; every hunk is checked before anything is written. The patch "
        "looks like this:\n\n"
        "*** Begin Patch\n"
        "*** Add File: path/new.txt\n"
        "+each line of a new file starts with a plus\n"
        "*** Update File: path/old.py\n"
        "*** Move to: path/renamed.py\n"
        "@@ def function_above():\n"
        " an unchanged line starts with a space\n"
        "-a removed line\n"
        "+an added line\n"
        "*** Delete File: path/gone.txt\n"
        "*** End Patch\n\n"
        "`*** Move to:` is optional. Give a few unchanged lines around each change; `@@` with a line above it helps to "
        "find the place. Paths are absolute, or relative to the project folder."
    ),
}
"""By tool name."""
