# Functions of a compare-and-swap request (host/apply_script.py makes the calls). Per change I, in variables with that
# suffix: P the path, L where it leads, E and V the digests before and after, T the staged temporary, H how it will get
# there (link, move, refill, remove), M its final mode, X what has been done, O and N what pb_stat says of the target and
# of the temporary, where it has been asked already (see apply_together.sh), G the topmost folder made for it, K the
# process that keeps what it replaces and W whether it has been kept (see apply_alone.sh).

pb_fail() { # index stage
  printf 'error %s %s\n' "$1" "$2"
  pb_abort
  exit 0
}

# create the folder $2 and its parents with the umask $3, remembering the topmost new one in G$1; not the folder $4
pb_mkdir() {
  [ -d "$2" ] && return
  [ -z "$4" ] || [ -d "$4" ] || pb_fail "$1" workdir
  pb_a=$2 pb_top=$2
  while [ ! -e "$pb_a" ]; do
    pb_top=$pb_a
    pb_a=${pb_a%/*}
    [ -n "$pb_a" ] || pb_a=/
  done
  eval "G$1=\$pb_top"
  (umask "$3"; mkdir -p "$2") || pb_fail "$1" mkdir
}

# take away the folders pb_mkdir made for change $1 above $2, if they are empty
pb_rmdir() {
  eval "pb_top=\${G$1}"
  [ -n "$pb_top" ] || return
  pb_a=$2
  # making them may have failed half-way
  while [ ! -d "$pb_a" ] && [ "$pb_a" != "$pb_top" ]; do pb_a=${pb_a%/*}; done
  while rmdir "$pb_a" 2>/dev/null && [ "$pb_a" != "$pb_top" ]; do pb_a=${pb_a%/*}; done
}

# an empty file of ours at $1, private unless the umask $2 says otherwise, or failure. (`:` would end the shell.)
pb_create() {
  umask "${2:-077}"
  set -C
  true > "$1"
  set -- $?
  set +C
  umask 077
  return "$1"
}

# what pb_content writes to the temporary $2, else to $3
pb_stage() { # index temp elsewhere umask
  pb_place "$@"
  pb_fill "$1"
}

# make the temporary $2 of change $1, else $3 (the folder is not writable)
pb_place() { # index temp elsewhere umask
  if pb_create "$2" "$4" 2>/dev/null; then
    eval "T$1=\$2"
  elif [ -n "$3" ] && pb_create "$3"; then
    eval "T$1=\$3"
  else
    pb_create "$2"
    pb_fail "$1" create
  fi
}

# what pb_content writes to the temporary of change $1
pb_fill() { # index
  eval "pb_t=\$T$1"
  # The printf of a shell may not say what is wrong (dash: "I/O error"); a program does.
  pb_content > "$pb_t" 2>/dev/null || pb_content | cat > "$pb_t" || pb_fail "$1" stage
}

# a temporary uploaded before: only checked
pb_staged() { # index temp digest
  eval "T$1=\$2"
  pb_dig "$2"
  [ "$D" = "$3" ] || pb_fail "$1" verify
}

# decide how change $1 replaces $2, and give the temporary the attributes it must have (a mode of - has been given)
pb_prepare() { # index real old-digest new-mode folder
  eval "pb_t=\$T$1"
  if [ "$3" = absent ]; then
    eval "H$1=link"
    [ "$4" = - ] || chmod "$4" "$pb_t" || pb_fail "$1" chmod
    return
  fi
  [ -f "$2" ] || return 0 # pb_check finds it gone, or something else
  # opened for appending, nothing changes, and the system says why it may not be
  [ -w "$2" ] || (: >> "$2") || pb_fail "$1" denied
  eval "S=\$O$1"
  [ -n "$S" ] || pb_stat "$2"
  set -- "$1" "$2" "$3" "$4" "$5" $S
  if [ "$9" != 1 ]; then
    pb_unkept "$2" "$5"
    set -- "$1" "$2" "$3" "$4" "$5" $S
  fi
  eval "O$1=\$S"
  eval "M$1=\$7"
  eval "H$1=move"
  case $pb_t in
    "$5"/.pybridge-*) ;;
    *) eval "H$1=refill"; return ;;
  esac
  # a symlink is refilled through where nothing can tell what it leads to (see pb_real)
  if [ "$9" != 1 ] || [ -h "$2" ]; then
    eval "H$1=refill"
    return
  fi
  if [ "$PB_CP" = 1 ]; then
    # waited for by pb_copied
    cp --attributes-only --preserve=mode,ownership,xattr "$2" "$pb_t" 2>/dev/null &
    eval "J$1=\$!"
  else
    # made private, unless the folder's default ACL entries apply to new files
    pb_stat "$pb_t"
    pb_m=${S#* }
    case ${pb_m%% *} in [0-7]*00 | ????------*) ;; *) eval "H$1=refill"; return ;; esac
    chown "${10}:${11}" "$pb_t" 2>/dev/null
    case $7 in
      [0-7]*) chmod "$7" "$pb_t" ;;
      *) chmod "$4" "$pb_t" ;;
    esac
    if pb_special "$2" || pb_special "$pb_t"; then eval "H$1=refill"; fi
  fi
}

# the attributes that pb_prepare began to copy for the changes "$@" are there, or it is refilled
pb_copied() {
  for pb_i; do
    eval "pb_j=\$J$pb_i J$pb_i="
    [ -z "$pb_j" ] || wait "$pb_j" || eval "H$pb_i=refill"
  done
}

# pb_stat of $1, which has further links, once another request in the folder $2 keeps none of them any more: one that was
# cancelled goes on unheard for a moment, and a refill would leave the file empty for a moment without need
pb_unkept() {
  for pb_n in 1 2 3 4 5; do
    pb_k=
    for pb_a in "$2"/.pybridge-*-was; do
      [ "$pb_a" -ef "$1" ] 2>/dev/null && pb_k=1
    done
    [ -n "$pb_k" ] || break
    sleep 1
  done
  pb_stat "$1"
}

# the second half of it: has the temporary got them?
pb_prepared() { # index
  eval "pb_t=\$T$1 pb_old=\$O$1 S=\$N$1 pb_h=\$H$1"
  [ "$pb_h" = move ] || return 0
  [ -n "$S" ] || pb_stat "$pb_t"
  set -- "$1" $pb_old $S
  [ "$3 $6 $7" = "$9 ${12} ${13}" ] || eval "H$1=refill"
}

# true when $1 has an ACL or extended attributes that a new file would not have
pb_special() {
  case $(ls -ld "$1") in ??????????+*) return 0 ;; esac
  if command -v getfacl >/dev/null 2>&1; then
    [ -n "$(getfacl -cps "$1" 2>/dev/null)" ] && return 0
  fi
  if command -v getfattr >/dev/null 2>&1; then
    [ -n "$(getfattr -m '^(user|security.capability|trusted)' "$1" 2>/dev/null)" ] && return 0
  fi
  return 1
}

# set F unless the folder $1, or what is there of its path, still has no symlink in it
pb_same() {
  pb_real "$1"
  [ "$R" = "$1" ] || F=1
}

# add $1 to C unless the path $2 still leads to $3 and holds the version $4
pb_check() { # index path real digest
  pb_real "$2"
  if [ "$R" != "$3" ]; then
    C="$C $1"
  elif [ "$4" = absent ]; then
    if [ -e "$3" ] || [ -h "$3" ]; then C="$C $1"; fi
  elif [ -f "$3" ]; then
    pb_dig "$3"
    [ "$D" = "$4" ] || C="$C $1"
  else
    C="$C $1"
  fi
}

# put change $1 in place. What it replaces is kept until all is done: the file itself under the temporary's name + -was,
# or a copy of what is about to be refilled as + -old.
pb_put() { # index real old-digest new-digest keep-backup
  eval "pb_t=\$T$1 pb_h=\$H$1 pb_w=\$W$1"
  case $pb_h in
    link)
      if ln "$pb_t" "$2" 2>/dev/null; then
        pb_astray "$1" "$2"
        rm -f "$pb_t"
      elif [ -e "$2" ] || [ -h "$2" ]; then
        pb_conflict "$1"
      else
        mv "$pb_t" "$2" || pb_fail "$1" rename
      fi
      eval "X$1=new"
      return
      ;;
    move)
      pb_l=1
      if [ -n "$pb_w" ]; then
        # Another file has taken its place: what lies there now has not been compared.
        [ "$2" -ef "$pb_t-was" ] || pb_conflict "$1"
      elif ! ln "$2" "$pb_t-was" 2>/dev/null; then
        pb_l=0
        [ "$5" = 0 ] || cp -p "$2" "$pb_t-was" || pb_fail "$1" backup
      fi
      # Compared again: the other changes took their time, and one of them may have reached this file by another name.
      if [ "$5" = 1 ]; then
        pb_dig "$pb_t-was"
        [ "$D" = "$3" ] || pb_conflict "$1"
      fi
      if mv -f "$pb_t" "$2" 2>/dev/null; then
        pb_astray "$1" "$2"
        eval "X$1=moved"
        [ "$5" = 1 ] || [ "$pb_l" = 0 ] || pb_replaced "$1" "$3"
        return
      fi
      rm -f "$pb_t-was"
      ;;
  esac
  pb_refill "$1" "$2" "$3" "$4"
}

# put the content of change $1 into the file that is there
pb_refill() { # index real old-digest new-digest
  eval "pb_t=\$T$1 pb_m=\$M$1"
  pb_create "$pb_t-old" && cat "$2" > "$pb_t-old" || pb_fail "$1" backup
  pb_dig "$pb_t-old"
  [ "$D" = "$3" ] || pb_conflict "$1"
  eval "X$1=refilled"
  cat < "$pb_t" > "$2" || pb_fail "$1" refill
  pb_dig "$2"
  [ "$D" = "$4" ] || pb_fail "$1" refill
  case $pb_m in [0-7]*) chmod "$pb_m" "$2" 2>/dev/null ;; esac
  return 0
}

# what was replaced is looked at once more: somebody may have written into it between the compare and the replace
pb_replaced() { # index old-digest
  eval "pb_t=\$T$1 pb_x=\$X$1"
  [ "$pb_x" = moved ] && [ -f "$pb_t-was" ] || return 0
  pb_dig "$pb_t-was"
  [ "$D" = "$2" ] || pb_conflict "$1"
}

# a folder has just taken the place of $2, so that the new content went into it: out of it again
pb_astray() { # index real
  [ ! -d "$2" ] || {
    rm -f "$2/${pb_t##*/}"
    pb_conflict "$1"
  }
}

pb_conflict() {
  printf 'conflict %s\n' "$1"
  pb_abort
  exit 0
}

# remove the file of change $1, keeping it as $3-old until all is done
pb_remove() { # index path temporary old-digest
  eval "T$1=\$3"
  mv -f "$2" "$3-old" || pb_fail "$1" remove
  eval "X$1=removed"
  # Somebody may have changed it between the compare and this.
  pb_dig "$3-old"
  [ "$D" = "$4" ] || pb_conflict "$1"
}

# take away those of the files that are there
pb_clear() {
  pb_n=$#
  while [ "$pb_n" -gt 0 ]; do
    pb_n=$((pb_n - 1)) pb_f=$1
    shift
    if [ -e "$pb_f" ] || [ -h "$pb_f" ]; then set -- "$@" "$pb_f"; fi
  done
  [ $# = 0 ] || rm -f "$@"
}

# take change $1 back; what cannot be taken back keeps its backup for the next connection
pb_undo() { # index path real new-digest
  eval "pb_t=\$T$1 pb_x=\$X$1 pb_k=\$K$1 X$1="
  [ -z "$pb_k" ] || wait "$pb_k"
  case $pb_x in
    new | moved)
      # Somebody may have changed it since it was put in place.
      pb_dig "$3"
      [ "$D" = "$4" ]
      ;;
  esac && case $pb_x in
    new) rm -f "$3" ;;
    moved) mv -f "$pb_t-was" "$3" ;;
    # Torn, or whole; anything else is somebody's.
    refilled) cmp -s "$pb_t-old" "$3" || { pb_begins "$3" "$pb_t" && cat < "$pb_t-old" > "$3"; } ;;
    removed) [ ! -e "$2" ] && [ ! -h "$2" ] && mv "$pb_t-old" "$2" ;;
  esac || {
    printf 'left %s\n' "$1"
    return
  }
  [ -z "$pb_t" ] || rm -f "$pb_t" "$pb_t-old" "$pb_t-was"
}
