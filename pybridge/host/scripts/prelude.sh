# Functions every control shell knows. POSIX sh and common applets only; names start with pb_.
# Variables set by each request: PB_DIG (digest program), PB_STAT (dialect of stat), PB_RL (readlink -f works),
# PB_HC (head -c works), PB_DEC (decoder of heredocs), PB_CP (GNU cp --attributes-only).
# Paths are always absolute, so none can look like an option.

# pid, start time in ticks since boot, boot id
pb_identity() {
  pb_s=- pb_b=-
  if [ -r /proc/$$/stat ]; then
    read -r pb_l < /proc/$$/stat
    set -- ${pb_l##*\) }
    pb_s=${20}
  fi
  [ -r /proc/sys/kernel/random/boot_id ] && read -r pb_b < /proc/sys/kernel/random/boot_id
  printf '%s %s %s\n' "$$" "$pb_s" "$pb_b"
}

# digest of the file $1 in D, empty when it cannot be read
pb_dig() {
  case $PB_DIG in
    sha256sum) set -- $(sha256sum < "$1") ;;
    shasum) set -- $(shasum -a 256 < "$1") ;;
    openssl) set -- $(openssl dgst -sha256 -r < "$1") ;;
    md5sum) set -- $(md5sum < "$1") ;;
    md5) set -- $(md5 -q < "$1") ;;
    *) set -- $(cksum < "$1") ;;
  esac
  D=$1
}

# "size mode mtime links uid gid" of $1, links followed, in S; the mode may be in the form ls shows
pb_stat() {
  case $PB_STAT in
    gnu) S=$(stat -L -c '%s %a %Y %h %u %g' "$1" 2>/dev/null) ;;
    bsd) S=$(stat -L -f '%z %Mp%Lp %m %l %u %g' "$1" 2>/dev/null) ;;
    *)
      set -- $(ls -Lldn "$1" 2>/dev/null)
      S="$5 $1 0 $2 $3 $4"
      ;;
  esac
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

# go into the folder $1, whose path with every symlink resolved is then in R (bash keeps two slashes at its beginning)
pb_into() {
  cd -P "$1" 2>/dev/null || return
  R=$PWD
  case $R in //*) R=${R#/} ;; esac
}

# absolute path of $1 with every symlink resolved in R, whether or not the file (or its folder) is there. Where a folder
# can be gone into, no program is started for it: a request has a shell, and so a current folder, of its own.
# readlink is asked only about what exists: busybox 1.35 takes a dangling relative link to start at its own folder
pb_real() {
  if [ -d "$1" ]; then
    pb_into "$1" && return
  elif [ -f "$1" ] && [ ! -h "$1" ]; then
    pb_p=${1%/*}
    pb_into "${pb_p:-/}" && R=${R%/}/${1##*/} && return
  fi
  if [ "$PB_RL" = 1 ] && [ -e "$1" ]; then
    R=$(readlink -f "$1" 2>/dev/null && printf x)
    R=${R%?x}
    [ -n "$R" ] && return
  fi
  pb_p=$1 pb_rest='' pb_n=0
  while [ "$pb_n" -lt 64 ]; do
    pb_n=$((pb_n + 1))
    if [ -h "$pb_p" ]; then
      if pb_t=$(readlink "$pb_p" 2>/dev/null && printf x); then
        pb_t=${pb_t%?x}
      else
        # ls of busybox shows question marks for what is not ASCII: then nothing is known
        pb_l=$(ls -ld "$pb_p" && printf x)
        pb_l=${pb_l%?x}
        pb_t=${pb_l#*"$pb_p -> "}
        [ "$pb_t" != "$pb_l" ] || break
      fi
      case $pb_t in
        /*) pb_p=$pb_t ;;
        *) pb_p=${pb_p%/*}/$pb_t ;;
      esac
    elif [ -d "$pb_p" ]; then
      pb_into "$pb_p" || R=$pb_p
      [ -n "$pb_rest" ] && R=${R%/}$pb_rest
      return
    else
      pb_rest=/${pb_p##*/}$pb_rest
      pb_p=${pb_p%/*}
      [ -n "$pb_p" ] || pb_p=/
    fi
  done
  R=$1
}

# names in the folder $1, NUL-terminated, at most $2
pb_names() {
  pb_n=0
  for pb_e in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    [ -e "$pb_e" ] || [ -h "$pb_e" ] || continue
    printf '%s\000' "${pb_e##*/}"
    pb_n=$((pb_n + 1))
    [ "$pb_n" -lt "$2" ] || return 0
  done
}

# One file: KIND NUL REAL NUL STAT NUL HOW NUL [content or names] NUL MARKER SP STATUS LF
# KIND f d s m; HOW: y content follows, u unchanged, b too big, p too big, so lines follow as pb_slice cuts them,
# e unreadable, l a folder's names follow, n none;
# for a missing file: absent, denied, notdir, loop (a symlink that leads nowhere); STAT is the nearest folder there is
pb_fetch() { # path held max marker list [most-to-slice first count bytes marker most]
  pb_real "$1"
  pb_f=$R pb_mark=$4 pb_rc=0
  if [ ! -e "$pb_f" ]; then
    pb_d=${pb_f%/*}
    [ -n "$pb_d" ] || pb_d=/
    pb_a=$pb_d
    while [ ! -e "$pb_a" ]; do
      pb_a=${pb_a%/*}
      [ -n "$pb_a" ] || pb_a=/
    done
    pb_c=absent
    [ -d "$pb_a" ] || pb_c=notdir
    [ -d "$pb_a" ] && [ ! -x "$pb_a" ] && pb_c=denied
    [ -h "$pb_f" ] && pb_c=loop
    printf 'm\000%s\000%s\000%s\000' "$pb_f" "$pb_a" "$pb_c"
    [ -d "$pb_d" ] && [ -r "$pb_d" ] && pb_names "$pb_d" 1000
  else
    pb_stat "$pb_f"
    pb_c=n
    if [ -d "$pb_f" ]; then
      pb_k=d
      [ -n "$5" ] && [ -r "$pb_f" ] && [ -x "$pb_f" ] && pb_c=l
    elif [ -f "$pb_f" ]; then
      pb_k=f pb_c=y
      if [ ! -r "$pb_f" ]; then
        pb_c=e
      elif [ "${S%% *}" -gt "$3" ]; then
        pb_c=b
        [ "${S%% *}" -le "${6:-0}" ] && pb_c=p
      elif [ -n "$2" ]; then
        pb_dig "$pb_f"
        [ "$D" = "$2" ] && pb_c=u
      fi
    else
      pb_k=s
    fi
    printf '%s\000%s\000%s\000%s\000' "$pb_k" "$pb_f" "$S" "$pb_c"
    if [ "$pb_c" = l ]; then
      pb_list "$pb_f"
    elif [ "$pb_c" = p ]; then
      shift 6
      pb_slice "$pb_f" "$@"
    elif [ "$pb_c" = y ]; then
      if [ "$PB_HC" = 1 ]; then
        head -c $(($3 + 1)) "$pb_f"
      else
        cat "$pb_f"
      fi
      pb_rc=$?
    fi
  fi
  printf '\000%s %d\n' "$pb_mark" "$pb_rc"
}

# Lines $2.. ($3 of them, each cut to $4 bytes) of the file $1:
# SIZE DIGEST NUL HEAD NUL MARKER LF LINES NUL MARKER LF TOTAL LF; the digest is - when the file has more than $6 bytes,
# and taken before anything else is looked at. S is what pb_stat says of it. All lines are counted while those asked for are cut out.
pb_slice() { # path first count bytes marker most
  pb_n=${S%% *} D=-
  [ "$pb_n" -gt "$6" ] || pb_dig "$1"
  printf '%s %s\000' "$pb_n" "${D:--}"
  {
    pb_t=$(
      wc -l < "$1" &
      pb_lines "$@" >&3
      wait
    )
  } 3>&1
  [ -n "$pb_t" ] || return
  [ -z "$(tail -c 1 "$1" 2>/dev/null)" ] || pb_t=$((pb_t + 1))
  printf '%s\n' "$pb_t"
}

pb_lines() { # as pb_slice
  dd if="$1" bs=4096 count=1 2>/dev/null
  printf '\000%s\n' "$5"
  if [ "$2" -le 1 ]; then
    head -n "$3" "$1"
  else
    tail -n "+$2" "$1" | head -n "$3"
  fi | cut -b "1-$4" | if [ "$PB_HC" = 1 ]; then head -c 327680; else dd bs=4096 count=80 2>/dev/null; fi
  printf '\000%s\n' "$5"
}

# Names in the folder $1, each after d (folder, or symlink to one) or f, NUL-terminated
pb_list() {
  for pb_e in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    if [ -d "$pb_e" ]; then
      printf 'd%s\000' "${pb_e##*/}"
    elif [ -e "$pb_e" ] || [ -h "$pb_e" ]; then
      printf 'f%s\000' "${pb_e##*/}"
    fi
  done
}

# bytes of \ooo escapes, where the remote has no base64
pb_octal() {
  while IFS= read -r pb_l; do printf "$pb_l"; done
}
