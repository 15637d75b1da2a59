"""The name in effect of the host to connect to: CanonicalizeHostname and what belongs to it in ssh_config(5)."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from dataclasses import dataclass

from pybridge.errors import UnknownHostError
from pybridge.transport.ssh_words import match_host_list

Lookup = Callable[[str], str | None]
"""Resolves a name: to its canonical name (empty if the resolver does not say), or None if it does not exist."""


@dataclass(frozen=True)
class Rules:
    """The options.

    Args:
        mode: `no`, `yes` (only where no proxy is in between) or `always`.
        domains: CanonicalDomains.
        max_dots: CanonicalizeMaxDots.
        fallback: CanonicalizeFallbackLocal.
        cnames: CanonicalizePermittedCNAMEs: pairs of pattern lists, from and to.
    """

    mode: str = "no"
    domains: tuple[str, ...] = ()
    max_dots: int = 1
    fallback: bool = True
    cnames: tuple[tuple[str, str], ...] = ()


def canonical_name(host: str, rules: Rules, *, direct: bool, lookup: Lookup) -> str:
    """The name to connect to.

    Args:
        host: HostName, or the host as typed; no address.
        direct: whether no ProxyCommand or ProxyJump is in between.

    Raises:
        UnknownHostError: no domain has the name, and CanonicalizeFallbackLocal is no.
    """
    if rules.mode == "no" or (not direct and rules.mode != "always"):
        return host
    if host.endswith("."):
        candidates = [host]
    elif host.count(".") > rules.max_dots:
        return _follow(host, lookup(host) or "", rules) if rules.cnames else host
    else:
        domains = itertools.takewhile(lambda domain: domain.lower() != "none", rules.domains)
        candidates = [f"{host}.{domain}." for domain in domains]
    for candidate in candidates:
        cname = lookup(candidate)
        if cname is not None:
            return _follow(candidate[:-1], cname, rules)
    if not rules.fallback:
        raise UnknownHostError(
            f"The host {host!r} is in none of the domains of CanonicalDomains.",
            next_step="Write its name in full, or set CanonicalizeFallbackLocal to yes.",
        )
    return _follow(host, lookup(host) or "", rules) if rules.cnames else host


def _follow(name: str, cname: str, rules: Rules) -> str:
    """The name behind a CNAME record, where a rule permits to follow it."""
    for sources, targets in rules.cnames:
        if cname and match_host_list(sources, name) and match_host_list(targets, cname):
            return cname
    return name


def canonical_address(host: str, family: int) -> str | None:
    """An IPv4 or IPv6 address in its usual form (127.1 is 127.0.0.1); None if the host is a name."""
    try:
        found = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0])


def lookup_name(family: int) -> Lookup:
    """A lookup with this machine's resolver."""

    def lookup(name: str) -> str | None:
        try:
            found = socket.getaddrinfo(name, None, family=family, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
        except (OSError, UnicodeError):
            return None
        return found[0][3].rstrip(".").lower()

    return lookup
