"""What ssh says of a login that failed, as typed errors. The texts are OpenSSH's own."""

from __future__ import annotations

import pytest

from pybridge.errors import (
    AlgorithmError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectionDroppedError,
    ConnectionRefusedByHostError,
    ConnectTimeoutError,
    HostKeyChangedError,
    HostKeyUnknownError,
    RemoteError,
    UnknownHostError,
)
from pybridge.transport.openssh.failures import describe_failure
from pybridge.transport.ssh_target import SshTarget

pytestmark = pytest.mark.unit

TARGET = SshTarget(alias="box", host="box.example", port=22, user="me")
CHANGED = "@@@@@@\n@  WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!  @\n@@@@@@\nHost key verification failed.\n"
OFFER = "Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa,ssh-dss\n"


@pytest.mark.parametrize(
    ("said", "kind", "part"),
    [
        ("me@box.example: Permission denied (publickey).\r\n", AuthenticationError, "Permission denied"),
        ("Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures", AuthenticationError, "many"),
        ("No ED25519 host key is known for box and you have requested strict checking.", HostKeyUnknownError, "known"),
        (CHANGED, HostKeyChangedError, "known_hosts"),
        (OFFER, AlgorithmError, r"-o HostKeyAlgorithms=\+ssh-rsa,ssh-dss"),
        ("ssh: Could not resolve hostname box: Name or service not known", UnknownHostError, "resolve"),
        ("ssh: connect to host box port 22: Connection refused", ConnectionRefusedByHostError, "port 22"),
        ("ssh: connect to host box port 22: Connection timed out", ConnectTimeoutError, "VPN"),
        ("kex_exchange_identification: Connection closed by remote host", ConnectionDroppedError, "MaxStartups"),
        ("/c: line 1: Bad configuration option: nonsense\n/c: terminating, 1 bad", ConfigurationError, "nonsense"),
        ("something new", ConnectError, "something new"),
        ("", ConnectError, "said nothing"),
    ],
)
def test_messages_become_typed_errors(said: str, kind: type[RemoteError], part: str) -> None:
    error = describe_failure(TARGET, f"OpenSSH_9.2p1\ndebug1: Reading {said[:0]}configuration\n{said}", [])
    assert type(error) is kind
    with pytest.raises(kind, match=part):
        raise error
    assert "debug1" not in str(error)
    assert error.next_step


def test_a_connection_dropped_during_authentication_is_told_from_one_before() -> None:
    said = "debug1: SSH2_MSG_SERVICE_ACCEPT received\nConnection closed by 10.0.0.1 port 22\n"
    error = describe_failure(TARGET, said, [])
    assert isinstance(error, ConnectionDroppedError)
    assert error.authenticating


def test_remarks_on_keys_are_shown() -> None:
    error = describe_failure(TARGET, "me@box: Permission denied (publickey).", ["key /k: it is encrypted"])
    assert "it is encrypted" in error.message
