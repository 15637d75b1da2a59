# The only change of a compare-and-swap request: what can be looked at together, or beside something else, is. As in
# apply_together.sh, the answer is only whether all is as it should be; else apply.sh goes step by step.

# begin to keep what change $1 replaces, a file in the folder $2, while its content is staged
pb_keep() { # index folder
  eval "pb_t=\$T$1 pb_l=\$L$1"
  case $PB_STAT$PB_DIG$PB_CP in gnusha256sum1 | gnumd5sum1) ;; *) return 0 ;; esac
  case $pb_t in "$2"/.pybridge-*) ;; *) return 0 ;; esac
  # In a sticky folder, a link to somebody else's file could not be taken away again.
  [ ! -k "${2:-/}" ] || [ -O "$pb_l" ] || [ -O "${2:-/}" ] || return 0
  # not every shell knows -ef
  [ -f "$pb_l" ] && [ ! -h "$pb_l" ] && [ -w "$pb_l" ] && [ / -ef / ] 2>/dev/null || return 0
  ln "$pb_l" "$pb_t-was" 2>/dev/null &
  eval "K$1=\$!"
}

# prepare and compare change $1, if what it replaces is kept
pb_alone() { # index
  eval "pb_t=\$T$1 pb_k=\$K$1 K$1="
  [ -n "$pb_k" ] || return
  if wait "$pb_k" && pb_as_it_was "$1"; then
    eval "H$1=move M$1=\$pb_m W$1=1"
    return
  fi
  # Without it, the file has no further link.
  rm -f "$pb_t-was"
  chmod 600 "$pb_t"
  return 1
}

# has the temporary of change $1 got its content, and the attributes of what is kept, which is what is to be replaced?
pb_as_it_was() { # index
  eval "pb_l=\$L$1 pb_e=\$E$1 pb_v=\$V$1 pb_x=\$P$1"
  pb_real "$pb_x"
  [ "$R" = "$pb_l" ] && [ ! -h "$pb_t-was" ] || return 1
  X=$(
    {
      cp --attributes-only --preserve=mode,ownership,xattr "$pb_t-was" "$pb_t" &&
        stat -c 's %s %a %Y %h %u %g' "$pb_t-was" "$pb_t"
    } 2>/dev/null &
    "$PB_DIG" "$pb_t" "$pb_t-was" 2>/dev/null
    wait
  )
  # The lines of the two may be mixed, each keeps the order of its own.
  S= D=
  while [ -n "$X" ]; do
    pb_one=${X%%"$pb_nl"*}
    case $pb_one in
      's '*) S="$S ${pb_one#s }" ;;
      *) D="$D ${pb_one%% *}" ;;
    esac
    case $X in
      *"$pb_nl"*) X=${X#*"$pb_nl"} ;;
      *) X= ;;
    esac
  done
  [ "$D" = " $pb_v $pb_e" ] && pb_alike $S
}

# are these two lines of stat those of a file with no link but the one that keeps it, and of one with the same
# attributes? Its mode in pb_m
pb_alike() {
  pb_m=$2
  [ $# = 12 ] && [ "$4" = 2 ] && [ "$2 $5 $6" = "$8 ${11} ${12}" ]
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
