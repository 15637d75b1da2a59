"""How long an RSA key is, for RequiredRSASize. Format of a public key: RFC 4253, section 6.6."""

from __future__ import annotations

_KINDS = (b"ssh-rsa", b"ssh-rsa-cert-v01@openssh.com")


def rsa_bits(public: bytes) -> int | None:
    """The length of the modulus in bits; None for a key of another kind, or one that cannot be read.

    Args:
        public: the public key in its binary form.
    """
    fields: list[bytes] = []
    rest = public
    while len(rest) >= 4:
        size = int.from_bytes(rest[:4], "big")
        fields.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    if not fields or fields[0] not in _KINDS:
        return None
    modulus = 2 if fields[0] == b"ssh-rsa" else 3  # A certificate has a nonce before the key.
    return int.from_bytes(fields[modulus], "big").bit_length() if len(fields) > modulus else None


def too_short(public: bytes, required: int) -> str | None:
    """What is wrong with a key, as a clause; None if it is long enough or not RSA.

    Args:
        public: the public key in its binary form.
        required: RequiredRSASize, in bits.
    """
    bits = rsa_bits(public)
    return None if bits is None or bits >= required else f"it is an RSA key of {bits} bits; {required} are required"
