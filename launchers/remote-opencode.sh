#!/bin/sh
# OpenCode on a remote machine: its tools act there, over SSH, with nothing installed there.
# Fill in the block below, or set the same variables in the environment (they win), then run this file.
# Arguments are handed to OpenCode.

# ---- User Configuration ---------------------------------------------------------------------------------------------
# Where to work: what you would type after `ssh`, e.g. 'user@example.org -p 2222' or a host of your ~/.ssh/config.
[ -n "${REMOTE_SSH-}" ] || REMOTE_SSH=''
# The folder there, e.g. '~/project'.
[ -n "${REMOTE_WORKDIR-}" ] || REMOTE_WORKDIR=''
# Only if no key or agent logs you in. Better set in the environment than written here.
[ -n "${REMOTE_PASSWORD-}" ] || REMOTE_PASSWORD=''
# Only if commands use sudo and it asks for a password.
[ -n "${REMOTE_SUDO_PASSWORD-}" ] || REMOTE_SUDO_PASSWORD=''
# Only for an encrypted key that no agent holds.
[ -n "${REMOTE_KEY_PASSPHRASE-}" ] || REMOTE_KEY_PASSPHRASE=''
# At most this many SSH connections for commands and for large transfers; milliseconds between two handshakes.
[ -n "${REMOTE_POOL_COMMAND_SIZE-}" ] || REMOTE_POOL_COMMAND_SIZE=3
[ -n "${REMOTE_POOL_FILE_SIZE-}" ] || REMOTE_POOL_FILE_SIZE=2
[ -n "${REMOTE_POOL_STAGGER_MS-}" ] || REMOTE_POOL_STAGGER_MS=0
# ---------------------------------------------------------------------------------------------------------------------

export REMOTE_SSH REMOTE_WORKDIR REMOTE_PASSWORD REMOTE_SUDO_PASSWORD REMOTE_KEY_PASSPHRASE
export REMOTE_POOL_COMMAND_SIZE REMOTE_POOL_FILE_SIZE REMOTE_POOL_STAGGER_MS

if command -v pybridge >/dev/null 2>&1; then
  exec pybridge launch -- "$@"
fi
# -P: a folder named pybridge in the current folder is not taken for the package.
if python3 -P -c 'import pybridge.cli' >/dev/null 2>&1; then
  exec python3 -P -m pybridge launch -- "$@"
fi
echo 'pybridge is not installed: there is no `pybridge` on PATH, and no Python 3.11 or newer that has it.' >&2
echo 'Install it from its folder: pipx install .   (or: uv tool install .)' >&2
exit 127
