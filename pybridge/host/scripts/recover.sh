# What an earlier request left behind because its shell died (host/recovery.py makes the calls). Uses the functions of
# prelude.sh.

# is the shell that made the temporaries still there? prints nothing, answers by its status
pb_alive() { # pid started boot-id
  pb_b=-
  [ -r /proc/sys/kernel/random/boot_id ] && read -r pb_b < /proc/sys/kernel/random/boot_id
  [ "$pb_b" = "$3" ] || return 1
  if [ -r "/proc/$1/stat" ]; then
    read -r pb_l < "/proc/$1/stat" || return 1
    set -- "$1" "$2" ${pb_l##*) }
    [ "${22}" = "$2" ]
  elif [ -d /proc/self ]; then
    return 1
  else
    kill -0 "$1" 2>/dev/null
  fi
}

# Put right what change $1 of a dead shell left: KEY finished|undone|clean|kept LF
pb_recover() { # key target old-digest new-digest temporary...
  pb_key=$1 pb_target=$2 pb_old=$3 pb_new=$4 pb_result=clean
  shift 4
  for pb_base in "$@"; do
    if [ -e "$pb_base-old" ] && [ -f "$pb_target" ]; then
      pb_dig "$pb_target"
      if [ "$D" != "$pb_old" ] && [ "$D" != "$pb_new" ]; then
        # Torn by a refill, or changed by somebody since? What a refill leaves is the beginning of the new content.
        pb_result=kept
        pb_dig "$pb_base-old"
        pb_olds=$D
        if pb_begins "$pb_target" "$pb_base"; then
          pb_dig "$pb_base"
          # The source is opened first: without it (another session recovers too) the target is not emptied.
          if [ "$D" = "$pb_new" ] && cat < "$pb_base" > "$pb_target"; then
            pb_result=finished
          elif [ "$pb_olds" = "$pb_old" ] && cat < "$pb_base-old" > "$pb_target"; then
            pb_result=undone
          fi
        fi
      fi
    elif [ -e "$pb_base-old" ] && [ "$pb_new" != absent ]; then
      # Nothing of ours takes a target away: somebody removed or moved it since.
      pb_result=kept
    fi
    [ "$pb_result" = kept ] || rm -f "$pb_base" "$pb_base-old"
  done
  printf '%s %s\n' "$pb_key" "$pb_result"
}

# is $1 the beginning of $2?
pb_begins() {
  [ -f "$2" ] || return 1
  pb_stat "$1"
  pb_n=${S%% *}
  [ "$pb_n" = 0 ] && return 0
  if [ "$PB_HC" = 1 ]; then
    head -c "$pb_n" "$2" | cmp -s - "$1"
  else
    dd if="$2" bs="$pb_n" count=1 2>/dev/null | cmp -s - "$1"
  fi
}
