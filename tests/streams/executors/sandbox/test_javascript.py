"""Scripts in JavaScript: what they get, what comes back, how a failure reads, and what stops them."""

import asyncio
from textwrap import dedent

import pytest

from streams.executors.sandbox.scripts import Ran, Sandbox
from streams.executors.settings import SandboxSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def run(sandbox: Sandbox, code: str, **inputs: object) -> Ran:
    return await sandbox.run(dedent(code), inputs, "javascript")


async def test_arguments_and_result_pass_through(shared_sandbox: Sandbox) -> None:
    value = {
        "text": "ä\u2028\x00 \U0001f600",
        "numbers": [1, 2.5, -3, True, None, 9007199254740991],
        "nested": {"a": [{"b": {}}]},
    }
    ran = await run(shared_sandbox, "function main({value}) { return {value} }", value=value)
    assert ran.error is None
    assert ran.result == {"value": value}


async def test_large_values_pass_through(shared_sandbox: Sandbox) -> None:
    text = "ü" * 1_000_000
    ran = await run(shared_sandbox, "const main = ({text}) => ({text: text + ''})", text=text)
    assert ran.result == {"text": text}


async def test_a_promise_is_awaited_with_its_timers(shared_sandbox: Sandbox) -> None:
    code = """
        const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
        async function main({names}) {
            const order = []
            let ticks = 0
            const ticker = setInterval(() => ticks++, 1)
            await Promise.all(names.map(async (name, i) => { await sleep(9 - 3 * i); order.push(name) }))
            clearInterval(ticker)
            return {order, ticks}
        }
    """
    ran = await run(shared_sandbox, code, names=["slow", "middle", "fast"])
    assert ran.result == {"order": ["fast", "middle", "slow"], "ticks": 9}


async def test_the_console_prints(shared_sandbox: Sandbox, settings: SandboxSettings) -> None:
    code = """
        function main() {
            console.log('%s has %d', 'list', 2, [1, {a: 'b'}], undefined, null, 3n)
            console.error(new Map([['k', 1]]), new Set([1]), () => 1)
            console.log({big: 1n}, 'a\\u0000b\\ud800')
            return {}
        }
    """
    ran = await run(shared_sandbox, code)
    expected = 'list has 2 [1,{"a":"b"}] undefined null 3\nMap {"k":1} Set [1] [Function: (anonymous)]\n'
    assert ran.printed == expected + '{"big":"1n"} a\x00b\\ud800\n'
    ran = await run(shared_sandbox, "function main() { console.log('x'.repeat(1e7)); return {ok: 1} }")
    assert ran.result == {"ok": 1}
    assert ran.printed == "x" * settings.stdout_bytes


async def test_bytes_and_encodings_are_those_of_node(shared_sandbox: Sandbox) -> None:
    code = """
        function main() {
            return {
                utf8: Buffer.from('hi ü😀').toString('base64'),
                text: Buffer.from('aGkgw7zwn5iA', 'base64').toString(),
                url: Buffer.from([251, 255, 0]).toString('base64url'),
                hex: Buffer.concat([Buffer.from('0aff', 'hex'), Buffer.alloc(1)]).toString('hex'),
                broken: new TextDecoder().decode(new Uint8Array([0x61, 0xc3, 0xe2, 0x82, 0xff, 0x62])),
                alone: Array.from(new TextEncoder().encode('\\ud800')),
                length: Buffer.byteLength('ü'),
            }
        }
    """
    assert (await run(shared_sandbox, code)).result == {
        "utf8": "aGkgw7zwn5iA",
        "text": "hi ü😀",
        "url": "-_8A",
        "hex": "0aff00",
        "broken": "a\ufffd\ufffd\ufffd\ufffdb",
        "alone": [0xEF, 0xBF, 0xBD],
        "length": 2,
    }


async def test_hashes_are_those_of_node(shared_sandbox: Sandbox) -> None:
    code = """
        const crypto = require('crypto')
        function main() {
            return {
                md5: crypto.createHash('md5').update('a').update('bc').digest('hex'),
                hmac: crypto.createHmac('sha256', 'key').update('ü').digest('base64'),
                id: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]/.test(crypto.randomUUID()),
                unlike: crypto.randomUUID() !== crypto.randomUUID() && Math.random() !== Math.random(),
            }
        }
    """
    assert (await run(shared_sandbox, code)).result == {
        "md5": "900150983cd24fb0d6963f7d28e17f72",
        "hmac": "QH7ThktEm0Il2PdAaON32YiavCtcfQUZZUxXymDBG3E=",
        "id": True,
        "unlike": True,
    }


async def test_random_numbers_differ_between_processes(shared_sandbox: Sandbox) -> None:
    runs = [await run(shared_sandbox, "const main = () => ({n: Math.random()})") for _ in range(4)]
    assert len({ran.result["n"] for ran in runs}) == 4


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (
            "function main(a) {\n  return a.b.c\n}",
            "TypeError: cannot read property 'c' of undefined (line 2)",
        ),
        ("async function main() {\n  await 1\n  throw new RangeError('no')\n}", "RangeError: no (line 3)"),
        ("function main() {\n  var x = ;\n}", "SyntaxError: unexpected token in expression: ';' (line 2)"),
        ("const x = 1\nundefinedThing()", "ReferenceError: undefinedThing is not defined (line 2)"),
        ("function other() {}", "TypeError: the code defines no function main"),
        ("function main() { return [1] }", "TypeError: main must return an object, got array"),
        ("function main() {}", "TypeError: main must return an object, got undefined"),
        ("function main() { return {a: 10n} }", "TypeError: BigInt"),
        ("function main() { const a = {}; a.a = a; return a }", "TypeError: circular reference"),
        ("function main() { throw {code: 7} }", 'Uncaught {"code":7}'),
        ("throw 'early'", "Uncaught early"),
        ("function main() { return main() }", "RangeError: Maximum call stack size exceeded"),
        ("function main() {\n  return require('fs')\n}", "Error: Cannot find module 'fs'"),
        ("function main() { return import('fs') }", "ReferenceError: could not load module 'fs'"),
        ("function main() {\n  return Buffer.from('', 'x')\n}", "TypeError: Unknown encoding: x (line 2)"),
        ("const main = () => new Promise(() => {})", "the promise that main returned is never settled"),
        (
            "const main = () => new Promise(() => {\n setTimeout(() => { throw new Error('late') }, 1) })",
            "Error: late (line 2)",
        ),
    ],
)
async def test_a_failure_reads_as_one_line(shared_sandbox: Sandbox, code: str, error: str) -> None:
    ran = await run(shared_sandbox, code)
    assert ran.error is not None
    assert error in ran.error
    assert ran.result is None


async def test_the_stack_shows_the_script_and_nothing_of_ours(shared_sandbox: Sandbox) -> None:
    ran = await run(
        shared_sandbox, "const f = () => { throw new Error('no') }\nfunction main() { return f() }"
    )
    assert ran.traceback == "Error: no\n    at f (<input>:1:29)\n    at main (<input>:2:26)"


async def test_a_script_that_spoils_its_language_harms_itself_alone(shared_sandbox: Sandbox) -> None:
    code = "JSON.stringify = () => '!'; Promise = Error = 5; function main() { return {a: 1} }"
    assert (await run(shared_sandbox, code)).result == {"a": 1}
    assert (await run(shared_sandbox, "const main = () => ({})")).result == {}


async def test_nothing_of_the_host_is_in_reach(shared_sandbox: Sandbox) -> None:
    code = """
        function main() {
            const names = Object.getOwnPropertyNames(globalThis)
            const plain = names.filter((name) => /host|print|std|os$/i.test(name))
            return {plain, env: Object.keys(process.env), os: typeof os, fetch: typeof fetch}
        }
    """
    ran = await run(shared_sandbox, code)
    assert ran.result == {"plain": [], "env": [], "os": "undefined", "fetch": "undefined"}


async def test_a_fresh_process_for_each(shared_sandbox: Sandbox) -> None:
    code = "globalThis.left = (globalThis.left ?? 0) + 1\nconst main = () => ({left})"
    assert [(await run(shared_sandbox, code)).result for _ in range(3)] == [{"left": 1}] * 3


@pytest.mark.parametrize("without", [(), ("landlock", "seccomp"), ("mount-namespace", "network-namespace")])
async def test_memory_is_bounded(settings: SandboxSettings, without: tuple[str, ...]) -> None:
    async with Sandbox(settings.model_copy(update={"without": without})) as sandbox:
        ran = await run(
            sandbox, "function main() {\n  const x = []\n  for (;;) x.push(new Uint8Array(1 << 20))\n}"
        )
        assert ran.error is not None
        assert "out of memory" in ran.error or "Array buffer allocation failed" in ran.error
        ran = await run(
            sandbox, "function main() { const x = []; for (;;) x.push('y'.repeat(99) + x.length) }"
        )
        assert ran.error is not None
        assert (await run(sandbox, "const main = () => ({alive: 1})")).result == {"alive": 1}


async def test_a_script_that_hangs_is_stopped(settings: SandboxSettings) -> None:
    async with Sandbox(settings.model_copy(update={"timeout_s": 0.4, "cpu_s": 5})) as sandbox:
        loops = [
            "console.log('before'); for (;;);",
            "const main = () => new Promise((resolve) => setTimeout(resolve, 1e6))",
            "const main = () => /^(a+)+$/.test('a'.repeat(40) + 'b')",
            "async function main() { for (;;) await 1 }",
        ]
        runs = await asyncio.gather(*[run(sandbox, code) for code in loops])
        assert {ran.error for ran in runs} == {"the code ran longer than 0.4 s and was stopped"}
        assert runs[0].printed == "before\n"
        assert (await run(sandbox, "const main = () => ({alive: 1})")).result == {"alive": 1}


async def test_cpu_time_is_bounded_too(settings: SandboxSettings) -> None:
    async with Sandbox(settings.model_copy(update={"cpu_s": 1})) as sandbox:
        ran = await run(sandbox, "function main() { for (;;); }")
    assert ran.error == "the code used more than 1 s of CPU and was stopped"
