@echo off
rem OpenCode on a remote machine: its tools act there, over SSH, with nothing installed there.
rem Fill in the block below, or set the same variables in the environment (they win), then run this file.
rem Arguments are handed to OpenCode.
setlocal EnableExtensions DisableDelayedExpansion
rem A program of the same name in the current folder is not run.
set "NoDefaultCurrentDirectoryInExePath=1"

rem ---- User Configuration --------------------------------------------------------------------------------------------
rem Where to work: what you would type after ssh, e.g. user@example.org -p 2222, or a host of your .ssh\config.
if not defined REMOTE_SSH set "REMOTE_SSH="
rem The folder there, e.g. ~/project
if not defined REMOTE_WORKDIR set "REMOTE_WORKDIR="
rem Only if no key or agent logs you in. Better set in the environment than written here.
if not defined REMOTE_PASSWORD set "REMOTE_PASSWORD="
rem Only if commands use sudo and it asks for a password.
if not defined REMOTE_SUDO_PASSWORD set "REMOTE_SUDO_PASSWORD="
rem Only for an encrypted key that no agent holds.
if not defined REMOTE_KEY_PASSPHRASE set "REMOTE_KEY_PASSPHRASE="
rem At most this many SSH connections for commands and for large transfers; milliseconds between two handshakes.
if not defined REMOTE_POOL_COMMAND_SIZE set "REMOTE_POOL_COMMAND_SIZE=3"
if not defined REMOTE_POOL_FILE_SIZE set "REMOTE_POOL_FILE_SIZE=2"
if not defined REMOTE_POOL_STAGGER_MS set "REMOTE_POOL_STAGGER_MS=0"
rem --------------------------------------------------------------------------------------------------------------------

where /q "$PATH:pybridge" && goto command
rem -P: a folder named pybridge in the current folder is not taken for the package.
set "PYTHON_COMMAND=python3"
%PYTHON_COMMAND% -P -c "import pybridge.cli" >nul 2>nul && goto module
set "PYTHON_COMMAND=py"
%PYTHON_COMMAND% -P -c "import pybridge.cli" >nul 2>nul && goto module
set "PYTHON_COMMAND=python"
%PYTHON_COMMAND% -P -c "import pybridge.cli" >nul 2>nul && goto module
echo pybridge is not installed: it is not on PATH, and there is no Python 3.11 or newer that has it. 1>&2
echo Install it from its folder: pipx install .   (or: uv tool install .) 1>&2
exit /b 127

:command
pybridge launch -- %*
exit /b

:module
%PYTHON_COMMAND% -P -m pybridge launch -- %*
exit /b
