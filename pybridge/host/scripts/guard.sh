# Ends the command this shell becomes when the channel's input ends before it: the connection is gone, or whoever made
# it, and nobody would end it any more. It reads that input itself, since the command gets none. When the command has
# ended the input ends too: what it left running on purpose stays.

pb_ask=

# The start time of this process tells it from another one that gets its number later. It is read here, before there is
# a command that waits for it: sh reads byte by byte.
pb_started=
[ ! -r /proc/$$/stat ] || {
  read -r pb_l < /proc/$$/stat
  set -- ${pb_l##*\) }
  pb_started=${20}
}

pb_end_tree() ( # PB_PID PB_LEADS PB_SIGNAL PB_ONLY PB_SELF
@PROCESS_TREE@
)

pb_guard() { # 1 when the command leads its session
  exec 8<&0
  # Twice in the background, so that it is no child of the command's.
  ( (
    trap '' HUP INT TERM
    if [ -n "$pb_ask" ]; then pb_feed & fi
    while read -r pb_x; do :; done <&8
    exec 8<&-
    if ! kill -0 $$ 2>/dev/null; then
      [ -z "$pb_ask" ] || {
        sleep @LINGER@ # a sudo left in the background may be about to ask
        echo end >&7
      }
      exit 0
    fi
    [ -z "$pb_ask" ] || echo end >&7
    PB_PID=$$ PB_LEADS=$1 PB_SIGNAL=TERM PB_ONLY=
    PB_SELF=$(exec /bin/sh -c 'echo $PPID')
    PB_ONLY=$(pb_end_tree)
    sleep @GRACE@
    PB_SIGNAL=KILL
    pb_end_tree
  ) </dev/null >/dev/null 2>&1 & )
  exec 8<&-
  [ -z "$pb_ask" ] || exec 7<&-
}
