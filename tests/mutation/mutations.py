"""Each promise, taken out of the code: what is changed, and the tests that must notice.

The texts are short, so that they are easily kept in step; one that is not found exactly once fails loudly.
"""

from __future__ import annotations

from dataclasses import dataclass

APPLY = "pybridge/host/scripts/apply.sh"
ALONE = "pybridge/host/scripts/apply_alone.sh"
RECOVER = "pybridge/host/scripts/recover.sh"
PRELUDE = "pybridge/host/scripts/prelude.sh"
FILES = "pybridge/host/files.py"
SETTLING = "pybridge/host/settling.py"
APPLYING = "pybridge/host/applying.py"
APPLY_SCRIPT = "pybridge/host/apply_script.py"

IN_FILES = "tests/host/test_files.py::"
IN_APPLYING = "tests/host/test_applying.py::"
IN_INTERRUPTED = "tests/host/test_interrupted_changes.py::"
IN_RECOVERY = "tests/host/test_recovery.py::"
IN_LYING = "tests/host/test_lying_programs.py::"
IN_LOOKED_AT = "tests/host/test_replaced_looked_at.py::"
IN_TOOLS = "tests/tools/test_remote_tools.py::"
IN_SWAPS = "tests/tools/test_swapped_targets.py::"
IN_KNOWN = "tests/tools/test_known_files.py::"
IN_SWEEPING = "tests/tools/test_sweeping.py::"


@dataclass(frozen=True)
class Mutation:
    """One change of the code that breaks a promise.

    Args:
        name: what is taken away.
        file: from the top of the repository.
        old: a text found there exactly once.
        new: what stands there instead.
        tests: ids of tests, each of which must fail (at least one of its cases, where no case is named).
        quick: whether `make test` tries it too.
        also: another old and new text in the same file, where one safeguard stands behind the other.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    quick: bool = False
    also: tuple[str, str] | None = None

    def applied_to(self, text: str) -> str:
        """The text of the file, mutated.

        Raises:
            AssertionError: the old text is not there, or not once.
        """
        for old, new in ((self.old, self.new), *([self.also] if self.also else [])):
            found = text.count(old)
            assert found == 1, f"{self.name}: {old!r} is found {found} times in {self.file}; bring the table up to date"
            text = text.replace(old, new)
        return text


MUTATIONS = (
    # Nothing is put in place that is not what was sent.
    Mutation(
        "checksum of what was staged",
        APPLY,
        '[ "$D" = "$3" ] || pb_fail "$1" verify',
        ":",
        (
            f"{IN_LYING}test_law2_what_arrives_otherwise_than_it_was_sent_is_not_put_in_place[10]",
            f"{IN_LYING}test_law2_what_arrives_otherwise_than_it_was_sent_is_not_put_in_place[700000]",
        ),
    ),
    Mutation(
        "checksum of what was refilled",
        APPLY,
        '[ "$D" = "$4" ] || pb_fail "$1" refill',
        ":",
        (f"{IN_LYING}test_law2_a_refill_that_came_out_otherwise_is_taken_back",),
    ),
    Mutation(
        "exclusive create of a temporary",
        APPLY,
        "set -C\n  true >",
        "true >",
        (f"{IN_LYING}test_law2_a_name_that_is_taken_is_never_used_for_a_temporary[dash-10]",),
        quick=True,
    ),
    Mutation(
        "exclusive create of the temporary of an upload",
        "pybridge/host/uploading.py",
        "set -C; : >",
        ": >",
        (f"{IN_LYING}test_law2_a_name_that_is_taken_is_never_used_for_a_temporary[dash-700000]",),
    ),
    # Nobody's change is lost.
    Mutation(
        "compare of the target's content",
        APPLY,
        '[ "$D" = "$4" ] || C="$C $1"',
        ":",
        (f"{IN_SWAPS}test_law3_a_target_replaced_while_the_permission_is_asked_is_not_written[delete]",),
        also=('pb_dig "$3-old"', "D=$4"),
    ),
    Mutation(
        "what is removed is looked at once more",
        APPLY,
        'pb_dig "$3-old"',
        "D=$4",
        (f"{IN_LOOKED_AT}test_law3_what_is_written_before_a_removal_in_the_last_moment_comes_back",),
    ),
    Mutation(
        "compare of where the path leads",
        APPLY,
        'if [ "$R" != "$3" ]; then',
        "if false; then",
        (f"{IN_SWAPS}test_law3_a_target_replaced_while_the_permission_is_asked_is_not_written[edit]",),
    ),
    Mutation(
        "both looks at what is renamed over",
        APPLY,
        'if [ "$5" = 1 ]; then',
        "if false; then",
        (f"{IN_APPLYING}test_law3_one_file_by_two_names_in_one_request_is_not_overwritten[dash]",),
        also=('[ "$D" = "$2" ] || pb_conflict "$1"', ":"),
    ),
    Mutation(
        "what was replaced is looked at once more",
        APPLY,
        '[ "$D" = "$2" ] || pb_conflict "$1"',
        ":",
        (f"{IN_LOOKED_AT}test_law3_what_is_written_into_the_file_in_the_last_moment_comes_back",),
    ),
    Mutation(
        "a link that another request keeps is waited for",
        APPLY,
        '    pb_unkept "$2" "$5"\n',
        "",
        (f"{IN_LOOKED_AT}test_law2_a_link_that_another_request_keeps_for_a_moment_is_waited_for",),
    ),
    Mutation(
        "a folder that takes the file's place is noticed",
        APPLY,
        '[ ! -d "$2" ] || {',
        "true || {",
        (f"{IN_LOOKED_AT}test_law2_a_folder_that_takes_the_files_place_in_the_last_moment_stays_as_it_is",),
    ),
    Mutation(
        "what somebody changed since is not taken back",
        APPLY,
        '[ "$D" = "$4" ]\n      ;;',
        ":\n      ;;",
        (f"{IN_LYING}test_law3_what_somebody_writes_before_a_rollback_is_not_taken_back",),
    ),
    Mutation(
        "compare of the backup before a refill",
        APPLY,
        'pb_dig "$pb_t-old"\n  [ "$D" = "$3" ] || pb_conflict "$1"',
        ":",
        (f"{IN_LYING}test_law3_one_file_by_two_hard_links_in_one_request_is_not_overwritten",),
    ),
    Mutation(
        "a new file never replaces one that appeared",
        APPLY,
        'if ln "$pb_t" "$2" 2>/dev/null; then',
        'if mv -f "$pb_t" "$2"; then',
        (f"{IN_LYING}test_law3_a_file_that_appears_in_the_last_moment_is_not_overwritten",),
    ),
    Mutation(
        "an edit's other change is asked for again",
        "pybridge/tools/known_files.py",
        "if asked != self.approved:",
        "if self.approved is None:",
        (f"{IN_TOOLS}test_D27_a_change_by_someone_else_is_merged_not_lost[openssh]",),
    ),
    Mutation(
        "write looks whether the file changed since it was read",
        "pybridge/tools/write.py",
        "if session.versions.changed_since_read(context.session_id, file.real, version, named=file.path):",
        "if False:",
        (f"{IN_TOOLS}test_D21_write_onto_what_someone_changed_since_it_was_read[openssh]",),
    ),
    Mutation(
        "per-file lock",
        "pybridge/mirror/locks.py",
        "await self._locks[name].acquire()\n                        held.append(self._locks[name])",
        "pass",
        ("tests/mirror/test_locks.py::test_one_path_is_held_by_one_at_a_time_in_order_of_arrival",),
        quick=True,
    ),
    Mutation(
        "turns of several processes",
        "pybridge/mirror/turns.py",
        "await self._acquire(lock)",
        "continue",
        # Of two that replace the same version, one is told even so: each sees the link by which the other keeps it.
        ("tests/mirror/test_turns.py::test_a_turn_ends_with_its_process",),
    ),
    # A held content is used only where it still stands, and only if it is whole.
    Mutation(
        "compare of the version held here",
        PRELUDE,
        '[ "$D" = "$2" ] && pb_c=u',
        "pb_c=u",
        (f"{IN_FILES}test_an_unchanged_version_is_answered_without_content[asyncssh-openssh]",),
    ),
    Mutation(
        "checksum of the local copy",
        "pybridge/mirror/content_store.py",
        "if content is None or sha256 != entry.sha256 or not _belongs(entry.version, content, sha256):",
        "if content is None:",
        ("tests/mirror/test_content_store.py::test_a_damaged_local_copy_is_dropped_never_served",),
    ),
    # What is known without a look is only a guess.
    Mutation(
        "a folder that has become another one is found before anything is put there",
        APPLY,
        '[ "$R" = "$1" ] || F=1',
        ":",
        (f"{IN_KNOWN}test_law3_what_leads_outside_now_is_asked_for_before_anything_is_put_there[its folder-edit]",),
        quick=True,
    ),
    Mutation(
        "a change is made only where it was computed for",
        FILES,
        "real = known.real if change.real is None else change.real",
        "real = known.real",
        (f"{IN_KNOWN}test_law3_a_file_led_outside_and_seen_there_by_another_call_is_not_written_unasked",),
    ),
    Mutation(
        "a command may have changed any file",
        "pybridge/host/host.py",
        "with self.files.known_files.changing():",
        "if True:",
        (f"{IN_KNOWN}test_after_what_may_have_changed_any_file_it_is_looked_at[bash]",),
    ),
    Mutation(
        "a content of another version is not taken for that of the known one",
        "pybridge/tools/known_files.py",
        "held[0] != file.version",
        "False",
        (f"{IN_KNOWN}test_law3_the_mirrors_content_counts_only_for_the_version_that_is_known",),
    ),
    Mutation(
        "an error is told only of what the remote holds",
        "pybridge/tools/known_files.py",
        "except (VersionConflict, FileError, EditError, PatchError):",
        "except VersionConflict:",
        (f"{IN_KNOWN}test_law3_an_error_is_computed_on_what_the_remote_holds",),
    ),
    # What a file has besides its content.
    Mutation(
        "symlinks are written through",
        FILES,
        "return plan(change, real, mode",
        "return plan(change, change.path, mode",
        (f"{IN_FILES}test_law2_mode_links_and_symlinks_are_kept[asyncssh-openssh]",),
    ),
    Mutation(
        "hard links are refilled",
        APPLY,
        'if [ "$9" != 1 ] || [ -h "$2" ]; then',
        'if [ -h "$2" ]; then',
        (f"{IN_FILES}test_law2_mode_links_and_symlinks_are_kept[asyncssh-openssh]",),
    ),
    Mutation(
        "ACLs and extended attributes are copied",
        APPLY,
        "--preserve=mode,ownership,xattr",
        "--preserve=mode,ownership",
        (f"{IN_FILES}test_law2_acl_and_attributes_are_kept[asyncssh-openssh-several]",),
    ),
    Mutation(
        "ACLs and extended attributes are copied for an only file",
        ALONE,
        "--preserve=mode,ownership,xattr",
        "--preserve=mode,ownership",
        (f"{IN_FILES}test_law2_acl_and_attributes_are_kept[asyncssh-openssh-alone]",),
    ),
    Mutation(
        "a further link of an only file is noticed",
        ALONE,
        '[ "$4" = 2 ] && ',
        "",
        (f"{IN_FILES}test_law2_mode_links_and_symlinks_are_kept[asyncssh-openssh]",),
    ),
    Mutation(
        "an only file is compared",
        ALONE,
        '[ "$D" = " $pb_v $pb_e" ]',
        "true",
        (f"{IN_LYING}test_law2_what_arrives_otherwise_than_it_was_sent_is_not_put_in_place[10]",),
    ),
    Mutation(
        "what takes an only file's place after it was kept is not replaced",
        APPLY,
        '[ "$2" -ef "$pb_t-was" ] || pb_conflict "$1"',
        ":",
        (f"{IN_LOOKED_AT}test_law3_a_file_that_takes_the_place_of_an_only_one_that_was_kept_is_not_replaced[stat]",),
    ),
    Mutation(
        "no link is made that could not be taken away",
        ALONE,
        '[ ! -k "${2:-/}" ]',
        "true",
        (f"{IN_APPLYING}test_law2_a_file_that_cannot_be_replaced_is_refilled[dash-1023-0-0-438-10]",),
    ),
    Mutation(
        "what is being kept is waited for before it is taken away",
        APPLY,
        '[ -z "$pb_k" ] || wait "$pb_k"',
        ":",
        (f"{IN_LOOKED_AT}test_nothing_is_left_of_what_was_kept_for_content_that_could_not_be_staged",),
    ),
    Mutation(
        "owner and mode are compared before a rename",
        APPLY,
        '[ "$3 $6 $7" = "$9 ${12} ${13}" ] || eval "H$1=refill"',
        ":",
        (f"{IN_APPLYING}test_law2_a_file_that_cannot_be_replaced_is_refilled[dash-511-0-65533-436-10]",),
    ),
    Mutation(
        "default ACL entries of the folder are noticed",
        APPLY,
        "case ${pb_m%% *} in [0-7]*00 | ????------*) ;; *)",
        "case ${pb_m%% *} in *) ;; never)",
        ("tests/host/test_default_acl.py::test_law2_a_changed_file_does_not_take_over_the_folders_default_acl",),
    ),
    Mutation(
        "a moved file takes its mode along",
        FILES,
        "mode = source.stat.mode & 0o777",
        "pass",
        (f"{IN_FILES}test_a_move_takes_the_mode_along[asyncssh-openssh]",),
    ),
    Mutation(
        "new files follow the umask",
        APPLYING,
        'return f"{self.umask:o}" if natural else ""',
        'return "0" if natural else ""',
        (f"{IN_APPLYING}test_law2_new_files_and_folders_follow_the_login_umask[dash-10]",),
    ),
    # A request that fails leaves everything as it was.
    Mutation(
        "a replaced file is taken back",
        APPLY,
        'moved) mv -f "$pb_t-was" "$3" ;;',
        "moved) : ;;",
        (f"{IN_LYING}test_law2_all_is_taken_back_when_a_later_change_fails",),
    ),
    Mutation(
        "a refilled file is taken back",
        APPLY,
        'refilled) cmp -s "$pb_t-old" "$3" || { pb_begins "$3" "$pb_t" && cat < "$pb_t-old" > "$3"; } ;;',
        "refilled) : ;;",
        (f"{IN_LYING}test_law2_a_refill_that_came_out_otherwise_is_taken_back",),
    ),
    Mutation(
        "a removed file is taken back",
        APPLY,
        'removed) [ ! -e "$2" ] && [ ! -h "$2" ] && mv "$pb_t-old" "$2" ;;',
        "removed) : ;;",
        (f"{IN_LYING}test_law2_all_is_taken_back_when_a_later_change_fails",),
    ),
    Mutation(
        "a new file is taken away again",
        APPLY,
        'new) rm -f "$3" ;;',
        "new) : ;;",
        (f"{IN_LYING}test_law2_all_is_taken_back_when_a_later_change_fails",),
    ),
    Mutation(
        "new folders are taken away again",
        APPLY,
        'while rmdir "$pb_a" 2>/dev/null && [ "$pb_a" != "$pb_top" ]',
        "while false",
        (f"{IN_APPLYING}test_law2_a_failing_request_takes_all_its_folders_away_again[dash]",),
    ),
    Mutation(
        "folders that a failing mkdir has made are taken away again",
        APPLY,
        'while [ ! -d "$pb_a" ] && [ "$pb_a" != "$pb_top" ]',
        "while false",
        (f"{IN_APPLYING}test_law2_folders_made_for_a_change_that_fails_are_gone[dash-small]",),
    ),
    Mutation(
        "folders made for an upload are taken away again",
        APPLY_SCRIPT,
        " G{i}={quote(s.top)}",
        "",
        (f"{IN_APPLYING}test_law2_folders_made_for_a_change_that_fails_are_gone[dash-uploaded]",),
    ),
    Mutation(
        "a dead link does not stop a rollback",
        APPLY_SCRIPT,
        "\"trap '' HUP PIPE\"",
        '":"',
        (f"{IN_INTERRUPTED}test_law2_a_rollback_is_finished_although_the_link_is_dead",),
    ),
    # What a death left is put right, and only that.
    Mutation(
        "records are written before the request",
        FILES,
        "self.records.begin(request)",
        "pass",
        (f"{IN_RECOVERY}test_law2_a_live_shells_temporaries_are_not_touched[asyncssh-openssh]",),
    ),
    Mutation(
        "a new session sweeps",
        "pybridge/tools/session.py",
        "await sweeper.first()",
        "pass",
        (f"{IN_SWEEPING}test_law2_a_new_session_puts_right_what_a_dead_one_left",),
    ),
    Mutation(
        "a link that is back is swept",
        "pybridge/mirror/sweep.py",
        "self._task = asyncio.create_task(self._run())",
        "pass",
        (f"{IN_SWEEPING}test_law2_a_link_that_is_back_is_swept",),
    ),
    Mutation(
        "a request under way is nobody's business",
        "pybridge/mirror/temporaries.py",
        "if request.key not in self._under_way:",
        "if True:",
        ("tests/mirror/test_temporaries.py::test_a_request_under_way_is_nobodys_business_until_it_is_given_up",),
        quick=True,
    ),
    Mutation(
        "another process's request is left to it while it lives",
        "pybridge/mirror/temporaries.py",
        "except filelock.Timeout:\n            return False",
        "except filelock.Timeout:\n            return True",
        ("tests/mirror/test_temporaries.py::test_a_request_under_way_is_nobodys_business_until_it_is_given_up",),
    ),
    Mutation(
        "a live shell's temporaries are left alone",
        RECOVER,
        '[ "$pb_b" = "$3" ] || return 0\n  if [ -d /proc/self ]; then',
        "return 0\n  if [ -d /proc/self ]; then",
        (f"{IN_RECOVERY}test_law2_a_live_shells_temporaries_are_not_touched[asyncssh-openssh]",),
    ),
    Mutation(
        "a number used again is another process",
        RECOVER,
        '[ "$3" != Z ] && [ "${22}" = "$2" ]',
        '[ "$3" != Z ]',
        (
            f"{IN_RECOVERY}test_law2_a_live_shells_temporaries_are_not_touched[asyncssh-openssh]",
            f"{IN_RECOVERY}test_law2_another_process_with_the_number_of_a_dead_shell_is_not_ended[asyncssh-openssh]",
        ),
    ),
    Mutation(
        "a shell nobody waits for is ended first",
        RECOVER,
        "PB_PID=$1 PB_LEADS=$4 PB_SIGNAL=STOP",
        "return 0; PB_SIGNAL=STOP",
        (f"{IN_RECOVERY}test_law2_a_shell_nobody_waits_for_is_ended_before_its_request_is_settled[asyncssh-openssh]",),
    ),
    Mutation(
        "after a reboot every old shell is dead",
        RECOVER,
        '[ "$pb_b" = "$3" ] || return 0\n  if [ ! -d /proc/self ]; then',
        "if [ ! -d /proc/self ]; then",
        (f"{IN_SWEEPING}test_law2_after_a_reboot_no_old_shell_is_taken_for_a_live_one",),
    ),
    Mutation(
        "a request of several is taken back as a whole",
        RECOVER,
        'for pb_i in $pb_made; do pb_back "$pb_i"',
        'for pb_i in $pb_made; do : "$pb_i"',
        (f"{IN_RECOVERY}test_law2_a_request_of_several_files_is_taken_back_as_a_whole[asyncssh-openssh]",),
    ),
    Mutation(
        "somebody's change is told from a torn file",
        RECOVER,
        '[ "$pb_w" != absent ] && pb_torn; then',
        '[ "$pb_w" != absent ]; then',
        (f"{IN_RECOVERY}test_law3_what_somebody_changed_since_stays_when_the_rest_is_taken_back[asyncssh-openssh]",),
    ),
    Mutation(
        "a file is finished only with what was sent",
        RECOVER,
        '[ "$K0" = torn ] && [ "$D" = "$N0" ] && cat < "$B0" > "$F0" && pb_dig "$F0" && [ "$D" = "$N0" ]',
        '[ "$K0" = torn ] && cat < "$B0" > "$F0"',
        (f"{IN_SWEEPING}test_law2_a_torn_file_is_never_finished_with_less_than_was_sent",),
    ),
    Mutation(
        "a file is taken back only to what it held",
        RECOVER,
        '[ "$D" = "$pb_o" ] && cat < "$pb_t-old"',
        'cat < "$pb_t-old"',
        (f"{IN_SWEEPING}test_law2_a_torn_file_is_never_taken_back_to_half_a_backup",),
    ),
    Mutation(
        "folders made for what is taken back go too",
        RECOVER,
        'while rmdir "$pb_a" 2>/dev/null && [ "$pb_a" != "$pb_top" ]',
        "while false",
        (f"{IN_RECOVERY}test_law2_a_request_of_several_files_is_taken_back_as_a_whole[asyncssh-openssh]",),
    ),
    Mutation(
        "settling waits for the turn of the files",
        SETTLING,
        "            self.turns.take([left.target for request in requests for left in request.leftovers]),\n",
        "",
        (f"{IN_SWEEPING}test_law3_settling_waits_for_the_turn_of_its_files",),
    ),
)
