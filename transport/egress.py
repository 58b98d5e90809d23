"""Which addresses a node may connect to: public ones, and those that the operator has allowed.

Sources: the IANA special-purpose address registries (RFC 6890) for IPv4; for IPv6 the reverse, since only
2000::/3 is handed out as global unicast (RFC 4291). The table is ours because `ipaddress.is_global`
answers differently from one Python release to the next.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "an unspecified address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a carrier-grade NAT address"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a protocol assignment"),
        ("192.0.2.0/24", "a documentation address"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "a benchmarking address"),
        ("198.51.100.0/24", "a documentation address"),
        ("203.0.113.0/24", "a documentation address"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "an unspecified address"),
        ("::1/128", "a loopback address"),
        ("::ffff:0:0/96", "an IPv4 address in disguise"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("ff00::/8", "a multicast address"),
        ("2001::/23", "a protocol assignment"),
        ("2001:db8::/32", "a documentation address"),
        ("2002::/16", "a 6to4 address"),
        ("3fff::/20", "a documentation address"),
    )
)
_GLOBAL_IPV6 = IPv6Network("2000::/3")
# Where a network has only IPv6, its DNS answers with these for every IPv4 host: judged by what is inside.
_NAT64 = IPv6Network("64:ff9b::/96")


class EgressRefused(Exception):
    """The text says what was refused, why, and which setting would allow it."""


@dataclass(frozen=True, slots=True)
class _Exception:
    """One entry of the allow-list: a host name or a network, on one port or on all."""

    host: str | None
    network: Network | None
    port: int | None

    def covers(self, host: str, port: int, address: Address) -> bool:
        if self.port not in (None, port):
            return False
        return host == self.host or (self.network is not None and address in self.network)


class EgressPolicy:
    """Pure: decides on addresses, opens nothing."""

    def __init__(self, allow: Iterable[str]) -> None:
        """Raises `ValueError` for an entry that is no host, address, CIDR, or host or address with a port."""
        self._exceptions = tuple(_parse(entry) for entry in allow)

    def refusal(self, host: str, port: int, address: str) -> str | None:
        """Why a connection for `host:port` must not be made to this very address; None if it may be."""
        ip = ip_address(address.partition("%")[0])
        what = _what_is_special(ip)
        host = host.rstrip(".").lower()
        if what is None or any(exception.covers(host, port, ip) for exception in self._exceptions):
            return None
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        named = f" ({ip})" if host != str(ip) else ""
        return (
            f"Access to {place}{named} was blocked: it is {what}."
            f" The operator can allow it with HOPLINE_EGRESS_ALLOW={place}"
        )


def _what_is_special(ip: Address) -> str | None:
    if ip.version == 6 and ip in _NAT64:
        return _what_is_special(IPv4Address(int(ip) & 0xFFFFFFFF))
    for network, what in _REFUSED:
        if ip in network:
            return what
    if ip.version == 6 and ip not in _GLOBAL_IPV6:
        return "a reserved address"
    return None


def _parse(entry: str) -> _Exception:
    try:
        return _Exception(None, ip_network(entry, strict=False), None)
    except ValueError:
        pass
    host, port = _split_port(entry)
    try:
        return _Exception(None, ip_network(host), port)
    except ValueError:
        return _Exception(host.rstrip(".").lower(), None, port)


def _split_port(entry: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[address]` and `[address]:port`."""
    if entry.startswith("["):
        host, bracket, rest = entry[1:].partition("]")
        text = rest.removeprefix(":")
        well_formed = bool(bracket) and (rest == "" or (bool(text) and rest != text))
    else:
        host, colon, text = entry.partition(":")
        well_formed = not colon or bool(text)
    if not well_formed or not host or "/" in entry or (text and not text.isdecimal()):
        raise ValueError(f"HOPLINE_EGRESS_ALLOW: {entry!r} is no host, host:port, address or CIDR")
    return host, int(text) if text else None
