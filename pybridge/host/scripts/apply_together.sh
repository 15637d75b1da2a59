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

# pb_put of the changes "$@", whose targets are different files: several programs run at once
pb_put_together() {
  # not every shell knows -ef
  if ! [ / -ef / ] 2>/dev/null; then
    for pb_i; do
      eval "pb_put $pb_i \"\$L$pb_i\" \$E$pb_i \$V$pb_i 1"
    done
    return
  fi
  for pb_i; do
    eval "pb_h=\$H$pb_i pb_t=\$T$pb_i pb_l=\$L$pb_i"
    [ "$pb_h" = move ] || continue
    ln "$pb_l" "$pb_t-was" 2>/dev/null &
    eval "J$pb_i=\$!"
  done
  for pb_i; do
    eval "pb_j=\$J$pb_i pb_t=\$T$pb_i pb_l=\$L$pb_i"
    [ -n "$pb_j" ] || continue
    wait "$pb_j" || {
      cp -p "$pb_l" "$pb_t-was" || pb_fail "$pb_i" backup
      eval "J$pb_i=copied"
    }
  done
  for pb_i; do
    eval "pb_j=\$J$pb_i pb_t=\$T$pb_i pb_l=\$L$pb_i"
    case $pb_j in '' | copied) continue ;; esac
    # Another file has taken its place: what lies there now has not been compared.
    [ "$pb_l" -ef "$pb_t-was" ] || pb_conflict "$pb_i"
  done
  for pb_i; do
    eval "pb_j=\$J$pb_i pb_t=\$T$pb_i pb_l=\$L$pb_i"
    [ -n "$pb_j" ] || continue
    mv -f "$pb_t" "$pb_l" 2>/dev/null &
    eval "J$pb_i=\$!"
  done
  # Nothing may be taken back before all of them have ended.
  for pb_i; do
    eval "pb_j=\$J$pb_i"
    [ -n "$pb_j" ] && wait "$pb_j" && eval "X$pb_i=moved"
  done
  for pb_i; do
    eval "pb_j=\$J$pb_i pb_x=\$X$pb_i pb_t=\$T$pb_i pb_l=\$L$pb_i pb_e=\$E$pb_i pb_v=\$V$pb_i J$pb_i="
    if [ "$pb_x" = moved ]; then
      pb_astray "$pb_i" "$pb_l"
    elif [ -n "$pb_j" ]; then
      rm -f "$pb_t-was"
      pb_refill "$pb_i" "$pb_l" "$pb_e" "$pb_v"
    else
      pb_put "$pb_i" "$pb_l" "$pb_e" "$pb_v" 1
    fi
  done
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
