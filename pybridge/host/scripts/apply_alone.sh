# The only change of a compare-and-swap request: what can be looked at together, or beside something else, is. As in
# apply_together.sh, the answer is only whether all is as it should be; else apply.sh goes step by step.

# prepare and compare change $1, which replaces a file in the folder $2
pb_alone() { # index folder
  eval "pb_t=\$T$1 pb_l=\$L$1 pb_e=\$E$1 pb_v=\$V$1 pb_x=\$P$1"
  [ "$PB_CP" = 1 ] && [ "$PB_STAT" = gnu ] && [ -f "$pb_l" ] && [ ! -h "$pb_l" ] && [ -w "$pb_l" ] || return 1
  case $pb_t in "$2"/.pybridge-*) ;; *) return 1 ;; esac
  pb_real "$pb_x"
  [ "$R" = "$pb_l" ] || return 1
  cp --attributes-only --preserve=mode,ownership,xattr "$pb_l" "$pb_t" 2>/dev/null &
  pb_j=$!
  pb_hold " $pb_v $pb_e" "$pb_t" "$pb_l"
  pb_held=$?
  if wait "$pb_j" && [ "$pb_held" = 0 ] &&
    X=$(stat -L -c '%s %a %Y %h %u %g' "$pb_l" "$pb_t" 2>/dev/null) && pb_alike $X; then
    eval "H$1=move M$1=\$pb_m"
    return
  fi
  chmod 600 "$pb_t"
  return 1
}

# are two lines of pb_stat those of a file without further links, and of one with the same attributes? Its mode in pb_m
pb_alike() {
  pb_m=$2
  [ $# = 12 ] && [ "$4" = 1 ] && [ "$2 $5 $6" = "$8 ${11} ${12}" ]
}

# verify the staged temporary of change $1, which makes a file; N$1 is then what pb_stat says of it
pb_verify_new() { # index
  eval "pb_t=\$T$1 pb_v=\$V$1 N$1="
  pb_held= S=
  case $PB_STAT$PB_DIG in
    gnusha256sum | gnumd5sum)
      X=$("$PB_DIG" "$pb_t" 2>/dev/null & stat -L -c '%s %a %Y %h %u %g' "$pb_t" 2>/dev/null; wait)
      # in any order
      for pb_one in "${X%%"$pb_nl"*}" "${X#*"$pb_nl"}"; do
        case $pb_one in
          "$pb_v "*) pb_held=1 ;;
          *) S=$pb_one ;;
        esac
      done
      ;;
  esac
  if [ -n "$pb_held" ]; then
    eval "N$1=\$S"
  else
    pb_staged "$1" "$pb_t" "$pb_v"
  fi
}
