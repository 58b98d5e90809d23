"""The sandboxes of a worker: one without a network and, where the operator allows it, one with."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from streams.executors.sandbox.capabilities import Capabilities
from streams.executors.sandbox.outfit import Outfit
from streams.executors.sandbox.packages import ensure_installed
from streams.executors.sandbox.proxy import EgressProxy
from streams.executors.sandbox.scripts import Language, Ran, Sandbox
from streams.executors.settings import SandboxSettings
from transport.egress import EgressPolicy

_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


class Sandboxes:
    """Valid inside the `open_sandboxes` block that made it."""

    def __init__(self, closed: Sandbox, connected: Sandbox | None, proxy: EgressProxy) -> None:
        self._closed = closed
        self._connected = connected
        self._proxy = proxy

    def capabilities(self) -> Capabilities:
        """What isolates scripts on this machine."""
        return self._closed.capabilities()

    async def run(
        self, code: str, inputs: Mapping[str, Any], language: Language, *, network: bool = False
    ) -> Ran:
        """As `Sandbox.run`; `network` lets a script in Python out, if the operator allows it at all."""
        if not network or self._connected is None or language != "python3":
            return await self._closed.run(code, inputs, language)
        with self._proxy.granted() as environment:
            return await self._connected.run(code, inputs, language, environment)


@asynccontextmanager
async def open_sandboxes(settings: SandboxSettings, policy: EgressPolicy) -> AsyncIterator[Sandboxes]:
    """Installs the packages if they are not there, and starts what the settings ask for.

    Raises `SandboxError` when that cannot be had here: the text says what and why.
    """
    packages = await asyncio.to_thread(ensure_installed, settings.packages, settings.data_dir)
    proxy = EgressProxy(policy)
    async with AsyncExitStack() as stack:
        closed = await stack.enter_async_context(Sandbox(settings, Outfit(packages)))
        connected = None
        if settings.network:
            stack.push_async_callback(proxy.close)
            outfit = Outfit(packages, proxy.listen, _certificates())
            connected = await stack.enter_async_context(Sandbox(settings, outfit))
        yield Sandboxes(closed, connected, proxy)


def _certificates() -> str:
    """The authorities that this machine trusts, in one file; empty where there is none."""
    known = (ssl.get_default_verify_paths().cafile, *_BUNDLES)
    return next((str(Path(file).resolve()) for file in known if file and Path(file).is_file()), "")
