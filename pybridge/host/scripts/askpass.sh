# What sudo runs to be told the password. It holds none itself: it asks the feeder of the command it belongs to (see
# sudo.sh), by the number of this process, and is answered on a FIFO of its own.
# $0 is the command's place in the private folder, $0.ask the FIFO its feeder reads.

umask 077
pb_no() {
  printf 'pybridge: %s\n' "$1" >&2
  exit 1
}
pb_over='the command that started this sudo has ended; run sudo in a command that waits for it.'
[ -p "$0.ask" ] || pb_no "$pb_over"
mkfifo "$0.$$" || pb_no 'no FIFO can be made for the password.'
trap 'rm -f "$0.$$"' EXIT
# Open for both, so that no open waits, and what is written stays until it is read.
exec 3<>"$0.ask" 4<>"$0.$$"
printf '%s\n' $$ >&3
# While the name is there, its reader is.
[ -p "$0.ask" ] || pb_no "$pb_over"
IFS= read -r pb_a <&4
case $pb_a in
p*) printf '%s\n' "${pb_a#p}" ;;
*) pb_no "${pb_a#n}" ;;
esac
