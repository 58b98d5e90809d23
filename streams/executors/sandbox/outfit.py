"""What the scripts of a sandbox have besides the standard library."""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

# Or numerical libraries would start as many threads as there are cores, and take memory for each.
_SINGLE_THREADED = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

# The second is for requests, which otherwise trusts the authorities that it brings along.
_TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Outfit:
    """By default nothing."""

    packages: Path | None = None
    """The folder of `ensure_installed`."""
    on_listener: Callable[[socket.socket], Awaitable[None]] | None = None
    """Given, there is a network: it leads to this socket, of which each new zygote brings another."""
    certificates: str = ""
    """File of the authorities that TLS connections trust."""

    def environment(self) -> dict[str, str]:
        """The variables of every script."""
        threads = _SINGLE_THREADED if self.packages else {}
        trusted = dict.fromkeys(_TRUST, self.certificates) if self.certificates else {}
        return {**threads, **trusted}
