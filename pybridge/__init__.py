"""pybridge: OpenCode's seven tools, acting on a machine that has nothing but an sshd."""

__version__ = "0.1.0"
