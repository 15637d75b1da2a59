"""Every way in which the tools mean to differ from OpenCode 1.18's own (law 10): one closed table.

`tests/conformance/` plays the same calls through both and holds them against this table: a call that is named here must
differ, in no other part than the row says, and any call that is not named must not differ at all.
"""

from __future__ import annotations

from dataclasses import dataclass

WHOLE = ("status", "output", "title", "metadata")
"""Parts that differ where one side completes and the other does not."""


@dataclass(frozen=True)
class Difference:
    """One intended difference.

    Args:
        name: what it is called in tests and documents.
        builtin: what OpenCode's own tool does.
        ours: what happens here.
        why: the reason: a point of the acceptance list, a law, or a fault of the built-in.
        calls: the cases of `tests/conformance` that differ because of it.
        parts: what differs in them: status, output, title, metadata, attachments, files (what lies there afterwards),
            or order (the output has the same lines in another order).
        shown_by: the test that shows it, where it cannot be seen in calls played without questions asked or other
            programs at work; `FILE::FUNCTION`.
    """

    name: str
    builtin: str
    ours: str
    why: str
    calls: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    shown_by: str = ""


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "plain-errors",
        "What the system refuses ends in an error that names an internal function, or in no reason at all.",
        "The error says what is wrong, and what to do next.",
        "Design, names: every error has a message a person can act on.",
        (
            *("arguments-write-empty-path", "bash-empty", "bash-missing-workdir", "bash-workdir-is-a-file"),
            *("edit-below-a-file", "glob-bad-pattern", "grep-bad-pattern", "patch-folder-delete"),
            *("patch-missing-file-delete", "read-below-a-file", "write-below-a-file", "write-onto-folder"),
        ),
        WHOLE,
    ),
    Difference(
        "bash-exit-code",
        "A command that fails is a completed result; the exit code is only in the metadata, which no model sees.",
        "The same text is an error that ends in `Exit code: N` or `Killed by signal NAME`.",
        "Acceptance D16: the model must know that a command failed.",
        ("bash-exit-1", "bash-exit-without-output", "bash-not-found", "bash-syntax-error"),
        WHOLE,
    ),
    Difference(
        "bash-signal",
        "A shell that kills itself is waited for until the timeout.",
        "The signal is reported at once.",
        "Acceptance D16, law 7.",
        ("bash-signal",),
        WHOLE,
    ),
    Difference(
        "bash-unreadable-command",
        "Where the parser cannot read the whole line, what it skipped is not asked for.",
        "The whole text is asked for as well.",
        "No rule of the user's is passed by.",
        shown_by="tests/e2e/test_permission_requests.py::test_every_call_asks_for_what_the_built_in_tool_asks_for",
    ),
    Difference(
        "bash-bare-redirection",
        "A redirection without a command (`> file`) empties a file and is never asked for.",
        "It is asked for by its text.",
        "No rule of the user's is passed by.",
        shown_by="tests/e2e/test_permission_requests.py::test_every_call_asks_for_what_the_built_in_tool_asks_for",
    ),
    Difference(
        "real-paths",
        "Workspace and rules are checked against the path as written; a symlink passes both by.",
        "`external_directory` is decided by the real path; rules see the name and the real path.",
        "Acceptance D13.",
        shown_by="tests/e2e/test_permission_requests.py::test_every_call_asks_for_what_the_built_in_tool_asks_for",
    ),
    Difference(
        "worktree-without-git",
        "Outside a git repository paths are shown, and matched against rules, as seen from `/`.",
        "As seen from the workdir.",
        "A user's rule for `src/*` holds in every folder.",
        shown_by="tests/e2e/test_permission_rules.py::test_what_is_allowed_is_not_asked",
    ),
    Difference(
        "local-paths",
        "A path is a path of this machine.",
        "A path under the local anchor folder means the same path under the workdir.",
        "Acceptance D12: OpenCode itself tells the model local paths in places.",
        shown_by="tests/tools/test_permissions.py::test_D12_every_spelling_becomes_a_remote_absolute_path",
    ),
    Difference(
        "home-folder",
        "`~` is the name of a file or folder in the workdir.",
        "`~` is the remote home folder.",
        "Acceptance D13: a path that leads out of the workspace is seen and asked for as what it is.",
        ("read-home",),
        ("output",),
    ),
    Difference(
        "slash-after-a-file",
        "`FILE/` is refused by the system.",
        "`FILE/` is the file.",
        "Acceptance D13: paths are made normal before anything is looked at.",
        ("read-file-with-slash",),
        WHOLE,
    ),
    Difference(
        "read-special-files",
        "A FIFO is opened and hangs; a device is read as it is.",
        "Refused by name.",
        "Acceptance D20, law 7.",
        shown_by="tests/tools/test_remote_tools.py::test_D20_read_tells_text_from_binary",
    ),
    Difference(
        "read-encodings",
        "Whatever is not UTF-8 is shown as U+FFFD.",
        "Shown in the encoding REMOTE_ENCODING names, or one that is detected with 0.9 or more; else as U+FFFD.",
        "Design, encodings: the model can only edit what it can read.",
        shown_by="tests/tools/test_read.py::test_an_encoding_the_user_named_is_used",
    ),
    Difference(
        "read-half-characters",
        "A line cut inside a character beyond U+FFFF ends in half of it, which is no text.",
        "It ends in U+FFFD.",
        "Issue 3, point 4: no character is split; half of one cannot be sent as UTF-8.",
        ("read-long-line-astral",),
        ("output", "metadata"),
    ),
    Difference(
        "read-symlink-names",
        "The extension of the name as written decides what is binary.",
        "The extension of the file that a symlink leads to does.",
        "Acceptance D20.",
        ("read-link-to-archive", "read-link-named-archive"),
        WHOLE,
    ),
    Difference(
        "read-suggestions",
        "Of the names like the missing one, three are told in whatever order the folder has them.",
        "The first three by name.",
        "Law 8: not every remote can tell that order.",
        ("read-missing-alike-many",),
        ("output",),
    ),
    Difference(
        "glob-newest-first",
        "Results come in the order they are found.",
        "Newest first.",
        "Acceptance D17: the hundred that are shown are those most likely meant.",
        ("glob-newest-first", "glob-hundred", "glob-more-than-hundred"),
        ("output", "order"),
    ),
    Difference(
        "search-missing-path",
        "glob fails without a reason; grep searches the folder above.",
        "An error that names the path.",
        "Named as a fault in the contract.",
        ("glob-missing-path", "grep-missing-path"),
        WHOLE,
    ),
    Difference(
        "grep-single-file",
        "A path that is a file has its whole folder searched.",
        "That file is searched.",
        "Acceptance D18.",
        ("grep-single-file", "bash-kept-output-grep"),
        ("output", "metadata"),
    ),
    Difference(
        "grep-not-utf8",
        "One match that is not UTF-8 fails the whole call.",
        "It is shown with U+FFFD.",
        "Named as a fault in the contract.",
        ("grep-not-utf-8",),
        WHOLE,
    ),
    Difference(
        "grep-huge-line",
        "One match in a line of more than 64 KB fails the whole call.",
        "Its beginning is shown.",
        "As for a match that is not UTF-8; law 9 is kept by cutting it on the remote.",
        ("grep-huge-line",),
        WHOLE,
    ),
    Difference(
        "grep-last-line",
        "An empty line follows each match, except one in a last line that no newline ends.",
        "Without ripgrep on the remote, an empty line follows each match.",
        "Law 8: grep does not tell.",
        shown_by="tests/host/test_search_grep.py::test_how_a_line_ends",
    ),
    Difference(
        "kept-output",
        "Output too long to be shown lies in a file, which read and grep serve like any other.",
        "The file is local, and read and grep serve its path from this machine; grep's patterns are Python's there.",
        "Issue 3, point 5: putting it on the remote would leave something behind.",
        shown_by="tests/tools/test_kept_output.py::test_grep_finds_lines_in_it",
    ),
    Difference(
        "long-errors",
        "The text of an error is never cut.",
        "Over 2000 lines or 50 KB its head stays (of a command's output its end), and the whole is kept in a file.",
        "Issue 3, point 5: nothing floods the model.",
        shown_by="tests/tools/test_long_text.py::test_a_long_error_keeps_its_head_and_says_where_all_of_it_is",
    ),
    Difference(
        "mentions",
        "A word `@path` counts as a mention where a client has completed it, or in a command's template or a task.",
        "It counts wherever a person writes it, and a file that is not there is said to be missing.",
        "Issue 3, point 7: no client can complete a remote path.",
        shown_by="tests/e2e/test_mentions.py::test_what_exists_nowhere_is_said_and_what_is_no_file_is_left_alone",
    ),
    Difference(
        "write-changed",
        "A file that someone changed since it was read is overwritten.",
        "An error says to read it again.",
        "Law 3.",
        ("write-changed-since-read",),
        (*WHOLE, "files"),
    ),
    Difference(
        "edit-changed",
        "A file that someone changes while the permission is asked is overwritten.",
        "The edit is computed once more on what the file holds then; asked again if it is another change.",
        "Law 3.",
        shown_by="tests/tools/test_edit.py::test_D27_a_change_meanwhile_is_computed_again_and_asked_again",
    ),
    Difference(
        "edit-literal",
        "With replaceAll, `$&`, `$$`, `` $` `` and `$'` in newString are commands of JavaScript's replaceAll.",
        "newString is text.",
        "Law 3: what was there, or was to be there, is lost without a word.",
        ("edit-replace-all-dollar-commands",),
        ("metadata", "files"),
    ),
    Difference(
        "edit-empty-span",
        "With replaceAll, an oldString of only white space may stand for the empty text between all characters.",
        "An empty text is found more than once, and nothing is replaced.",
        "Law 3: the whole file is lost.",
        ("edit-blank-old-replace-all",),
        (*WHOLE, "files"),
    ),
    Difference(
        "edit-line-ends",
        "In a CRLF file, an oldString that is found only by its trimmed lines loses the last one's carriage return.",
        "It stays.",
        "Design, encodings: bytes are preserved. The contract names the like fault of apply_patch.",
        ("edit-crlf-trimmed",),
        ("files",),
    ),
    Difference(
        "encodings-kept",
        "A changed file is written as UTF-8, and what was not UTF-8 is lost.",
        "The file's encoding and bytes stay; a character it has not is an error.",
        "Design, encodings: bytes are preserved.",
        ("edit-not-utf-8", "patch-not-utf-8"),
        ("files",),
    ),
    Difference(
        "patch-unified",
        "Only OpenCode's own patch format is read.",
        "A unified diff is read as well.",
        "Acceptance D23.",
        ("patch-unified",),
        (*WHOLE, "files"),
    ),
    Difference(
        "patch-onto-existing",
        "Add File and Move to overwrite an existing file, and show a diff that only adds.",
        "Refused before anything is written.",
        "Law 3.",
        ("patch-add-existing", "patch-move-onto-existing"),
        (*WHOLE, "files"),
    ),
    Difference(
        "patch-move-onto-itself",
        "A file that is moved to its own path is deleted.",
        "It is updated.",
        "Law 3.",
        ("patch-move-onto-itself",),
        ("metadata", "files"),
    ),
    Difference(
        "patch-move-mode",
        "A moved file gets the mode of a new one.",
        "It keeps its mode.",
        "Law 2.",
        ("patch-move-mode",),
        ("files",),
    ),
    Difference(
        "patch-same-file-twice",
        "Each section is computed from the file as it was; the last one wins.",
        "Sections for one file follow each other.",
        "Law 3: every part of the patch that is reported as made is made.",
        ("patch-same-file-twice",),
        ("metadata", "files"),
    ),
    Difference(
        "patch-first-chunk",
        "Lines before the first `@@` of a section are skipped, and a success is reported.",
        "They are its first chunk.",
        "Law 3: the change is lost without a word.",
        ("patch-no-at",),
        ("metadata", "files"),
    ),
    Difference(
        "patch-without-change",
        "A section of which nothing can be read as a change is reported as a success.",
        "Refused, unless it moves the file.",
        "Law 3: the change is lost without a word.",
        ("patch-no-change",),
        WHOLE,
    ),
    Difference(
        "patch-end-of-file",
        "`*** End of File` ends the section; the chunk before it is made in the first place where it fits.",
        "It is made at the end of the file, if it fits there.",
        "Law 3: lines that were not meant are changed.",
        ("patch-end-of-file", "patch-end-of-file-then-more"),
        ("metadata", "files"),
    ),
    Difference(
        "patch-addition-at-end",
        "Lines added at the end of a file are lost where a later chunk changes the lines before them.",
        "They are added.",
        "Law 3.",
        ("patch-addition-then-change",),
        ("metadata", "files"),
    ),
    Difference(
        "patch-blank-last-line",
        "An update removes the empty line that a file ends in.",
        "It stays.",
        "Law 3.",
        ("patch-addition-only-blank-last", "patch-file-ends-blank"),
        ("metadata", "files"),
    ),
    Difference(
        "patch-line-ends",
        "Lines that an update replaces or adds end as the patch's own do.",
        "They end as the file's do.",
        "Named as a fault in the contract.",
        ("patch-crlf", "patch-crlf-context", "patch-crlf-text"),
        ("metadata", "files"),
    ),
    Difference(
        "patch-move-target",
        "Only the old path of a moved file is asked for.",
        "The new one is asked for too, and before the change is verified where it lies outside the workspace.",
        "A rule against a path holds whichever way a file gets there.",
        shown_by="tests/tools/test_apply_patch.py::test_every_way_into_the_workspace_is_asked",
    ),
    Difference(
        "interrupted-changes",
        "Nothing can come between a change and its answer.",
        "What became of a change whose answer the link's end has swallowed is told below the next answer.",
        "Law 3: the model was told that it is unknown.",
        shown_by="tests/tools/test_interrupted.py::test_the_next_answer_says_what_became_of_it",
    ),
    Difference(
        "undo",
        "/undo puts back whatever changed in the folder while a message was answered, whoever changed it.",
        "What edit, write and apply_patch changed is put back, where nobody has changed it since; what bash did stays.",
        "Law 3; law 1: a whole folder is never looked at.",
        shown_by="tests/e2e/test_undo.py::"
        "test_34_law3_what_somebody_changed_since_stays_and_is_said_in_the_notice_and_in_history",
    ),
    Difference(
        "large-files",
        "Files of any size are changed in memory.",
        "Files over 16 MB are not changed by edit, write and apply_patch; the error names bash.",
        "Law 9.",
        ("edit-large",),
        (*WHOLE, "files"),
    ),
)
"""The whole table."""
