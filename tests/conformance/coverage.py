"""Every string and branch that section 3 of the contract (OpenCode 1.18.33) names, and the cases that hit it.

A row's evidence is looked for in what the built-in tools really answered, and in what ours did: a case that is named
but does not hit its row fails. Where a row of the table of differences names the case, only the built-in is looked at.
"""

from __future__ import annotations

import re

from tests.conformance.evidence import (
    EDITED,
    FOLDER,
    PATCH,
    Row,
    attaches,
    fails,
    fits,
    last,
    leaves,
    patched,
    refuses,
    replaces,
    row,
    says,
    tells,
)
from tests.conformance.winners import replacer_of

COVERAGE: tuple[Row, ...] = (
    # read, a file
    row(
        "read: the frame of a file",
        fits(
            r"<path>/[^\n]*/f</path>\n<type>file</type>\n<content>"
            r"\n1: hello\n2: hello again\n3: x\n\n\(End of file - total 3 lines\)\n</content>"
        ),
        "read-whole",
    ),
    row("read: title is the path from the work tree", last(lambda a: a.title == "read-relative/f"), "read-relative"),
    row(
        "read: more lines to come",
        says("\n\n(Showing lines 1-2 of 3. Use offset=3 to continue.)\n</content>"),
        "read-limit",
    ),
    row(
        "read: 2000 lines",
        says("\n2000: line 2000\n\n(Showing lines 1-2000 of 3000. Use offset=2001 to continue.)"),
        "read-more-than-2000-lines",
    ),
    row(
        "read: capped at 50 KB",
        last(
            lambda a: re.search(
                r"\n\n\(Output capped at 50 KB\. Showing lines \d+-\d+\. Use offset=\d+ to continue\.\)\n</content>$",
                a.output,
            )
        ),
        "read-capped read-capped-offset read-wide-characters read-big-first",
    ),
    row("read: long lines", says("z... (line truncated to 2000 chars)\n2: end"), "read-long-line"),
    row(
        "read: a line of 2000 is whole",
        last(lambda a: a.output.count("... (line truncated to 2000 chars)") == 1),
        "read-line-of-2000",
    ),
    row("read: offset 0 is 1", tells(lambda m: m["display"]["lineStart"] == 1), "read-offset-0-limit-0"),
    row("read: CR is not shown", fits(r"[^\r]*\n1: a\n2: b\n[^\r]*"), "read-crlf read-bom-crlf"),
    row("read: a CR alone ends a line", says("1: a\n2: b\n3: \n4: c\n5: d\n"), "read-cr-alone"),
    row("read: the BOM is not shown", says("\n1: a\n"), "read-bom read-bom-crlf"),
    row("read: bad UTF-8 becomes U+FFFD", says("1: caf\ufffd\n2: \ufffd\ufffd\n"), "read-bad-utf-8"),
    row("read: an empty file", says("(End of file - total 0 lines)"), "read-empty read-empty-offset-1"),
    row(
        "read: the display of a file",
        tells(
            lambda m: (
                set(m) == {"preview", "truncated", "loaded", "display"}
                and set(m["display"]) == {"type", "path", "text", "lineStart", "lineEnd", "totalLines", "truncated"}
                and m["display"]["type"] == "file"
            )
        ),
        "read-whole read-offset read-big-middle",
    ),
    row(
        "read: the preview is 20 lines",
        tells(lambda m: m["preview"].count("\n") == 19),
        "read-more-than-2000-lines read-capped",
    ),
    row(
        "read: truncated in the metadata",
        tells(lambda m: m["truncated"] is True),
        "read-limit read-capped read-more-than-2000-lines",
    ),
    row("read: a path outside", tells(lambda m: m["display"]["path"] == "/proc/version"), "read-outside"),
    # read, a folder
    row(
        "read: the frame of a folder",
        fits(FOLDER + r"[^\0]*\n\n\(\d+ entries\)\n</entries>"),
        "read-folder read-folder-slash",
    ),
    row("read: folders and symlinks to folders end in a slash", fits(r".*\nlink/\n.*\nsub/\n.*"), "read-folder"),
    row("read: a symlink to nothing does not", fits(r".*\ndead\n.*"), "read-folder"),
    row("read: dot files are listed", fits(r".*\n\.hidden\n.*"), "read-folder"),
    row(
        "read: sorted as the locale has it",
        fits(FOLDER + r"_u\n\.hidden\n10\n9\na-b\na\.txt\n\u00c4\.txt\nb\.txt\nB\.txt\n.*"),
        "read-folder",
    ),
    row("read: an empty folder", fits(FOLDER + r"\n\n\(0 entries\)\n</entries>"), "read-folder-empty"),
    row(
        "read: more entries to come",
        says("b\nc\n\n(Showing 2 of 6 entries. Use 'offset' parameter to read beyond entry 4)"),
        "read-folder-paged",
    ),
    row(
        "read: 2000 entries",
        says("(Showing 2000 of 2003 entries. Use 'offset' parameter to read beyond entry 2001)"),
        "read-folder-more-than-2000",
    ),
    row(
        "read: the display of a folder",
        tells(lambda m: set(m["display"]) == {"type", "path", "entries", "offset", "totalEntries", "truncated"}),
        "read-folder read-folder-paged",
    ),
    # read, what cannot be read
    row("read: not found", fails(r"File not found: /\S*/zzzzzz"), "read-missing"),
    row(
        "read: did you mean",
        fails(r"File not found: /\S*/a\.tx\n\nDid you mean one of these\?\n/\S*/a\.txt"),
        "read-missing-alike",
    ),
    row(
        "read: did you mean, without regard to case, either way",
        fails(r"File not found: .*\n\nDid you mean one of these\?\n/.*"),
        "read-missing-alike-case read-missing-alike-longer",
    ),
    row("read: three suggestions", last(lambda a: a.output.count("\n") == 5), "read-missing-alike-many"),
    row(
        "read: offset out of range",
        fails(r"Offset (4|2) is out of range for this file \((3|0) lines\)"),
        "read-offset-beyond read-empty-offset-2",
    ),
    row("read: binary by NUL", fails(r"Cannot read binary file: /\S*/f"), "read-binary-nul"),
    row("read: binary by control characters", fails(r"Cannot read binary file: /\S*/f"), "read-binary-control"),
    row(
        "read: binary by extension",
        fails(r"Cannot read binary file: /\S*"),
        "read-binary-extension read-binary-extension-upper read-binary-object",
    ),
    row("read: 30 % control characters are text", says("abcdefgh"), "read-text-few-controls"),
    row("read: only the first 4096 bytes count", says("1: aaaa"), "read-nul-after-4096"),
    # read, images and PDF
    row("read: PNG", attaches("image/png", "Image read successfully"), "read-png read-png-by-content"),
    row("read: GIF", attaches("image/gif", "Image read successfully"), "read-gif"),
    row("read: JPEG", attaches("image/jpeg", "Image read successfully"), "read-jpeg"),
    row("read: WebP", attaches("image/webp", "Image read successfully"), "read-webp"),
    row("read: PDF", attaches("application/pdf", "PDF read successfully"), "read-pdf read-pdf-by-content"),
    # read, instructions
    row(
        "read: AGENTS.md of the folder",
        lambda case, played: (
            "\n\n<system-reminder>\nInstructions from: " in played.answers[0].output
            and "be nice\n\n</system-reminder>" in played.answers[0].output
        ),
        "read-instructions",
    ),
    row(
        "read: instructions once a session",
        lambda case, played: "<system-reminder>" not in played.answers[1].output,
        "read-instructions",
    ),
    row(
        "read: instructions of every folder above",
        lambda case, played: re.search("inner.*outer", played.answers[0].output, re.DOTALL) is not None,
        "read-instructions-nested",
    ),
    row(
        "read: instructions in `loaded`",
        lambda case, played: [p.rpartition("/")[2] for p in played.answers[0].metadata["loaded"]] == ["AGENTS.md"],
        "read-instructions read-instructions-image",
    ),
    row("read: CLAUDE.md where there is no AGENTS.md", says("/CLAUDE.md\nbe brief\n"), "read-instructions-claude"),
    # glob
    row("glob: absolute paths", fits(r"/\S*/b\.txt"), "glob-one glob-class glob-question"),
    row("glob: nothing", fits("No files found"), "glob-none glob-empty-folder"),
    row(
        "glob: 100 results",
        says("\n\n(Results are truncated: showing first 100 results. Consider using a more specific path or pattern.)"),
        "glob-more-than-hundred glob-hundred",
    ),
    row("glob: metadata", tells(lambda m: m == {"count": 1, "truncated": False}), "glob-one glob-deep glob-braces"),
    row(
        "glob: truncated in the metadata",
        tells(lambda m: m == {"count": 100, "truncated": True}),
        "glob-more-than-hundred glob-hundred",
    ),
    row("glob: a positive glob overrides .gitignore", says("/x.log"), "glob-ignored"),
    row("glob: a positive glob overrides hidden", fits(r"/\S*(e\.md|\.env)"), "glob-dot-file"),
    row("glob: .git is left out", fits("No files found"), "glob-not-in-git"),
    row("glob: title", last(lambda a: a.title == "glob-relative-path/sub"), "glob-relative-path"),
    row("glob: a path that is a file", fails(r"glob path must be a directory: /\S*/f"), "glob-file-path"),
    row("glob: a missing path fails", fails(".*"), "glob-missing-path"),
    # grep
    row(
        "grep: matches by file",
        fits(r"Found 2 matches\n/\S*/f:\n  Line 1: a needle\n\n  Line 3: needles\n"),
        "grep-one",
    ),
    row(
        "grep: an empty line between files",
        fits(r"Found 2 matches\n/\S*:\n  Line \d: needle\n\n\n/\S*:\n  Line \d: needle\n"),
        "grep-files",
    ),
    row("grep: nothing", fits("No files found"), "grep-none grep-include-none"),
    row(
        "grep: 100 matches",
        fits(
            r"Found 100 matches \(more matches available\)\n.*"
            r"\n\n\(Results truncated\. Consider using a more specific path or pattern\.\)"
        ),
        "grep-more-than-hundred grep-hundred",
    ),
    row("grep: 99 matches are all", fits(r"Found 99 matches\n.*"), "grep-ninety-nine"),
    row("grep: text is cut at 2000", fits(r".*  Line 1: z{2000}\.\.\."), "grep-long-line grep-line-of-2000"),
    row("grep: metadata", tells(lambda m: m == {"matches": 2, "truncated": False}), "grep-one"),
    row(
        "grep: truncated in the metadata",
        tells(lambda m: m == {"matches": 100, "truncated": True}),
        "grep-more-than-hundred",
    ),
    row("grep: include", fits(r"Found 1 matches\n/\S*\.(py|ts):\n.*"), "grep-include grep-include-braces"),
    row("grep: hidden files, but not .git", fits(r"Found 1 matches\n/\S*/\.z:\n.*"), "grep-hidden"),
    row("grep: no ignored files", fits(r"Found 1 matches\n/\S*/y\.txt:\n.*"), "grep-ignored"),
    row("grep: no binary files", fits("No files found"), "grep-binary"),
    row("grep: title is the pattern", last(lambda a: a.title == "needle"), "grep-one grep-none"),
    row("grep: without a pattern", fails("pattern is required"), "arguments-grep-pattern-empty"),
    row("grep: a bad pattern", fails("regex parse error:.*"), "grep-bad-pattern"),
    row("grep fault: a single file", says("Found 2 matches"), "grep-single-file"),
    row("grep fault: a missing path", says("Found 1 matches"), "grep-missing-path"),
    row("grep fault: not UTF-8", fails(".*"), "grep-not-utf-8"),
    # bash
    row("bash: both streams", fits("out\nerr\nout again\n"), "bash-both-streams"),
    row("bash: stdin is empty", fits("nothing to read\n"), "bash-stdin"),
    row("bash: a fresh shell", lambda case, played: "[]" in played.answers[1].output, "bash-nothing-stays"),
    row(
        "bash: a failure completes",
        tells(lambda m: m["exit"] in (1, 7, 127)),
        "bash-exit-1 bash-exit-without-output bash-not-found",
    ),
    row("bash: no output", fits(r"\(no output\)"), "bash-no-output"),
    row(
        "bash: metadata",
        tells(lambda m: m == {"output": "no newline", "exit": 0, "truncated": False}),
        "bash-no-newline",
    ),
    row("bash: title is the command", last(lambda a: a.title == "true"), "bash-no-output"),
    row(
        "bash: cut by lines, the tail is kept",
        fits(r"\.\.\.output truncated\.\.\.\n\nFull output saved to: /\S+\n\n.*\n5000\n"),
        "bash-lines-many",
    ),
    row(
        "bash: cut by bytes, the tail is kept",
        fits(r"\.\.\.output truncated\.\.\.\n\nFull output saved to: /\S+\n\n.*"),
        "bash-bytes-beyond bash-bytes-many bash-bytes-wide",
    ),
    row(
        "bash: what fits is whole",
        last(lambda a: "output truncated" not in a.output),
        "bash-lines-2000 bash-bytes-at-limit",
    ),
    row(
        "bash: outputPath",
        tells(lambda m: m["truncated"] is True and m["outputPath"].startswith("/")),
        "bash-lines-many bash-bytes-many bash-lines-2001",
    ),
    row(
        "bash: 30000 characters in the metadata",
        tells(lambda m: len(m["output"]) == 30_005 and m["output"].startswith("...\n\n")),
        "bash-metadata-beyond bash-bytes-many",
    ),
    row("bash: up to 30000 are whole", tells(lambda m: len(m["output"]) == 30_000), "bash-metadata-limit"),
    row(
        "bash: timeout",
        fits(
            r"begun\n\n\n<shell_metadata>\nshell tool terminated command after exceeding timeout "
            r"4000 ms\. .*\n</shell_metadata>"
        ),
        "bash-timeout",
    ),
    row(
        "bash: a timeout has no exit code",
        tells(lambda m: m["exit"] is None),
        "bash-timeout bash-timeout-without-output",
    ),
    row(
        "bash: a timeout after long output",
        fits(r"\.\.\.output truncated\.\.\.\n.*</shell_metadata>"),
        "bash-timeout-truncated",
    ),
    row("bash: the kept output can be read", says("4000: 4000\n4001: 4001\n4002: 4002"), "bash-kept-output-read"),
    row("bash: the kept output can be searched", says("  Line 4321: 4321\n"), "bash-kept-output-grep"),
    # write
    row("write: the answer", fits(r"Wrote file successfully\."), "write-new write-existing"),
    row("write: parents are made", leaves("new/deep/f.txt", b"x"), "write-new-with-parents"),
    row("write: the BOM stays", leaves("f", b"\xef\xbb\xbfnew\n"), "write-keeps-bom write-bom-twice"),
    row(
        "write: metadata of a new file",
        tells(lambda m: set(m) == {"diagnostics", "filepath", "exists", "truncated"} and not m["exists"]),
        "write-new",
    ),
    row("write: metadata of an existing file", tells(lambda m: m["exists"] is True), "write-existing"),
    row("write: title", last(lambda a: a.title == "write-new-relative/f"), "write-new-relative"),
    # edit
    row("edit: the answer", fits(re.escape(EDITED)), "edit-simple"),
    row(
        "edit: metadata",
        tells(
            lambda m: (
                set(m) == {"diagnostics", "diff", "filediff", "truncated"}
                and set(m["filediff"]) == {"file", "patch", "additions", "deletions"}
            )
        ),
        "edit-simple",
    ),
    row(
        "edit: the diff",
        tells(lambda m: re.match(r"Index: /\S+/f\n={67}\n--- /\S+\n\+\+\+ /\S+\n@@ -1,3 \+1,3 @@\n", m["diff"])),
        "edit-simple",
    ),
    row(
        "edit: the diff without shared indentation",
        tells(lambda m: "\n a\n-b\n+B\n c\n" in m["diff"]),
        "edit-indented-diff",
    ),
    row("edit: CRLF stays", leaves("f", b"\xef\xbb\xbfA\r\nB\r\n"), "edit-crlf"),
    row("edit: the BOM stays", leaves("f", b"\xef\xbb\xbfA\nb\n"), "edit-bom"),
    row("edit: an empty oldString makes a file", leaves("made.txt", b"a\nb\n"), "edit-empty-old-new-file"),
    row("edit: replaceAll", leaves("f", b"other\nother\n"), "edit-replace-all"),
    row("edit: replacer 1, simple", replaces("simple"), "edit-simple edit-simple-lines edit-replace-all"),
    row(
        "edit: replacer 2, lines trimmed", replaces("line_trimmed"), "edit-line-trimmed edit-line-trimmed-last-newline"
    ),
    row("edit: replacer 3, block anchors", replaces("block_anchor"), "edit-block-anchor edit-block-anchor-best-of-two"),
    row(
        "edit: replacer 4, white space",
        replaces("whitespace_normalized"),
        "edit-whitespace-line edit-whitespace-part edit-whitespace-lines",
    ),
    row(
        "edit: replacer 5, indentation (always after 2 or 4 has found the same)",
        replaces("line_trimmed"),
        "edit-indentation",
    ),
    row(
        "edit: replacer 6, escapes",
        replaces("escape_normalized"),
        "edit-escape-newline edit-escape-tab edit-escape-quote edit-escape-dollar edit-escape-in-file",
    ),
    row(
        "edit: replacer 7, trimmed boundaries",
        replaces("trimmed_boundary"),
        "edit-trimmed-boundary edit-trimmed-boundary-lines",
    ),
    row("edit: replacer 8, context", replaces("context_aware"), "edit-context-aware edit-context-aware-half"),
    row(
        "edit: replacer 9, every occurrence (only where 1 found too many)",
        lambda case, played: replacer_of(case) == "ambiguous",
        "edit-multiple",
    ),
    row(
        "edit: the block anchor's 0.65",
        lambda case, played: replacer_of(case) == "not found",
        "edit-block-anchor-unlike",
    ),
    row(
        "edit: the span guard",
        fails(r"Refusing replacement because the matched span is much larger than oldString\. .*"),
        "edit-span-guard-lines edit-span-guard-characters",
    ),
    row(
        "edit: not found",
        fails(
            r"Could not find oldString in the file\. It must match exactly, "
            r"including whitespace, indentation, and line endings\."
        ),
        "edit-not-found edit-replace-all-not-found",
    ),
    row(
        "edit: more than one",
        fails(r"Found multiple matches for oldString\. Provide more surrounding context to make the match unique\."),
        "edit-multiple",
    ),
    row("edit: identical", fails(r"No changes to apply: oldString and newString are identical\."), "edit-identical"),
    row(
        "edit: an empty oldString and a file that exists",
        fails(
            r"oldString cannot be empty when editing an existing file\. "
            r"Provide the exact text to replace, or use write for an intentional full-file replacement\."
        ),
        "edit-empty-old-existing edit-empty-old-empty-file",
    ),
    row("edit: no such file", fails(r"File /\S*/gone not found"), "edit-missing"),
    row("edit: a folder", fails(r"Path is a directory, not a file: /\S*/sub"), "edit-folder"),
    row("edit: no filePath", fails("filePath is required"), "arguments-edit-empty-path"),
    # apply_patch
    row(
        "apply_patch: the answer, a letter a file",
        patched("M patch-all-kinds/f", "A patch-all-kinds/n", "D patch-all-kinds/g", "M patch-all-kinds/i"),
        "patch-all-kinds",
    ),
    row("apply_patch: a move", patched("M patch-move/sub/g"), "patch-move"),
    row(
        "apply_patch: metadata",
        tells(
            lambda m: (
                set(m) == {"diff", "files", "diagnostics", "truncated"}
                and set(m["files"][0]) == {"filePath", "relativePath", "type", "patch", "additions", "deletions"}
            )
        ),
        "patch-update patch-add patch-delete",
    ),
    row(
        "apply_patch: movePath",
        tells(lambda m: m["files"][0]["movePath"].endswith("/sub/g") and m["files"][0]["type"] == "move"),
        "patch-move",
    ),
    row(
        "apply_patch: a context",
        leaves("f", b"class A:\n    def f(self):\n        return 1\n\nclass B:\n    def f(self):\n        return 2\n"),
        "patch-update-context patch-update-contexts patch-update-context-only",
    ),
    row(
        "apply_patch: a heredoc is stripped",
        leaves("f", b"one\n2\nthree\nfour\nfive\n"),
        "patch-heredoc patch-heredoc-cat patch-heredoc-double-quoted",
    ),
    row("apply_patch: pass 1, exact", leaves("f", b"one\n2\nthree\nfour\nfive\n"), "patch-update"),
    row("apply_patch: pass 2, blanks at the end", leaves("f", b"one\n2\nthree\n"), "patch-pass-trailing-blanks"),
    row("apply_patch: pass 3, blanks at both ends", leaves("f", b"one\n2\n"), "patch-pass-trimmed"),
    row("apply_patch: pass 4, unicode", leaves("f", b"x\n"), "patch-pass-quotes patch-pass-nbsp"),
    row(
        "apply_patch: verified before anything is written",
        leaves("f", b"one\ntwo\nthree\nfour\nfive\n"),
        "patch-one-of-two-fails patch-missing-second",
    ),
    row("apply_patch: a BOM stays", leaves("f", b"\xef\xbb\xbf1\ntwo\n"), "patch-bom"),
    row("apply_patch: patchText is required", fails("patchText is required"), "patch-empty-text"),
    row("apply_patch: an empty patch", fails("patch rejected: empty patch"), "patch-empty patch-empty-crlf"),
    row(
        "apply_patch: no markers",
        fails(PATCH + "Error: Invalid patch format: missing Begin/End markers"),
        "patch-no-markers patch-no-end patch-markers-turned",
    ),
    row("apply_patch: no hunks", fails(PATCH + "no hunks found"), "patch-no-hunks"),
    row("apply_patch: no such file", fails(PATCH + r"Failed to read file to update: /\S*/gone"), "patch-missing-file"),
    row("apply_patch: a folder", fails(PATCH + r"Failed to read file to update: /\S*/d"), "patch-folder"),
    row(
        "apply_patch: no such lines",
        fails(PATCH + r"Error: Failed to find expected lines in /\S*/f:\nnot there"),
        "patch-missing-lines",
    ),
    row(
        "apply_patch: no such context",
        fails(PATCH + r"Error: Failed to find context 'nowhere' in /\S*/f"),
        "patch-missing-context",
    ),
    row("apply_patch fault: CRLF becomes LF", leaves("f", b"a\r\nB\nc\r\n"), "patch-crlf"),
    # bad arguments, each tool
    row("arguments: missing, bash", refuses("bash", r'Missing key\n  at \["command"\]'), "arguments-bash-none"),
    row(
        "arguments: missing, read",
        refuses("read", r'Missing key\n  at \["filePath"\]'),
        "arguments-read-none arguments-read-other-spelling",
    ),
    row("arguments: missing, glob", refuses("glob", r'Missing key\n  at \["pattern"\]'), "arguments-glob-none"),
    row("arguments: missing, grep", refuses("grep", r'Missing key\n  at \["pattern"\]'), "arguments-grep-none"),
    row(
        "arguments: missing, write",
        refuses("write", r'Missing key\n  at \["(content|filePath)"\]'),
        "arguments-write-none arguments-write-no-content arguments-write-no-path",
    ),
    row(
        "arguments: missing, edit",
        refuses("edit", r'Missing key\n  at \["(filePath|newString)"\]'),
        "arguments-edit-none arguments-edit-no-new",
    ),
    row(
        "arguments: missing, apply_patch",
        refuses("apply_patch", r'Missing key\n  at \["patchText"\]'),
        "arguments-apply-patch-none arguments-apply-patch-other-name",
    ),
    row(
        "arguments: a number as a string",
        refuses(r"(read|bash)", r'Expected number \| undefined, got "\d+"\n  at \["(offset|limit|timeout)"\]'),
        "arguments-read-offset-string arguments-read-limit-string arguments-bash-timeout-string",
    ),
    row(
        "arguments: no integer",
        refuses(r"(read|bash)", r'Expected an integer, got \S+\n  at \["(offset|timeout)"\]'),
        "arguments-read-offset-fraction arguments-bash-timeout-fraction arguments-read-offset-huge "
        "arguments-read-offset-unsafe",
    ),
    row(
        "arguments: too small",
        refuses(
            r"(read|bash)", r'Expected a value greater than (or equal to )?0, got -?\d\n  at \["(offset|timeout)"\]'
        ),
        "arguments-read-offset-negative arguments-bash-timeout-zero arguments-bash-timeout-negative",
    ),
    row(
        "arguments: no string",
        refuses(r"\w+", r'Expected string( \| undefined)?, got .*\n  at \["\w+"\]'),
        "arguments-read-path-number arguments-read-path-list arguments-bash-command-number arguments-glob-path-null "
        "arguments-grep-path-object arguments-write-content-object arguments-edit-old-number "
        "arguments-apply-patch-number "
        "arguments-bash-workdir-null",
    ),
    row(
        "arguments: no boolean",
        refuses("edit", r'Expected boolean \| undefined, got .*\n  at \["replaceAll"\]'),
        "arguments-edit-replace-all-string arguments-edit-replace-all-null",
    ),
    row(
        "arguments: no object",
        refuses(r"\w+", r"Expected object, got .*"),
        "arguments-a-list arguments-a-string arguments-null",
    ),
    row(
        "arguments: extra ones are ignored",
        last(lambda a: a.status == "completed"),
        "arguments-read-extra arguments-write-extra arguments-edit-extra arguments-glob-extra",
    ),
    row("arguments: not JSON", says("The arguments provided to the tool are invalid: "), "arguments-not-json"),
)

ELSEWHERE: tuple[tuple[str, str], ...] = (
    ("bash: the default timeout of 120000 ms", "tests/tools/test_bash.py::test_D16_timeout_default_and_given"),
    ("bash: an abort says so", "tests/e2e/test_abort.py::test_an_aborted_command_says_so_and_leaves_nothing_running"),
    (
        "bash: ended in every case",
        "tests/host/test_commands.py::test_law7_a_timeout_ends_the_whole_tree_and_nothing_else",
    ),
    (
        "what each tool asks",
        "tests/e2e/test_permission_requests.py::test_every_call_asks_for_what_the_built_in_tool_asks_for",
    ),
    ("bash: a pattern for each simple command", "tests/tools/test_command_parts.py::test_patterns"),
    ("bash: external_directory for arguments", "tests/tools/test_command_parts.py::test_paths_of_file_commands"),
    ("read: .env files ask", "tests/e2e/test_permission_rules.py::test_files_of_secrets_are_asked_for_by_default"),
    (
        "a rejected permission",
        "tests/e2e/test_permission_rules.py::test_a_rejection_ends_the_turn_and_one_with_a_word_does_not",
    ),
)
"""What section 3 names of questions and aborts, and the test that shows it: nothing is asked in the played calls."""
