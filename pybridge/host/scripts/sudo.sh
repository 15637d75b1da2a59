# Gives sudo the password while one command of the user's runs. pb_d is a private folder of ours, pb_pw the password: a
# variable of this shell and of its feeder, in no environment and no argument; printf and echo must be builtins for that.
# In the folder lie the askpass program, FIFOs, and what is known of the password (`proven`, `refused`); it is never there.

pb_sudo() { # before pb_guard: makes the command's place in the folder and names it to sudo
  command -v sudo >/dev/null 2>&1 || return 0
  [ -e "$pb_d/askpass" ] || pb_sudo_folder 2>/dev/null || return 0
  pb_a=$pb_d/$$
  [ ! -e "$pb_a" ] || rm -f "$pb_a" "$pb_a".* # of an earlier process with this number
  ln -s askpass "$pb_a" 2>/dev/null && mkfifo -m 600 "$pb_a.ask" 2>/dev/null && [ -p "$pb_a.ask" ] || return 0
  exec 7<>"$pb_a.ask"
  pb_ask=$pb_a
  if [ -e "$pb_d/noexec" ]; then
    # Nothing there can be executed, but sh can read it: sudo gives its prompt to the askpass program as argument.
    SUDO_ASKPASS=/bin/sh SUDO_PROMPT=$pb_ask
    export SUDO_PROMPT
  else
    SUDO_ASKPASS=$pb_ask
  fi
  # Without a terminal sudo asks that program by itself, but only if DISPLAY is set; set to nothing, it is to all others
  # as good as not set.
  DISPLAY=${DISPLAY-}
  export SUDO_ASKPASS DISPLAY
}

pb_sudo_folder() (
  umask 077
  case $(command -v printf)$(command -v echo) in */*) exit 1 ;; esac
  mkdir "$pb_d" || { [ -d "$pb_d" ] && [ ! -h "$pb_d" ] && [ -O "$pb_d" ]; } || exit 1
  { printf '#!/bin/sh\n' && cat; } > "$pb_d/new.$$" <<'PB_ASKPASS'
@ASKPASS@
PB_ASKPASS
  chmod 700 "$pb_d/new.$$" || exit 1
  "$pb_d/new.$$" >/dev/null 2>&1 </dev/null
  [ "$?" != 126 ] || : > "$pb_d/noexec"
  mv "$pb_d/new.$$" "$pb_d/askpass"
)

pb_lives() { # PID
  if [ -d /proc/self ]; then [ -d "/proc/$1" ]; else ps -p "$1" >/dev/null 2>&1; fi
}

pb_who() { # PID: sets pb_parent, and pb_started where /proc tells
  pb_parent= pb_started=-
  if [ -d /proc/self ]; then
    pb_l=
    read -r pb_l 2>/dev/null < "/proc/$1/stat" || return 0
    set -- ${pb_l##*\) }
    pb_parent=$2 pb_started=${20}
  else
    set -- $(ps -o ppid= -p "$1" 2>/dev/null)
    pb_parent=$1
  fi
}

pb_is_sudo() { # PID: it runs as somebody else, as sudo does and no program of this user's own
  case $1 in '' | 0 | 1) return 1 ;; esac
  if [ -d /proc/self ]; then
    # Others' processes may be hidden there, with that of number 1; one's own never are.
    [ ! -O "/proc/$1" ] && { [ -d "/proc/$1" ] || [ ! -d /proc/1 ]; }
  else
    [ "$(ps -o user= -p "$1")" != "$(ps -o user= -p $$)" ]
  fi
}

pb_reply() { # PID TEXT, to an askpass that waits
  [ ! -p "$pb_ask.$1" ] || printf '%s\n' "$2" 1<>"$pb_ask.$1"
}

pb_answer() { # PID of an askpass
  case $1 in '' | *[!0-9]*) return 0 ;; esac
  if [ -n "$pb_ended" ]; then
    pb_reply "$1" 'nthe command that started this sudo has ended; run sudo in a command that waits for it.'
    return 0
  fi
  if [ -e "$pb_d/refused" ]; then
    pb_reply "$1" 'nsudo has not accepted REMOTE_SUDO_PASSWORD before. It is not tried again: correct it and restart OpenCode.'
    return 0
  fi
  pb_who "$1"
  if ! pb_is_sudo "$pb_parent"; then
    pb_reply "$1" 'nthe password is for sudo only.'
    return 0
  fi
  pb_s=$pb_parent
  pb_who "$pb_s"
  case $pb_served in
  *" $pb_s:$pb_started "*)
    # The same sudo asks again: what it was told is wrong, and a third time may lock the account.
    : > "$pb_d/refused"
    pb_reply "$1" 'nsudo has not accepted REMOTE_SUDO_PASSWORD. It is not tried again: correct it and restart OpenCode.'
    pb_go_on
    return 0
    ;;
  esac
  if [ -n "$pb_served" ] && [ ! -e "$pb_d/proven" ]; then
    # Until the first has accepted it, others wait: several at once might lock the account.
    if pb_lives "$pb_first"; then
      if [ -z "$pb_waiting" ]; then pb_watch & fi
      pb_waiting="$pb_waiting $1"
      return 0
    fi
    : > "$pb_d/proven"
  fi
  [ -n "$pb_served" ] || pb_first=$pb_s
  pb_served="${pb_served:- }$pb_s:$pb_started "
  pb_reply "$1" "p$pb_pw"
}

pb_watch() { # until the first sudo has ended, or had the time to ask again
  pb_pw=
  pb_n=0
  while [ "$pb_n" -lt 50 ] && pb_lives "$pb_first"; do
    sleep 0.2 2>/dev/null || sleep 1
    pb_n=$((pb_n + 1))
  done
  echo proven >&7
}

pb_go_on() { # with those that wait
  pb_w=$pb_waiting pb_waiting=
  for pb_x in $pb_w; do pb_answer "$pb_x"; done
}

pb_feed() { # answers the command's askpass programs until it is told `end`
  exec 8<&-
  ulimit -c 0 2>/dev/null
  pb_served= pb_waiting= pb_first= pb_ended=
  while IFS= read -r pb_q <&7; do
    case $pb_q in
    proven)
      [ -e "$pb_d/refused" ] || : > "$pb_d/proven"
      pb_go_on
      ;;
    end)
      [ -z "$pb_served" ] || [ -e "$pb_d/refused" ] || : > "$pb_d/proven"
      pb_ended=1
      rm -f "$pb_ask.ask"
      pb_go_on
      echo last >&7 # behind whoever had it open before
      ;;
    last) break ;;
    *) pb_answer "$pb_q" ;;
    esac
  done
  rm -f "$pb_ask"
}
