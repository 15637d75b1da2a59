# Settling a request that nobody waits for any more (host/recovery.py makes the calls). Uses the functions of prelude.sh.
# Per file I, in variables with that suffix: P its path, F the same with symlinks resolved, O and N the digests before
# and after, B the one of its temporaries that is there, K what the file holds:
#   new   the new content, or the new absence
#   old   what was there before
#   torn  a refill that was cut short: the beginning of the new content, or of the old one when it was being taken back
#   other something else: somebody changed it since

pb_kill_tree() {
  (
    @PROCESS_TREE@
  )
}

# end the shell that was to make the request, and all it started; true once they are gone
pb_fence() { # pid started boot-id leads
  pb_b=-
  [ -r /proc/sys/kernel/random/boot_id ] && read -r pb_b < /proc/sys/kernel/random/boot_id
  [ "$pb_b" = "$3" ] || return 0
  if [ ! -d /proc/self ]; then
    # Its number alone does not say that it is still the same process: it must not be signalled.
    ! kill -0 "$1" 2>/dev/null
    return
  fi
  if [ -r "/proc/$1/stat" ]; then
    pb_is "$1" "$2" || return 0
  elif [ "$4" != 1 ]; then
    return 0
  fi
  # Where it led its session, what it started is found although it is gone itself: the number is not given away before.
  # Stopped first: what it starts while its processes are looked up would be missed.
  PB_PID=$1 PB_LEADS=$4 PB_SIGNAL=STOP PB_ONLY= PB_SELF=
  pb_kill_tree > /dev/null
  PB_SIGNAL=KILL
  pb_seen=$(pb_kill_tree)
  pb_n=0
  for pb_one in $pb_seen; do
    while pb_is "${pb_one%%:*}" "${pb_one##*:}"; do
      pb_n=$((pb_n + 1))
      [ "$pb_n" -le 5 ] || return 1
      sleep 1
    done
  done
  return 0
}

# is the process $1 still the one that started at $2?
pb_is() {
  [ -r "/proc/$1/stat" ] && read -r pb_l 2>/dev/null < "/proc/$1/stat" || return 1
  set -- "$1" "$2" ${pb_l##*\) }
  [ "$3" != Z ] && [ "${22}" = "$2" ]
}

# is the shell still there? for makers that may live, whose work must not be ended
pb_gone() { # pid started boot-id
  pb_b=-
  [ -r /proc/sys/kernel/random/boot_id ] && read -r pb_b < /proc/sys/kernel/random/boot_id
  [ "$pb_b" = "$3" ] || return 0
  if [ -d /proc/self ]; then
    ! pb_is "$1" "$2"
  else
    ! kill -0 "$1" 2>/dev/null
  fi
}

pb_there() { [ -e "$1" ] || [ -h "$1" ]; }

# look at one file of the request
pb_item() { # index path target old new temporary...
  [ "$1" != 0 ] || pb_left=
  pb_i=$1 pb_p=$2 pb_f=$3 pb_o=$4 pb_w=$5 pb_t=
  eval "P$1=\$2 F$1=\$3 O$1=\$4 N$1=\$5"
  shift 5
  for pb_base in "$@"; do
    if pb_there "$pb_base" || pb_there "$pb_base-old" || pb_there "$pb_base-was"; then pb_t=$pb_base; fi
  done
  eval "B$pb_i=\$pb_t"
  [ -z "$pb_t" ] || pb_left=1
  # A removal takes the name away, not what a symlink leads to.
  [ "$pb_w" != absent ] || pb_f=$pb_p
  pb_cur=other
  if ! pb_there "$pb_f"; then
    pb_cur=absent
  elif [ -f "$pb_f" ]; then
    pb_dig "$pb_f"
    pb_cur=$D
  fi
  if [ "$pb_cur" = "$pb_w" ]; then
    pb_k=new
  elif [ "$pb_cur" = "$pb_o" ]; then
    pb_k=old
  elif [ -n "$pb_t" ] && [ -f "$pb_t-old" ] && [ -f "$pb_f" ] && [ "$pb_w" != absent ] && pb_torn; then
    pb_k=torn
  else
    pb_k=other
  fi
  eval "K$pb_i=\$pb_k"
}

pb_torn() {
  pb_begins "$pb_f" "$pb_t" && return
  pb_dig "$pb_t-old"
  [ "$D" = "$pb_o" ] && pb_begins "$pb_f" "$pb_t-old"
}

# finish the request, or take it back, as a whole: what became of it in pb_result, files that cannot be in pb_kept
pb_settle() { # count
  pb_made= pb_rest= pb_kept= pb_since= pb_todo= pb_i=0
  while [ "$pb_i" -lt "$1" ]; do
    eval "pb_k=\$K$pb_i pb_t=\$B$pb_i"
    case $pb_k in
      new)
        pb_made="$pb_made $pb_i"
        # Somebody wrote into what it replaced, in that very moment: given back like a change that is taken back.
        if [ -n "$pb_t" ] && [ -f "$pb_t-was" ]; then
          eval "pb_o=\$O$pb_i"
          pb_dig "$pb_t-was"
          [ "$D" = "$pb_o" ] || pb_rest="$pb_rest $pb_i"
        fi
        ;;
      torn) pb_made="$pb_made $pb_i" pb_rest="$pb_rest $pb_i" ;;
      *)
        pb_rest="$pb_rest $pb_i"
        if [ "$pb_k" = other ]; then pb_since="$pb_since $pb_i"; else pb_todo=1; fi
        # Somebody has changed a file that was refilled: what the refill kept may be all there is of the old content.
        if [ "$pb_k" = other ] && [ -n "$pb_t" ] && pb_there "$pb_t-old"; then pb_kept="$pb_kept $pb_i"; fi
        ;;
    esac
    pb_i=$((pb_i + 1))
  done
  # Where nothing of ours lies there any more, it was made whole, and what is neither old nor new has changed since.
  if [ -z "$pb_rest" ] || { [ -n "$pb_made" ] && [ -z "$pb_left$pb_todo" ]; }; then
    pb_result=made
  elif [ -z "$pb_made" ]; then
    pb_result=none
  elif [ "$1" = 1 ] && pb_finish; then
    pb_result=finished
  else
    pb_result=undone
    for pb_i in $pb_made; do pb_back "$pb_i" || pb_kept="$pb_kept $pb_i"; done
  fi
}

# the only file of a request is torn: give it its new content
pb_finish() {
  # The temporary is opened first: without it the target is not emptied.
  pb_dig "$B0" 2>/dev/null
  [ "$K0" = torn ] && [ "$D" = "$N0" ] && cat < "$B0" > "$F0" && pb_dig "$F0" && [ "$D" = "$N0" ]
}

# take back what was done to file I; its content is looked at once more, as somebody may have changed it just now
pb_back() {
  eval "pb_p=\$P$1 pb_f=\$F$1 pb_o=\$O$1 pb_w=\$N$1 pb_t=\$B$1 pb_k=\$K$1"
  if [ "$pb_w" = absent ]; then
    ! pb_there "$pb_p" && [ -n "$pb_t" ] && pb_there "$pb_t-old" && mv "$pb_t-old" "$pb_p"
    return
  fi
  if [ "$pb_k" = new ]; then
    pb_dig "$pb_f"
    [ "$D" = "$pb_w" ] || return
  fi
  if [ "$pb_o" = absent ]; then
    rm -f "$pb_f"
  elif [ -n "$pb_t" ] && [ -f "$pb_t-was" ]; then
    mv -f "$pb_t-was" "$pb_f"
  elif [ -n "$pb_t" ] && [ -f "$pb_t-old" ]; then
    pb_dig "$pb_t-old"
    [ "$D" = "$pb_o" ] && cat < "$pb_t-old" > "$pb_f" && cmp -s "$pb_t-old" "$pb_f"
  else
    return 1
  fi
}

# remove the temporaries of file I, and the folders that were made for it if it was not made, up to $2
pb_clear() { # index top temporary...
  case " $pb_kept " in *" $1 "*) return ;; esac
  eval "pb_a=\$F$1"
  pb_top=$2
  shift 2
  for pb_base in "$@"; do rm -f "$pb_base" "$pb_base-old" "$pb_base-was"; done
  case $pb_top$pb_result in /*none | /*undone) ;; *) return ;; esac
  pb_a=${pb_a%/*}
  while rmdir "$pb_a" 2>/dev/null && [ "$pb_a" != "$pb_top" ]; do pb_a=${pb_a%/*}; done
}
