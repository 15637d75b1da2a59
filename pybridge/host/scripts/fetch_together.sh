# Fetching several small files with a few programs for all of them: starting one costs more than what it does. What is
# sent is verified by whoever receives it: where the contents are not those of the digests, the files are fetched singly.

# look at the paths P1, P2 ... of the numbers $1: sets R, S and D with that suffix of small files that can be read
pb_gather() {
  pb_wanted=$1 pb_is=
  shift
  for pb_i in $pb_wanted; do
    eval "D$pb_i= S$pb_i= pb_p=\$P$pb_i"
    pb_real "$pb_p"
    [ -f "$R" ] && [ -r "$R" ] || continue
    case $R in *"$pb_nl"* | *\\*) continue ;; esac
    eval "R$pb_i=\$R"
    pb_is="$pb_is $pb_i"
    set -- "$@" "$R"
  done
  [ $# -gt 1 ] || return 0
  pb_stats S "$pb_is" "$@"
  pb_wanted=$pb_is pb_is= pb_sum=0
  set --
  for pb_i in $pb_wanted; do
    eval "S=\$S$pb_i R=\$R$pb_i"
    pb_n=${S%% *}
    [ -n "$pb_n" ] && [ "$pb_n" -le 65536 ] && [ "$((pb_sum + pb_n))" -le 1048576 ] || continue
    pb_sum=$((pb_sum + pb_n)) pb_is="$pb_is $pb_i"
    set -- "$@" "$R"
  done
  [ $# -gt 1 ] && X=$("$PB_DIG" "$@" 2>/dev/null) || return 0
  pb_cut
  [ "$pb_lines" = $# ] || return 0
  set -- $D
  for pb_i in $pb_is; do
    eval "D$pb_i=\$1"
    shift
  done
}

# as pb_fetch of the path with the number $1, or failure where pb_gather knows too little. Its content follows from
# pb_contents: HOW is then g, and the digest stands in its place.
pb_gathered() { # number held max marker
  eval "R=\$R$1 S=\$S$1 D=\$D$1"
  [ -n "$D" ] && [ "${S%% *}" -le "$3" ] || return 1
  if [ "$D" = "$2" ]; then
    printf 'f\000%s\000%s\000u\000\000%s 0\n' "$R" "$S" "$4"
  else
    pb_asked="$pb_asked $1"
    printf 'f\000%s\000%s\000g\000%s\000%s 0\n' "$R" "$S" "$D" "$4"
  fi
}

# the contents of all those, one after the other, NUL MARKER SP STATUS LF
pb_contents() { # marker
  pb_mark=$1 pb_rc=0
  set --
  for pb_i in $pb_asked; do
    eval "set -- \"\$@\" \"\$R$pb_i\""
  done
  if [ $# -gt 0 ]; then
    cat "$@"
    pb_rc=$?
  fi
  pb_asked=
  printf '\000%s %d\n' "$pb_mark" "$pb_rc"
}
