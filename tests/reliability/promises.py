"""Every promise about files, and the tests that hold it; `make reliability` writes docs/reliability.md from it."""

from __future__ import annotations

from tests.reliability.promise import Chapter, Promise

CRASHES = Chapter(
    "Links and processes that die",
    (
        Promise(
            "A link that is cut or reset anywhere in a change, at every packet's end, a byte before and after it and at"
            " random bytes, in both directions, leaves every file entirely old or entirely new, all files of one change"
            " alike, and no temporary after the next connection. What the model was told is true.",
            ("tests/faults/test_cut_links.py",),
        ),
        Promise(
            "So does a link that falls silent, from any byte and at any step of the remote script: the shell that was"
            " at it is ended over a new connection before anybody is told what became of the change, so that nothing"
            " is made later.",
            (
                "tests/faults/test_black_holes.py",
                "tests/host/test_recovery.py::test_law2_a_shell_nobody_waits_for_is_ended_before_its_request_is_settled",
            ),
            "a remote without /proc, where that shell cannot be told from another process with its number. There the"
            " answer is that it is not known, and a later connection settles it.",
        ),
        Promise(
            "So does the remote shell, killed at any step of its script.",
            ("tests/faults/test_killed_shells.py", "tests/host/test_interrupted_changes.py"),
            "a dropbear without setsid where only the shell itself is killed and what it started is not: that cannot be"
            " found there.",
        ),
        Promise(
            "A sidecar killed at any step leaves to the next one what it needs to finish the change or take it back.",
            ("tests/faults/test_killed_sidecars.py",),
        ),
        Promise(
            "What may be left on the remote is recorded on this machine before it is made, and only what was recorded"
            " is ever removed, once its maker is gone.",
            ("tests/mirror/test_temporaries.py", "tests/host/test_recovery.py", "tests/mirror/test_sweep.py"),
        ),
        Promise(
            "What became of a change whose answer was lost is told with the next answer.",
            ("tests/tools/test_interrupted.py",),
        ),
    ),
    ("crash matrix",),
)

WRITERS = Chapter(
    "Other writers",
    (
        Promise(
            "Whoever changes a file between any two of our round trips, an editor, `sed -i`, git, another session, is"
            " not overwritten: the change is computed once more on what the file holds, or refused with what to do.",
            ("tests/writers/test_between_round_trips.py",),
        ),
        Promise(
            "Between the compare and the replace, inside one command on the remote, sessions of one machine take turns,"
            " and whoever writes into the file in that moment has it back.",
            (
                "tests/writers/test_inside_the_window.py",
                "tests/host/test_replaced_looked_at.py",
                "tests/mirror/test_turns.py",
            ),
            "somebody who puts another file in its place (rename) within those milliseconds, or writes while a file is"
            " refilled in place. POSIX has no compare-and-swap for files.",
        ),
        Promise(
            "Contents of equal length, time and inode are told apart by their checksums.",
            ("tests/writers/test_told_apart.py",),
        ),
        Promise(
            "What an orphaned request still does after a cut or a kill takes no later change of ours away.",
            ("tests/writers/test_orphaned_requests.py",),
        ),
        Promise(
            "All of this holds in any order: a state machine plays our tools, other writers, a second session and"
            " faults against a real sshd.",
            ("tests/writers/test_state_machine.py",),
        ),
    ),
    (
        "other writers, between round trips",
        "other writers, inside the window",
        "equal length, time and inode",
        "requests that go on alone",
        "state machine of writers and faults",
    ),
)

SESSIONS = Chapter(
    "Several sessions",
    (
        Promise(
            "Sessions on one folder share one mirror without a lock to read or write it, and take turns per remote"
            " file: no edit is lost, no other content is served than the file held.",
            ("tests/writers/test_several_sessions.py",),
        ),
        Promise(
            "A session killed at any moment blocks nobody, and a sweep leaves a live session's temporaries alone.",
            ("tests/writers/test_several_sessions.py", "tests/mirror/test_killed_writer.py"),
        ),
    ),
    ("several sessions",),
)

CONDITIONS = Chapter(
    "Hostile conditions",
    (
        Promise(
            "A full disk, used up inodes or quota, wherever the room ends: all files are as before, and the error says"
            " why.",
            ("tests/tools/test_full_disks.py",),
        ),
        Promise(
            "A file system gone read-only, permissions lost in between, protected files, the longest names: likewise.",
            ("tests/tools/test_lost_permissions.py",),
        ),
        Promise(
            "A target that became a folder, a symlink, a FIFO or nothing while the permission was asked is not written;"
            " where its path leads elsewhere by now, that is asked for.",
            ("tests/tools/test_swapped_targets.py",),
        ),
        Promise("A file of a gigabyte costs a constant of memory.", ("tests/tools/test_huge_files.py",)),
        Promise(
            "The cost of a call does not grow with the number of tracked files (100,000).",
            ("tests/tools/test_many_tracked_files.py",),
        ),
        Promise("Clocks that jump, here or there, lose nothing.", ("tests/tools/test_clocks.py",)),
    ),
    ("hostile conditions",),
)

ATTRIBUTES = Chapter(
    "Attributes",
    (
        Promise(
            "Mode, owner and group where allowed, setuid, setgid and sticky bits, symlinks and their targets, hard"
            " links, ACLs and extended attributes are after every change what an in-place write by the same user would"
            " have left.",
            ("tests/tools/test_attributes.py", "tests/host/test_default_acl.py"),
            "ACLs and extended attributes on remotes without the tools that show them.",
        ),
    ),
    ("attributes",),
)

RECONNECT = Chapter(
    "Reconnecting",
    (
        Promise(
            "After a sleep, a restart of the server or a change of its address, the next call finds a new connection;"
            " refused logins and foreign host keys are not tried again.",
            ("tests/transport/test_reconnect.py", "tests/transport/test_backoff.py", "tests/sidecar/test_reconnect.py"),
            "REMOTE_TRANSPORT=openssh notices a silent link only by the keep-alives of that ssh.",
        ),
        Promise(
            "No command is run twice, wherever its link is cut, and the error says what is known of it.",
            ("tests/host/test_commands_once.py",),
        ),
    ),
    ("reconnect",),
)

UNDO = Chapter(
    "Undo",
    (
        Promise(
            "Every change of edit, write and apply_patch is recorded with its pre-image before it is made; no kill"
            " loses a record; damage stays with one; what is dropped is said.",
            ("tests/mirror/test_journal.py", "tests/tools/test_changing.py"),
            "what bash changes.",
        ),
        Promise(
            "`pybridge undo` puts a change back as a whole and byte for byte, or refuses, with both diffs, where"
            " somebody has changed a file since.",
            ("tests/tools/test_undoing.py", "tests/cli/test_undo.py"),
        ),
        Promise(
            "OpenCode's `/undo` and `/redo` do the same for the messages they are about, and say what could not be"
            " restored; a new prompt after `/undo` brings nothing back.",
            ("tests/e2e/test_undo.py", "tests/tools/test_reverting.py", "tests/sidecar/test_reverts.py"),
        ),
    ),
    ("undo journal",),
)

SECRETS = Chapter(
    "Secrets",
    (
        Promise(
            "No password is found on the remote's disk, in its process list or environments, in local logs, records,"
            " journal, diagnostics or other local children, while commands run and after a kill -9.",
            ("tests/e2e/test_secrets_everywhere.py", "tests/e2e/test_secrets.py"),
        ),
    ),
    ("secrets",),
)

FUZZ = Chapter(
    "Hostile input",
    (
        Promise(
            "Whatever the shim, the remote, ssh's files, the model's patches or a damaged local file say, the readers"
            " answer with a value or a typed error, in bounded time.",
            (
                "tests/fuzz/test_jsonrpc_fuzz.py",
                "tests/fuzz/test_host_answers_fuzz.py",
                "tests/fuzz/test_search_answers_fuzz.py",
                "tests/fuzz/test_glob_fuzz.py",
                "tests/fuzz/test_ssh_fuzz.py",
                "tests/fuzz/test_editing_fuzz.py",
                "tests/fuzz/test_mirror_fuzz.py",
                "tests/fuzz/test_change_answers.py",
            ),
        ),
        Promise(
            "A hostile server can make a call fail, but not write outside the mirror, exhaust memory or hang.",
            ("tests/fuzz/test_hostile_server.py", "tests/fuzz/test_hostile_ssh.py"),
        ),
    ),
    ("fuzz",),
)

MUTATIONS = Chapter(
    "The tests themselves",
    (
        Promise(
            "Without the checksum, the compare, the exclusive creation, the sweep, a lock or any other of the"
            " safeguards listed in `tests/mutation/mutations.py`, a named test fails.",
            ("tests/mutation",),
        ),
        Promise(
            "The judge of the crash matrix sees parts, pieces and lies.", ("tests/faults/test_the_matrix_itself.py",)
        ),
    ),
    ("mutations",),
)

CHAPTERS = (
    CRASHES,
    WRITERS,
    SESSIONS,
    CONDITIONS,
    ATTRIBUTES,
    RECONNECT,
    UNDO,
    SECRETS,
    FUZZ,
    MUTATIONS,
)
