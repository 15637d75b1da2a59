"""Says why a server did not let us in, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from pybridge.errors import AuthenticationError, RemoteError
from pybridge.transport.login import Login
from pybridge.transport.ssh_target import SshTarget

ONCE = "It was sent once and will not be sent again, so that the account is not locked."
_AT_THE_TERMINAL = "Set REMOTE_TRANSPORT=openssh: the `ssh` of this machine then asks you, at the terminal."
_OTHERS = "or name a key with -i in REMOTE_SSH, or load one into ssh-agent."


def describe_denial(
    target: SshTarget,
    login: Login,
    remarks: Sequence[str] = (),
    *,
    how: str = "",
    too_many: bool = False,
) -> RemoteError:
    """The error for credentials the server did not take, with what it would take.

    Args:
        login: what was said.
        remarks: on keys that could not be used.
        how: what the server did, if it did not just say no.
        too_many: whether it ended the connection because of too many attempts.
    """
    offered = ", ".join(login.methods) or "methods that are not supported here"
    lines = [f"{target} denied access: {_tried(login)}{how}. The server takes: {offered}."]
    if not login.may_send_password:
        lines.append("Its host key has changed, so no password was sent (StrictHostKeyChecking=no).")
    if login.prompts:
        lines.append(f"It asked: {'; '.join(login.prompts)}")
    lines += [f"Not usable: {remark}." for remark in (*remarks, *login.identities.remarks, *login.sources.remarks)]
    failure = login.sources.failure
    if failure is not None and login.password is None:
        return type(failure)(f"{failure.message}\n{lines[0]}", next_step=failure.next_step)
    step = _too_many(login) if too_many and login.password is None else _next_step(login)
    return AuthenticationError("\n".join(lines), next_step=step)


def _tried(login: Login) -> str:
    if login.unanswered:
        return "it asks for what only a person can answer"
    if login.password is not None:
        return "the password was refused"
    if login.key_accepted:
        return "the key was accepted, and more is wanted"
    return "no key was accepted"


def _too_many(login: Login) -> str:
    return (
        f"{len(login.identities.pairs)} keys were offered, more than the server lets one try (its MaxAuthTries). "
        "Name the one it knows, and only that: -i KEY -o IdentitiesOnly=yes in REMOTE_SSH."
    )


def _next_step(login: Login) -> str:
    if login.unanswered:
        return _AT_THE_TERMINAL
    if login.password is not None:
        return f"{login.password.correction} {ONCE}"
    if "password" in login.methods or "keyboard-interactive" in login.methods:
        if login.is_jump_host:
            return (
                "This is a jump host; REMOTE_PASSWORD is for the target only. Keep its password in the system keyring "
                f"(`pybridge password set`), {_OTHERS}"
            )
        return f"Set REMOTE_PASSWORD or REMOTE_PASSWORD_COMMAND, or run `pybridge password set`, {_OTHERS}"
    return "Name a key with -i in REMOTE_SSH, or load one into ssh-agent, and check the user name."
