"""REMOTE_SSH for the system's ssh: passed on as typed, less what would stop commands."""

from __future__ import annotations

import pytest

from pybridge.errors import CommandLineError
from pybridge.transport.openssh.command_line import read_command_line

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("me@box", ["ssh", "--", "me@box"]),
        ("ssh -p2222 me@box", ["ssh", "-p", "2222", "--", "me@box"]),
        ("/opt/bin/ssh box -4 -i '/k 1'", ["/opt/bin/ssh", "-4", "-i", "/k 1", "--", "box"]),
        ("-I /lib/p11.so -K box", ["ssh", "-I", "/lib/p11.so", "-K", "--", "box"]),
        ("-L 80:a:80 -D1080 -w0:0 -X box", ["ssh", "-L", "80:a:80", "-D", "1080", "-w", "0:0", "-X", "--", "box"]),
        ("-fNTvvt -E log -e none -4 box", ["ssh", "-4", "--", "box"]),
        ("-M -S ~/own box -o ControlMaster=auto", ["ssh", "-o", "ControlMaster=auto", "--", "box"]),
        ("-4Cp22 -- -box", ["ssh", "-4", "-C", "-p", "22", "--", "-box"]),
    ],
)
def test_words_are_passed_on(text: str, words: list[str]) -> None:
    assert read_command_line(text).words() == words


def test_own_options_come_first_and_what_is_settled_here_is_remembered() -> None:
    command = read_command_line("-S /own -F conf box")
    assert command.words("-f")[:2] == ["ssh", "-f"]
    assert (command.control_path, command.config) == ("/own", "conf")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("box ls -l", "'ls'"),
        ("-W a:22 box", "-W"),
        ("-G box", "-G"),
        ("-O check box", "-O"),
        ("-p", "-p needs a value"),
        ("-4", "no host"),
        ("'box", "quotation"),
        ("dbclient box", "OpenSSH's own client only"),
    ],
)
def test_what_cannot_be_a_login_is_refused_by_name(text: str, part: str) -> None:
    with pytest.raises(CommandLineError, match=part) as error:
        read_command_line(text)
    assert error.value.next_step
