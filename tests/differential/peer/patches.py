"""What is changed of graphon while it is compared with: nothing that a workflow could tell."""

import functools
import threading
from collections.abc import Callable
from typing import Any

from graphon.dsl import importer
from graphon.engine.ready_queue import InMemoryReadyQueue
from graphon.runtime.variable_pool import VariablePool
from httpx._transports import default

_MAX_WAIT_S = 0.001


def apply() -> None:
    """Before the first run."""
    # This importer, which is not Dify's, shortens "langgenius/openai/openai".
    importer._canonical_vendor = lambda provider: provider
    _lock_the_pool()
    _stop_sooner()
    # Each request has a client of its own, and each client reads all certificates.
    default.create_ssl_context = functools.cache(default.create_ssl_context)


def _lock_the_pool() -> None:
    """One thread copies the pool while another writes to it: once in some thousand runs that fails."""
    lock = threading.RLock()

    def locked(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **more: Any) -> Any:
            with lock:
                return method(*args, **more)

        return call

    for name in ("add", "remove", "model_copy"):
        setattr(VariablePool, name, locked(getattr(VariablePool, name)))


def _stop_sooner() -> None:
    """A worker looks for its end between two waits for work, which is most of the time of a short run."""
    get = InMemoryReadyQueue.get
    InMemoryReadyQueue.get = lambda self, timeout=None: get(  # type: ignore[method-assign]
        self, timeout=None if timeout is None else min(timeout, _MAX_WAIT_S)
    )
