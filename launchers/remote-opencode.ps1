# OpenCode on a remote machine: its tools act there, over SSH, with nothing installed there.
# Fill in the block below, or set the same variables in the environment (they win), then run this file.
# Arguments are handed to OpenCode.

# ---- User Configuration ---------------------------------------------------------------------------------------------
# Where to work: what you would type after `ssh`, e.g. 'user@example.org -p 2222' or a host of your ~/.ssh/config.
if (-not $env:REMOTE_SSH) { $env:REMOTE_SSH = '' }
# The folder there, e.g. '~/project'.
if (-not $env:REMOTE_WORKDIR) { $env:REMOTE_WORKDIR = '' }
# Only if no key or agent logs you in. Better set in the environment than written here.
if (-not $env:REMOTE_PASSWORD) { $env:REMOTE_PASSWORD = '' }
# Only if commands use sudo and it asks for a password.
if (-not $env:REMOTE_SUDO_PASSWORD) { $env:REMOTE_SUDO_PASSWORD = '' }
# Only for an encrypted key that no agent holds.
if (-not $env:REMOTE_KEY_PASSPHRASE) { $env:REMOTE_KEY_PASSPHRASE = '' }
# At most this many SSH connections for commands and for large transfers; milliseconds between two handshakes.
if (-not $env:REMOTE_POOL_COMMAND_SIZE) { $env:REMOTE_POOL_COMMAND_SIZE = '3' }
if (-not $env:REMOTE_POOL_FILE_SIZE) { $env:REMOTE_POOL_FILE_SIZE = '2' }
if (-not $env:REMOTE_POOL_STAGGER_MS) { $env:REMOTE_POOL_STAGGER_MS = '0' }
# ---------------------------------------------------------------------------------------------------------------------

if (Get-Command pybridge -CommandType Application -ErrorAction SilentlyContinue) {
    & pybridge launch '--' @args
    exit $LASTEXITCODE
}
# -P: a folder named pybridge in the current folder is not taken for the package.
foreach ($python in 'python3', 'py', 'python') {
    if (-not (Get-Command $python -CommandType Application -ErrorAction SilentlyContinue)) { continue }
    & $python -P -c 'import pybridge.cli' *> $null
    if ($LASTEXITCODE -eq 0) {
        & $python -P -m pybridge launch '--' @args
        exit $LASTEXITCODE
    }
}
[Console]::Error.WriteLine('pybridge is not installed: there is no `pybridge` on PATH, and no Python 3.11 or newer that has it.')
[Console]::Error.WriteLine('Install it from its folder: pipx install .   (or: uv tool install .)')
exit 127
