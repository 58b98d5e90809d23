"""Runs scripts on the pool and says in one line why one failed."""

import asyncio
import json
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import orjson

from streams.executors.sandbox.capabilities import Capabilities
from streams.executors.sandbox.errors import SandboxUnavailable
from streams.executors.sandbox.outfit import Outfit
from streams.executors.sandbox.pool import ProcessPool
from streams.executors.sandbox.process import ReplyTooLarge, SandboxedProcess
from streams.executors.settings import SandboxSettings

Language = Literal["python3", "javascript"]

_NOTHING: Mapping[str, str] = {}
_END_TIMEOUT_S = 5.0
_ATTEMPTS = 3
# A failure is reported in a frame of its own, with a traceback; it may exceed a tiny output limit.
_FAILURE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Ran:
    """One execution of a script that ended, well or not."""

    result: Any = None
    """What `main` returned."""
    error: str | None = None
    """Why it failed, in one line; None when it did not."""
    traceback: str | None = None
    printed: str = ""
    elapsed_s: float = 0.0


class ZygoteLost(Exception):
    """The zygote died under a running script, which has had no effect outside and may run again."""


class Sandbox:
    """An async context manager. Any number of `run` may be under way at once."""

    def __init__(self, settings: SandboxSettings, outfit: Outfit | None = None) -> None:
        """Without an outfit, scripts have the standard library and no network."""
        self._settings = settings
        self._pool = ProcessPool(settings, outfit or Outfit())

    async def __aenter__(self) -> Self:
        """Returns once the first process is ready. Raises `SandboxUnavailable` when none can be had."""
        try:
            await self._pool.open()
        except BaseException:
            await self._pool.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    def capabilities(self) -> Capabilities:
        """What isolates the scripts on this machine."""
        return self._pool.capabilities()

    async def run(
        self,
        code: str,
        inputs: Mapping[str, Any],
        language: Language = "python3",
        environment: Mapping[str, str] = _NOTHING,
    ) -> Ran:
        """Calls `main(**inputs)`, in JavaScript `main(inputs)`. `environment`: variables of this script.

        Raises `SandboxUnavailable`, but never for what the script does.
        """
        request = orjson.dumps(
            {"language": language, "code": code, "inputs": inputs, "environment": environment}
        )
        for _ in range(_ATTEMPTS):
            process = await self._pool.take(self._settings.wait_s)
            try:
                return await self._converse(process, request)
            except ZygoteLost:
                continue
            finally:
                self._pool.retire(process)
        raise SandboxUnavailable(f"the zygote died {_ATTEMPTS} times under this script")

    async def _converse(self, process: SandboxedProcess, request: bytes) -> Ran:
        started = time.perf_counter()
        answer = await self._answer(process, request)
        return Ran(
            result=answer.get("result"),
            error=answer.get("error"),
            traceback=answer.get("traceback"),
            printed=process.printed(self._settings.stdout_bytes),
            elapsed_s=time.perf_counter() - started,
        )

    async def _answer(self, process: SandboxedProcess, request: bytes) -> dict[str, Any]:
        limit = self._settings.output_bytes + _FAILURE_BYTES
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await process.send(request)
                return _parse(await process.receive(limit))
        except TimeoutError:
            return {"error": f"the code ran longer than {self._settings.timeout_s:g} s and was stopped"}
        except (EOFError, OSError):
            return {"error": await self._explain(process)}
        except (ReplyTooLarge, ValueError, RecursionError):
            return {"error": "the code wrote to the connection of the sandbox"}

    async def _explain(self, process: SandboxedProcess) -> str:
        """Why a process went away without a reply. Raises `ZygoteLost` when that was not its own doing."""
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                ended = await asyncio.shield(process.ended)
        except TimeoutError:
            return "the code closed the connection of the sandbox"
        if ended.zygote_lost:
            raise ZygoteLost
        # The limit counts in ticks, the usage is measured: on a busy machine the latter is well below.
        if ended.signal == signal.SIGKILL and ended.cpu_s >= self._settings.cpu_s / 2:
            return f"the code used more than {self._settings.cpu_s} s of CPU and was stopped"
        if ended.signal:
            return f"the process of the code was killed by signal {ended.signal}"
        return f"the process of the code ended without a result (exit code {ended.code})"


def _parse(frame: bytes) -> dict[str, Any]:
    """A reply may be forged by the script, to its own harm only. Raises `ValueError` if it is no reply, and
    `RecursionError` for brackets without end."""
    try:
        answer = orjson.loads(frame)
    except orjson.JSONDecodeError:
        json.loads(frame, parse_int=float)
        return {"error": "OverflowError: the result has an integer that is larger than any number in JSON"}
    if not isinstance(answer, dict) or ("result" in answer) == ("error" in answer):
        raise ValueError("not a reply")
    texts = [answer.get("error", ""), answer.get("traceback", "")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("not a reply")
    return answer
