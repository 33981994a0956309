"""Pure: where a request of ours may go. Addresses are refused by our own list: `ipaddress.is_private` lets 100.64.0.1,
multicast, NAT64 and 6to4 pass.

Of IPv6 only what is routed at all (2000::/3) is allowed, without its tunnels and examples; an IPv4 address inside an
IPv6 one is judged as what it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL = 2_000
PORTS = {"https": 443, "http": 80}

_NO_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        # A cloud's service for its own machines, behind a public address.
        "168.63.129.16/32",
    )
)  # fmt: skip
_ROUTED = IPv6Network("2000::/3")
# Protocol assignments with Teredo, examples, 6to4.
_NO_IPV6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a checked URL leads: `target` is what stands in the request's first line, `host` is lower case ASCII."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def header(self) -> str:
        """The Host header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == PORTS[self.scheme] else f"{name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What is allowed beyond public addresses at the usual ports over https: whole `networks`, `hosts` with the port
    that was named (None: the usual one), and http where `plain`."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[tuple[str, int | None]] = frozenset()
    plain: bool = False

    @classmethod
    def of(cls, allow: Iterable[str], *, plain: bool = False) -> "Policy":
        """Reads `10.1.0.0/16`, `erp.internal`, `erp.internal:8443`, `[::1]:8080`; raises ValueError for a bad entry."""
        networks: list[Network] = []
        hosts: set[tuple[str, int | None]] = set()
        for entry in allow:
            try:
                networks.append(ip_network(entry, strict=False))
                continue
            except ValueError:
                pass
            try:
                parts = urlsplit(f"//{entry}")
                host, port = parts.hostname, parts.port
            except ValueError:
                host, port = None, None
            if not host or parts.path or not (_HOST.fullmatch(host) or _literal(host)):
                raise ValueError(f"{entry!r} is neither a network nor a host")
            hosts.add((host, port))
        return cls(tuple(networks), frozenset(hosts), plain)

    def names(self, place: Place) -> bool:
        """Whether this host is allowed by name at this port."""
        usual = (place.host, None) in self.hosts and place.port == PORTS[place.scheme]
        return usual or (place.host, place.port) in self.hosts

    def objection(self, place: Place, address: str) -> str:
        """Why this address of the host may not be connected to; empty when it may."""
        try:
            found = ip_address(address)
        except ValueError:
            return f"{address!r} is no address"
        if self.names(place) or any(found in network for network in self.networks if network.version == found.version):
            return ""
        if not is_public(found):
            return f"{address} is not an address of the public internet"
        if place.port != PORTS[place.scheme]:
            return f"port {place.port} is not {PORTS[place.scheme]}"
        return ""


def is_public(address: Address) -> bool:
    """Whether everybody may be asked to send something there."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NO_IPV4)
    if address.scope_id is not None:
        return False
    inner = address.ipv4_mapped
    if inner is None and address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(inner)
    return address in _ROUTED and not any(address in network for network in _NO_IPV6)


def _literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def place_of(url: str, *, plain: bool = False) -> Place:
    """The place of a URL; raises ValueError with what is wrong with it."""
    if len(url) > LONGEST_URL:
        raise ValueError(f"is longer than {LONGEST_URL} characters")
    if any(ord(char) <= 32 or ord(char) == 127 for char in url) or "\\" in url:
        raise ValueError("holds a space, a backslash or a character that no address has")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is no web address") from None
    scheme = parts.scheme.lower()
    if scheme not in PORTS or not (parts.hostname or ""):
        raise ValueError("is no web address: begin with https://")
    if scheme == "http" and not plain:
        raise ValueError("is not encrypted: use https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a name or a password in it: send them as a header")
    return Place(scheme, _name(parts), port or PORTS[scheme], _target(parts))


def _name(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if _literal(host):
        return host
    try:
        host = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        raise ValueError("names no host") from None
    if not _HOST.fullmatch(host) or len(host) > 253:
        raise ValueError("names no host")
    return host


def _target(parts: SplitResult) -> str:
    path = parts.path or "/"
    text = f"{path}?{parts.query}" if parts.query else path
    return "".join(char if char.isascii() else "".join(f"%{octet:02X}" for octet in char.encode()) for char in text)
