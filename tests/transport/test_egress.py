"""The policy on addresses, without a network."""

import pytest

from transport.egress import EgressPolicy

NOTHING_ALLOWED = EgressPolicy([])


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "4000::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_special_addresses_are_refused(address: str) -> None:
    refusal = NOTHING_ALLOWED.refusal("host.example", 80, address)
    assert refusal is not None
    assert refusal.endswith("allow it with HOPLINE_EGRESS_ALLOW=host.example:80")


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808"],
)
def test_public_addresses_are_not(address: str) -> None:
    assert NOTHING_ALLOWED.refusal("host.example", 443, address) is None


def test_the_refusal_says_what_and_how_to_allow_it() -> None:
    assert NOTHING_ALLOWED.refusal("localhost", 8080, "127.0.0.1") == (
        "Access to localhost:8080 (127.0.0.1) was blocked: it is a loopback address."
        " The operator can allow it with HOPLINE_EGRESS_ALLOW=localhost:8080"
    )
    assert NOTHING_ALLOWED.refusal("::1", 80, "::1") == (
        "Access to [::1]:80 was blocked: it is a loopback address."
        " The operator can allow it with HOPLINE_EGRESS_ALLOW=[::1]:80"
    )


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "allowed"),
    [
        ("127.0.0.1", "any", 1, "127.0.0.1", True),
        ("127.0.0.1", "any", 1, "127.0.0.2", False),
        ("127.0.0.1:80", "any", 80, "127.0.0.1", True),
        ("127.0.0.1:80", "any", 81, "127.0.0.1", False),
        ("10.0.0.0/8", "any", 9, "10.200.0.1", True),
        ("10.0.0.0/8", "any", 9, "192.168.0.1", False),
        ("10.0.0.7/8", "any", 9, "10.200.0.1", True),
        ("localhost", "localhost", 5, "127.0.0.1", True),
        ("LocalHost", "localhost.", 5, "::1", True),
        ("localhost", "127.0.0.1", 5, "127.0.0.1", False),
        ("localhost:5", "localhost", 6, "127.0.0.1", False),
        ("host", "evil-host", 5, "127.0.0.1", False),
        ("::1", "any", 5, "::1", True),
        ("[::1]", "any", 5, "::1", True),
        ("[::1]:5", "any", 5, "::1", True),
        ("[::1]:5", "any", 6, "::1", False),
        ("fd00::/8", "any", 5, "fd12::1", True),
    ],
)
def test_the_allow_list(entry: str, host: str, port: int, address: str, allowed: bool) -> None:
    assert (EgressPolicy([entry]).refusal(host, port, address) is None) is allowed


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.0/99", "host:", "host:http", "[::1", "[::1]80", "[::1]:", "http://host"]
)
def test_a_malformed_entry_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(ValueError, match="HOPLINE_EGRESS_ALLOW"):
        EgressPolicy([entry])
