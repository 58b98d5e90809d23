"""What a script gets, what comes back, and how a failure reads."""

import asyncio
import math
from textwrap import dedent

import pytest

from streams.executors.sandbox.scripts import Ran, Sandbox
from streams.executors.settings import SandboxSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORGE = """
import contextlib, os
def write(data):
    for fd in range(3, 60):
        with contextlib.suppress(OSError):
            os.write(fd, data)
def main():
"""


async def run(sandbox: Sandbox, code: str, **inputs: object) -> Ran:
    return await sandbox.run(dedent(code), inputs)


async def test_arguments_and_result_pass_through(shared_sandbox: Sandbox) -> None:
    value = {
        "text": "ä\u2028\x00 \U0001f600",
        "numbers": [1, 2.5, -3, True, None],
        "nested": {"a": [{"b": {}}]},
    }
    ran = await run(shared_sandbox, "def main(value): return {'value': value}", value=value)
    assert ran.error is None
    assert ran.result == {"value": value}


async def test_what_dify_imports_behind_a_script_is_there(shared_sandbox: Sandbox) -> None:
    ran = await run(shared_sandbox, "def main(): return json.loads(b64decode('eyJhIjogMX0='))")
    assert ran.result == {"a": 1}


async def test_large_values_pass_through(shared_sandbox: Sandbox) -> None:
    text = "ü" * 1_000_000
    ran = await run(shared_sandbox, "def main(text): return {'text': text}", text=text)
    assert ran.result == {"text": text}


async def test_common_and_rare_modules_can_be_imported(shared_sandbox: Sandbox) -> None:
    code = """
        import sqlite3, zoneinfo, email.message, asyncio, threading, tempfile, ssl
        from dataclasses import dataclass
        from datetime import datetime

        @dataclass
        class Point:
            x: int

        def main() -> dict:
            seen = []
            thread = threading.Thread(target=seen.append, args=(1,))
            thread.start(); thread.join()
            async def later(): await asyncio.sleep(0.001); return 7
            with tempfile.NamedTemporaryFile("w+") as file:
                file.write("here"); file.seek(0)
                text = file.read()
            rows = sqlite3.connect(":memory:").execute("select 1 + 1").fetchone()
            zone = str(datetime(2025, 7, 1, tzinfo=zoneinfo.ZoneInfo("UTC")).utcoffset())
            return {"point": Point(1).x, "thread": seen, "async": asyncio.run(later()), "text": text,
                    "sql": rows[0], "zone": zone, "name": __name__}
    """
    ran = await run(shared_sandbox, code)
    expected = {"point": 1, "thread": [1], "async": 7, "text": "here", "sql": 2, "zone": "0:00:00"}
    assert ran.error is None, ran.traceback
    assert ran.result == {**expected, "name": "__main__"}


async def test_random_numbers_differ_between_processes(shared_sandbox: Sandbox) -> None:
    code = "import random, uuid\ndef main(): return {'n': random.random(), 'u': str(uuid.uuid4())}"
    runs = [await run(shared_sandbox, code) for _ in range(4)]
    assert len({ran.result["n"] for ran in runs}) == 4
    assert len({ran.result["u"] for ran in runs}) == 4


async def test_nothing_is_left_for_the_next_script(shared_sandbox: Sandbox) -> None:
    leave = "import json\njson.mark = 1\ndef main():\n open('left', 'w').write('x')\n return {}"
    look = "import json, os\ndef main(): return {'mark': hasattr(json, 'mark'), 'files': os.listdir('.')}"
    for _ in range(3):
        assert (await run(shared_sandbox, leave)).error is None
        assert (await run(shared_sandbox, look)).result == {"mark": False, "files": []}


async def test_prints_are_kept_and_cut(shared_sandbox: Sandbox, settings: SandboxSettings) -> None:
    ran = await run(
        shared_sandbox, "import sys\ndef main():\n print('one')\n print('two', file=sys.stderr)\n return {}"
    )
    assert ran.printed == "one\ntwo\n"
    ran = await run(shared_sandbox, "def main():\n print('x' * 10_000_000)\n return {'ok': 1}")
    assert ran.result == {"ok": 1}
    assert ran.printed == "x" * settings.stdout_bytes


async def test_prints_of_a_stopped_script_are_kept(settings: SandboxSettings) -> None:
    async with Sandbox(settings.model_copy(update={"timeout_s": 0.5})) as sandbox:
        ran = await run(sandbox, "def main():\n print('before')\n while True: pass")
    assert ran.printed == "before\n"
    assert ran.error == "the code ran longer than 0.5 s and was stopped"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("def main():\n  x = 1\n  return 1 / 0", "ZeroDivisionError: division by zero (line 3)"),
        ("def inner():\n  raise KeyError('k')\ndef main():\n  return inner()", "KeyError: 'k' (line 2)"),
        ("import json\ndef main():\n  return json.loads('{')", "(line 3)"),
        ("def main(:\n  pass", "SyntaxError: invalid syntax (line 1)"),
        ("x = undefined", "NameError: name 'undefined' is not defined (line 1)"),
        ("def other(): pass", "TypeError: the code defines no function main"),
        ("def main(a): return {}", "TypeError: main() missing 1 required positional argument: 'a'"),
        ("def main(): return [1]", "TypeError: main must return a dict, got list"),
        ("def main(): return {'x': {1, 2}}", "TypeError: Object of type set is not JSON serializable"),
        ("def main(): return {'x': float('nan')}", "ValueError: Out of range float values"),
        ("def main(): return {'x': 10 ** 400}", "OverflowError: the result has an integer that is larger"),
        ("def main(): return {'x': 10 ** 5000}", "ValueError: Exceeds the limit (4300 digits)"),
        ("def main(): return {'x': '\\ud800'}", "UnicodeEncodeError"),
        ("import sys\ndef main():\n  sys.exit(3)", "SystemExit: 3 (line 3)"),
        ("def main(): raise KeyboardInterrupt", "KeyboardInterrupt (line 1)"),
        (
            "import requests\ndef main(): return {}",
            "ModuleNotFoundError: No module named 'requests'; the operator adds packages to code nodes"
            " with HOPLINE_SANDBOX_PACKAGES (line 1)",
        ),
        ("def main():\n import json.nothing", "ModuleNotFoundError: No module named 'json.nothing'"),
        (
            "import socket\ndef main(): socket.socket()",
            "PermissionError: [Errno 1] Operation not permitted; the network is off for this code node",
        ),
        ("def main(): return main()", "RecursionError: maximum recursion depth exceeded"),
    ],
)
async def test_a_failure_reads_as_its_last_line(shared_sandbox: Sandbox, code: str, error: str) -> None:
    ran = await run(shared_sandbox, code)
    assert ran.error is not None
    assert error in ran.error
    assert ran.result is None


async def test_the_traceback_shows_the_script_and_nothing_of_ours(shared_sandbox: Sandbox) -> None:
    ran = await run(
        shared_sandbox, "def inner():\n    raise ValueError('no')\n\ndef main():\n    return inner()\n"
    )
    assert ran.traceback is not None
    assert "line 5, in main\n    return inner()" in ran.traceback
    assert "runner" not in ran.traceback


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import os\ndef main(): os._exit(3)", "ended without a result (exit code 3)"),
        ("import os\ndef main():\n os.closerange(3, 60)\n return {}", "exit code"),
        (FORGE + " write(b'\\xff' * 8)\n return {}", "wrote to the connection"),
        (FORGE + " write(b'\\0\\0\\0\\2[]')\n return {}", "wrote to the connection"),
        (FORGE + " write(b'\\0\\1\\0\\0' + b'[' * 65536)\n return {}", "wrote to the connection"),
        ("import ctypes\ndef main(): ctypes.string_at(0)", "killed by signal 11"),
    ],
)
async def test_a_broken_process_is_explained(shared_sandbox: Sandbox, code: str, error: str) -> None:
    ran = await run(shared_sandbox, code)
    assert ran.error is not None
    assert error in ran.error
    assert (await run(shared_sandbox, "def main(): return {'fine': 1}")).result == {"fine": 1}


async def test_a_result_over_the_limit_is_refused(settings: SandboxSettings) -> None:
    limited = settings.model_copy(update={"output_bytes": 2048})
    async with Sandbox(limited) as sandbox:
        ran = await run(sandbox, "def main(): return {'x': 'y' * 4096}")
        assert "4117 bytes of JSON, the limit is 2048" in str(ran.error)


async def test_many_at_once_share_the_pool(shared_sandbox: Sandbox) -> None:
    code = "def main(n): return {'n': n * n}"
    runs = await asyncio.gather(*[run(shared_sandbox, code, n=n) for n in range(40)])
    assert [ran.result["n"] for ran in runs] == [n * n for n in range(40)]


async def test_a_cancelled_run_frees_its_process(shared_sandbox: Sandbox, settings: SandboxSettings) -> None:
    sleepers = [
        asyncio.create_task(run(shared_sandbox, "import time\ndef main(): time.sleep(60)")) for _ in range(2)
    ]
    await asyncio.sleep(0.1)
    for sleeper in sleepers:
        sleeper.cancel()
    await asyncio.gather(*sleepers, return_exceptions=True)
    ran = await asyncio.wait_for(run(shared_sandbox, "def main(): return {'pi': 3}"), 5)
    assert ran.result == {"pi": math.floor(math.pi)}
