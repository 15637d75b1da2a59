# The processes of one command: everything in the session (and group) it leads, and every descendant.
# PB_PID the command's first process, PB_LEADS 1 when it leads its session, PB_SIGNAL the signal to send,
# PB_ONLY a list of pid:start to signal instead, as an earlier run printed it; PB_SELF who asks, left out with its children.
# pb_pw and pb_d the password for sudo and our folder for it, if there is one: what sudo started only root may signal.

pb_table() { # lines: pid ppid pgid session start
  if [ -r /proc/self/stat ]; then
    cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^\([0-9]*\) (.*) [A-Za-z] \([0-9]*\) \([0-9]*\) \([0-9]*\) \(.*\)$/\1 \2 \3 \4 \5/p' |
      while read -r pb_p pb_pp pb_g pb_s pb_rest; do
        set -- $pb_rest
        printf '%s %s %s %s %s\n' "$pb_p" "$pb_pp" "$pb_g" "$pb_s" "${16}"
      done
  else
    ps -A -o pid= -o ppid= -o pgid= 2>/dev/null | while read -r pb_p pb_pp pb_g; do
      printf '%s %s %s %s -\n' "$pb_p" "$pb_pp" "$pb_g" "$pb_g"
    done
  fi
}

pb_rows=$(pb_table)
pb_tree=" $PB_PID "
pb_more=1
while [ -n "$pb_more" ]; do
  pb_more=
  while read -r pb_p pb_pp pb_g pb_s pb_start; do
    case $pb_tree in *" $pb_p "*) continue ;; esac
    if [ "$PB_LEADS" = 1 ] && { [ "$pb_s" = "$PB_PID" ] || [ "$pb_g" = "$PB_PID" ]; }; then
      pb_tree="$pb_tree$pb_p " pb_more=1
      continue
    fi
    case $pb_tree in *" $pb_pp "*) pb_tree="$pb_tree$pb_p " pb_more=1 ;; esac
  done <<PB_ROWS
$pb_rows
PB_ROWS
done

pb_kill=
while read -r pb_p pb_pp pb_g pb_s pb_start; do
  case $PB_SELF in "$pb_p" | "$pb_pp") continue ;; esac
  case $pb_tree in
    *" $pb_p "*) ;;
    *) case " $PB_ONLY " in *" $pb_p:$pb_start "*) ;; *) continue ;; esac ;;
  esac
  printf '%s:%s ' "$pb_p" "$pb_start"
  pb_kill="$pb_kill $pb_p"
done <<PB_ROWS
$pb_rows
PB_ROWS
printf '\n'
[ -z "$pb_kill" ] || kill -s "$PB_SIGNAL" $pb_kill 2>/dev/null

pb_theirs=
for pb_p in $pb_kill; do
  kill -0 "$pb_p" 2>/dev/null && continue
  if [ -d /proc/self ]; then [ -d "/proc/$pb_p" ]; else ps -p "$pb_p" >/dev/null 2>&1; fi || continue
  pb_theirs="$pb_theirs $pb_p"
done
if [ -n "$pb_theirs" ] && command -v sudo >/dev/null 2>&1; then
  set -- /bin/sh -c "kill -s $PB_SIGNAL$pb_theirs"
  case $(command -v printf) in */*) pb_pw= ;; esac
  if [ -n "$pb_pw" ] && [ ! -e "$pb_d/refused" ]; then
    printf '%s\n' "$pb_pw" | sudo -S -p '' "$@"
  else
    sudo -n "$@"
  fi </dev/null >/dev/null 2>&1
fi
exit 0
