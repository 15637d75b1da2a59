"""Makes ssh command lines and configuration files at random, of all that OpenSSH and pybridge both take."""

from __future__ import annotations

import random
import shlex
from dataclasses import dataclass
from pathlib import Path

HOSTS = ("box", "Box", "web-1", "alpha.example.com", "beta.example.com", "10.0.0.5", "127.1", "gate", "outer", "::1")
_PATTERNS = (
    "*",
    "b?x",
    "box",
    "web-*",
    "*.example.com",
    "10.0.*",
    "gate",
    "outer",
    "!box",
    "!web-*",
    "?ox",
    "BOX",
    "al*m",
)
_USERS = ("ann", "bob", "'c d'", "u.x", "DOM\\\\joe")


@dataclass(frozen=True)
class Case:
    """A command line, as words and as the text a user would type."""

    words: list[str]
    text: str


class CaseMaker:
    """Makes the case of one seed.

    Args:
        seed: the same seed makes the same case.
        folder: where its files are put.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self._random = random.Random(seed)
        self._folder = folder
        self._keys = [folder / name for name in ("key one", "key_two", "key-%h", "absent")]

    def make(self) -> Case:
        """Write the configuration files, and give the command line."""
        for path in self._keys[:3]:
            path.write_text("")
        for name in ("one", "two"):
            (self._folder / f"inc_{name}.conf").write_text(self._config(includes=False))
        config = self._folder / "config"
        config.write_text(self._config(includes=True))
        words = ["ssh", *self._command_line(config)]
        return Case(words, " ".join(map(self._quote, words)))

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _config(self, *, includes: bool) -> str:
        lines = [self._line() for _ in range(self._random.randrange(3))]
        for _ in range(self._random.randrange(1, 6)):
            lines.append(self._block())
            lines += ["  " * self._chance(0.7) + self._line() for _ in range(self._random.randrange(1, 5))]
            if includes and self._chance(0.3):
                lines.append(f"Include {self._folder}/inc_{self._random.choice(['one', 'two', '*'])}.conf")
        return "\n".join([*lines, ""])

    def _block(self) -> str:
        choose = self._random.choice
        if self._chance(0.5):
            return "Host " + " ".join(choose(_PATTERNS) for _ in range(self._random.randrange(1, 4)))
        criteria = []
        for _ in range(self._random.randrange(1, 3)):
            pattern = ",".join(choose(_PATTERNS) for _ in range(self._random.randrange(1, 3)))
            criteria.append(
                ("!" if self._chance(0.2) else "")
                + choose(
                    [
                        f"host {pattern}",
                        f"host={pattern}",
                        f"originalhost {pattern}",
                        f'Host "{pattern}"',
                        "user ann,b*",
                        "user root",
                        "localuser *",
                        "localuser nobody-here",
                        "final",
                        "canonical",
                        "exec true",
                        'exec "test %h = box"',
                        'exec "test %n%p%r = box22ann"',
                        "exec false",
                    ]
                )
            )
        return choose(["Match all", "Match canonical all", *(["Match " + " ".join(criteria)] * 6)])

    def _line(self) -> str:
        keyword, value = self._option()
        keyword = self._random.choice([keyword, keyword, keyword.lower(), keyword.upper()])
        between = self._random.choice([" ", " ", "=", " = ", "\t", "  "])
        comment = " # as agreed" if keyword.lower() != "proxycommand" and self._chance(0.1) else ""
        return f"{keyword}{between}{value}{comment}{' ' * self._chance(0.1)}"

    def _key(self) -> str:
        return str(self._random.choice(self._keys))

    def _option(self) -> tuple[str, str]:
        """A keyword and its value, quoted as in a configuration file."""
        choose = self._random.choice
        flags = ("IdentitiesOnly", "TCPKeepAlive", "HashKnownHosts", "CheckHostIP", "BatchMode")
        flags += ("PasswordAuthentication", "PubkeyAuthentication", "KbdInteractiveAuthentication")
        flags += (
            "NoHostAuthenticationForLocalhost",
            "ChallengeResponseAuthentication",
            "VisualHostKey",
            "ProxyUseFdpass",
        )
        yes_no = choose(["yes", "no", "true", "false", "YES"])
        return choose(
            [
                ("HostName", choose(["real.example.com", "%h.example.org", "Box", "10.1.2.3", "100%%.x", "127.2"])),
                ("User", choose(_USERS)),
                ("Port", choose(["22", "2022", "ssh", '"8022"'])),
                ("IdentityFile", self._quote_value(choose([self._key(), "~/.ssh/other", "none"]))),
                ("CertificateFile", self._quote_value(choose([self._key(), "~/cert-%r.pub"]))),
                ("ProxyJump", self._jump()),
                ("ProxyCommand", choose(['nc -x "a b" %h %p', "none", "connect %n %r 100%%", "a   b 'c d'"])),
                ("UserKnownHostsFile", choose(["~/kh", "/a /b", '"/a b" /c', "none", "%d/kh-%n"])),
                ("GlobalKnownHostsFile", choose(["/g", "/g1 /g2", "none"])),
                ("StrictHostKeyChecking", choose(["yes", "no", "ask", "accept-new", "off", "Accept-New"])),
                ("HostKeyAlias", choose(["alias", "other.example.com"])),
                ("HostKeyAlgorithms", choose(["+ssh-rsa", "-ecdsa*", "^rsa-sha2-512", "ssh-ed25519,rsa-sha2-256"])),
                ("KexAlgorithms", choose(["+diffie-hellman-group1-sha1", "-*nist*,sntrup*", "curve25519-sha256"])),
                ("Ciphers", choose(["aes128-ctr,aes256-ctr", "+aes128-cbc", "^aes256-ctr", "-aes*"])),
                ("MACs", choose(["hmac-sha2-256", "+hmac-md5", "-*etm*", "^hmac-sha1"])),
                (choose(["PubkeyAcceptedAlgorithms", "PubkeyAcceptedKeyTypes"]), choose(["+ssh-rsa", "-ssh-*"])),
                ("ConnectTimeout", choose(["5", "1m30", "2h", "none"])),
                ("ConnectionAttempts", choose(["1", "4"])),
                ("ServerAliveInterval", choose(["30", "1m", "5"])),
                ("ServerAliveCountMax", choose(["2", "7"])),
                ("AddressFamily", choose(["any", "inet", "inet6", "INET"])),
                ("BindAddress", choose(["127.0.0.1", "192.0.2.1"])),
                ("BindInterface", choose(["lo", "eth7"])),
                ("IdentityAgent", choose(["none", "SSH_AUTH_SOCK", "~/agent.sock", "/run/%u-%n"])),
                ("ForwardAgent", choose(["yes", "no"])),
                ("PreferredAuthentications", choose(["password,publickey", "publickey", "hostbased,password"])),
                ("NumberOfPasswordPrompts", choose(["0", "1", "3"])),
                ("RekeyLimit", choose(["1G 1h", "default none", "500M", "64K 90"])),
                ("IPQoS", choose(["af21 cs1", "ef", "none", "lowdelay throughput", "0x10", "8"])),
                ("RequiredRSASize", choose(["1024", "2048", "4096"])),
                ("SetEnv", choose(["A=1 B=2", '"C=x y"', "A=3 A=4"])),
                ("SendEnv", choose(["PB_*", "PB_ONE -PB_*", "PB_TWO PB_?NE"])),
                ("RevokedHostKeys", choose(["/revoked", "~/revoked"])),
                ("GSSAPIAuthentication", "no"),
                ("Compression", choose(["yes", "no", "NO"])),
                ("LogLevel", "ERROR"),
                ("AddKeysToAgent", choose(["confirm 5m", "yes"])),
                *((flag, yes_no) for flag in self._random.sample(flags, 5)),
            ]
        )

    def _jump(self) -> str:
        choose = self._random.choice
        hops = [
            choose(["gate", "ann@outer", "outer:2200", "bob@[::2]:23", "ssh://joe@far:77", "%r@gate"]) for _ in "ab"
        ]
        return choose(["none", hops[0], hops[0], ",".join(hops)])

    def _command_line(self, config: Path) -> list[str]:
        options = [["-F", str(config)] if self._chance(0.6) else [f"-F{config}"]]
        for _ in range(self._random.randrange(6)):
            options.append(self._typed())
        self._random.shuffle(options)
        if sum(1 for words in options if words[0].startswith("-J")) > 1:
            options = [words for words in options if not words[0].startswith("-J")]
        # -J after another way to go is an error, which has its own test.
        options.sort(key=lambda words: not words[0].startswith("-J"))
        before = self._random.randrange(len(options) + 1)
        words = [word for group in options[:before] for word in group]
        words.append(self._destination())
        return words + [word for group in options[before:] for word in group]

    def _typed(self) -> list[str]:
        choose = self._random.choice
        if self._chance(0.5):
            keyword, value = self._option()
            text = keyword + choose(["=", " ", " = "]) + value
            return ["-o", text] if self._chance(0.5) else [f"-o{text}"]
        letter, value = choose(
            [
                ("-p", choose(["2222", "22", "ssh"])),
                ("-l", choose(["ann", "c d"])),
                ("-i", self._key()),
                ("-J", self._jump()),
                ("-b", "127.0.0.1"),
                ("-B", "lo"),
                ("-c", "aes128-ctr,aes256-ctr"),
                ("-m", "hmac-sha2-256"),
                ("-e", "none"),
                ("", choose(["-4", "-6", "-C", "-v", "-q", "-A", "-a", "-x", "-T", "-n", "-k", "-vC4", "-Ca"])),
            ]
        )
        if not letter:
            return [value]
        return [letter, value] if self._chance(0.5) else [choose([letter, f"-C{letter[1]}"]) + value]

    def _destination(self) -> str:
        host = self._random.choice(HOSTS)
        user = self._random.choice(["ann", "x y", "a@b"])
        if ":" in host:
            return self._random.choice([host, f"ann@{host}"])
        return self._random.choice(
            [host, host, f"{user}@{host}", f"ssh://{host}", f"ssh://ann@{host}:2200", f"ssh://a%40b@{host}/"]
        )

    def _quote_value(self, value: str) -> str:
        return f'"{value}"' if " " in value or self._chance(0.2) else value

    def _quote(self, word: str) -> str:
        """One of the ways to write a word for a shell."""
        plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
        escaped = "".join(c if c.isalnum() or c in "-_./:=@%,+" else "\\" + c for c in word)
        return self._random.choice([shlex.quote(word), shlex.quote(word), f'"{plain}"', escaped])
