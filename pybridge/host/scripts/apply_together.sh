# Looking at several files of a compare-and-swap request at once: a program costs more to start than to run. What is asked
# here is only whether all is as it should be. Where it is not, or this cannot tell, apply.sh looks at one file after the
# other and finds out which. The paths hold no line ends and no backslashes.

pb_nl='
'

# the first words of the lines of X in D, with a space before each, and the number of lines in pb_lines
pb_cut() {
  D= pb_lines=0
  while [ -n "$X" ]; do
    pb_one=${X%%"$pb_nl"*}
    D="$D ${pb_one%% *}" pb_lines=$((pb_lines + 1))
    case $X in
      *"$pb_nl"*) X=${X#*"$pb_nl"} ;;
      *) X= ;;
    esac
  done
}

# are $1, with a space before each, the digests of the files that follow?
pb_hold() {
  pb_w=$1
  shift
  case $PB_DIG in sha256sum | md5sum) ;; *) return 1 ;; esac
  for pb_f; do [ -f "$pb_f" ] || return 1; done
  X=$("$PB_DIG" "$@" 2>/dev/null) || return 1
  pb_cut
  [ "$pb_lines" = $# ] && [ "$D" = "$pb_w" ]
}

# do the paths that follow lead to those in the lines of $1?
pb_lead() {
  pb_w=$1
  shift
  [ "$PB_RL" = 1 ] || return 1
  X=$(readlink -f "$@" 2>/dev/null) && [ "$X" = "$pb_w" ]
}

# what pb_stat says of the files "$@", in the variables named $1 + each number of $2
pb_stats() {
  pb_v=$1 pb_is=$2
  shift 2
  [ "$PB_STAT" = gnu ] || return 0
  for pb_f; do [ -f "$pb_f" ] || return 0; done
  X=$(stat -L -c '%s %a %Y %h %u %g' "$@" 2>/dev/null) || return 0
  for pb_i in $pb_is; do
    eval "$pb_v$pb_i=\${X%%\"\$pb_nl\"*}"
    X=${X#*"$pb_nl"}
  done
}
