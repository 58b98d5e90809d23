"""Scripts that try to get out or to harm, against the whole sandbox and against what is left of it
where a machine lacks some of its layers."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent
from unittest.mock import ANY

import pytest
import pytest_asyncio

from streams.executors.sandbox.outfit import Outfit
from streams.executors.sandbox.proxy import EgressProxy
from streams.executors.sandbox.scripts import Ran, Sandbox
from streams.executors.settings import SandboxSettings
from tests.streams.executors.sandbox.family import descendants
from transport.egress import EgressPolicy

NAMESPACES = ("network-namespace", "pid-namespace", "mount-namespace")
COMBINATIONS = {
    "everything": (),
    "no mount namespace": ("mount-namespace",),
    "unprivileged container": NAMESPACES,
    "namespaces alone": ("landlock", "seccomp"),
    "landlock alone": (*NAMESPACES, "seccomp"),
    "no seccomp": ("seccomp",),
    "no landlock": ("landlock",),
}
WITH_NETWORK = "everything, and a network"

SETTINGS = SandboxSettings(pool_size=2, timeout_s=10, cpu_s=5, memory_mb=128, temp_mb=1)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[*COMBINATIONS, WITH_NETWORK])
async def jail(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """One for all tests of a combination, so each also shows that the one before has left it sound."""
    without = COMBINATIONS.get(request.param, ())
    proxy = EgressProxy(EgressPolicy(()))
    outfit = Outfit(on_listener=proxy.listen if request.param == WITH_NETWORK else None)
    async with Sandbox(SETTINGS.model_copy(update={"without": without}), outfit) as sandbox:
        assert set(without) <= set(sandbox.capabilities().missing)
        yield sandbox
    await proxy.close()


async def attempt(sandbox: Sandbox, code: str, **inputs: object) -> Ran:
    """Runs a script that wants something forbidden; it reports what it got as its result."""
    ran = await sandbox.run(dedent(code), inputs)
    assert (await sandbox.run("def main(): return {'alive': 1}", {})).result == {"alive": 1}
    return ran


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """One that file permissions alone would not protect."""
    (tmp_path / "secret").write_text("s3cret")
    tmp_path.chmod(0o777)
    return tmp_path


async def test_no_secret_of_the_host_can_be_read(jail: Sandbox, open_folder: Path) -> None:
    code = """
        import os
        def main(paths):
            got = {}
            for path in paths:
                try:
                    got[path] = open(path, 'rb').read(64).decode('latin-1')
                except OSError:
                    pass
            return {'got': got, 'environ': dict(os.environ)}
    """
    paths = [
        "/etc/passwd",
        "/etc/hostname",
        str(open_folder / "secret"),
        f"/proc/{os.getpid()}/environ",
        f"/proc/{os.getppid()}/environ",
        f"/proc/{os.getpid()}/cmdline",
        str(Path(__file__)),
    ]
    ran = await attempt(jail, code, paths=paths)
    assert ran.error is None
    assert ran.result == {"got": {}, "environ": {}}


async def test_submodules_of_what_is_preloaded_can_be_imported(jail: Sandbox) -> None:
    ran = await attempt(jail, "import urllib.request, html.entities, sqlite3\ndef main(): return {}")
    assert ran.error is None


async def test_nothing_can_be_written_outside(jail: Sandbox, open_folder: Path) -> None:
    code = """
        import os, sys
        def main(folder):
            done = []
            for folder in [folder, '/etc', '/usr/lib', '/dev/shm', sys.prefix, '', '/var/tmp']:
                path = folder + '/x'
                try:
                    open(path, 'w').close()
                    done.append(path)
                except OSError:
                    pass
            open('mine', 'w').write('ok')
            return {'done': done, 'mine': open('mine').read()}
    """
    ran = await attempt(jail, code, folder=str(open_folder))
    assert ran.result == {"done": [], "mine": "ok"}
    assert os.listdir(open_folder) == ["secret"]


async def test_no_socket_reaches_the_host(jail: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind("\0hopline-isolation-test")
        local.listen()
        code = """
            import socket
            def main(port):
                reached = []
                targets = [(socket.AF_INET, ('127.0.0.1', port)), (socket.AF_INET, ('192.0.2.1', 80)),
                           (socket.AF_UNIX, '\\0hopline-isolation-test')]
                for family, address in targets:
                    try:
                        with socket.socket(family) as s:
                            s.settimeout(0.1)
                            s.connect(address)
                        reached.append(str(address))
                    except OSError as error:
                        pass
                return {'reached': reached}
        """
        ran = await attempt(jail, code, port=server.getsockname()[1])
    assert ran.result == {"reached": []}


async def test_neither_parent_nor_worker_can_be_killed(jail: Sandbox) -> None:
    code = """
        import os, signal
        def main(worker):
            sent = []
            for pid in (os.getppid(), worker, -1):
                try:
                    if pid not in (0, os.getpid()):
                        os.kill(pid, 0 if pid == -1 else signal.SIGKILL)
                        sent.append(pid)
                except OSError:
                    pass
            return {'sent': [pid for pid in sent if pid != -1]}
    """
    ran = await attempt(jail, code, worker=os.getpid())
    assert ran.error is None
    assert ran.result == {"sent": []}


async def test_memory_is_bounded(jail: Sandbox) -> None:
    ran = await attempt(jail, "def main():\n x = 'x' * (1 << 40)\n return {}")
    assert ran.error == "MemoryError (line 2)"
    ran = await attempt(jail, "def main():\n x = []\n while True: x.append(bytearray(1 << 20))")
    assert ran.error == "MemoryError (line 3)"


async def test_the_disk_is_bounded(jail: Sandbox) -> None:
    code = "def main():\n file = open('big', 'wb')\n while True: file.write(bytes(1 << 20))"
    ran = await attempt(jail, code)
    assert ran.error is not None
    assert "OSError" in ran.error


async def test_a_fork_bomb_goes_out(jail: Sandbox) -> None:
    code = """
        import os, time
        def main():
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                try:
                    os.fork()
                except OSError:
                    time.sleep(0.01)
            return {}
    """
    ran = await attempt(jail, code)
    assert ran.result == {}
    assert await only_ours_remain()


async def test_no_program_can_be_started(jail: Sandbox) -> None:
    ran = await attempt(jail, "import os\ndef main():\n os.execv('/bin/sh', ['sh', '-c', 'echo out'])")
    assert ran.error is not None
    assert "out" not in ran.printed


async def test_a_child_left_behind_is_killed(jail: Sandbox) -> None:
    code = """
        import os, time
        def main():
            try:
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        time.sleep(300)
                    os._exit(0)
                time.sleep(0.1)
            except OSError as error:
                return {'forked': False}
            return {'forked': True}
    """
    ran = await attempt(jail, code)
    assert ran.result in ({"forked": False}, {"forked": True})
    assert await only_ours_remain()


async def test_a_thread_left_behind_ends_with_the_script(jail: Sandbox) -> None:
    code = "threading.Thread(target=time.sleep, args=(60,)).start()\n return {}"
    ran = await attempt(jail, "import threading, time\ndef main():\n " + code)
    assert ran.result == {}


async def test_the_threads_of_one_script_leave_the_others_theirs(jail: Sandbox) -> None:
    """All run as one user, whose threads the kernel counts; 40 and 40 are more than one may have."""
    code = """
        import threading, time
        def main(hold_s):
            threading.stack_size(65536)
            for _ in range(40):
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            time.sleep(hold_s)
            return {}
    """
    holding = asyncio.create_task(jail.run(dedent(code), {"hold_s": 60}))
    try:
        while not any(process.num_threads() > 40 for process in descendants()):
            assert not holding.done()
            await asyncio.sleep(0.01)
        assert await jail.run(dedent(code), {"hold_s": 0}) == Ran(result={}, elapsed_s=ANY)
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


async def test_privileges_can_not_be_regained(jail: Sandbox) -> None:
    code = """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        def main():
            tries = {
                'setuid': lambda: libc.setuid(0) if os.getuid() else -1,
                'unshare': lambda: libc.unshare(0x10000000 | 0x20000),
                'mount': lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, None),
                'chroot': lambda: libc.chroot(b'.'),
                'ptrace': lambda: libc.ptrace(16, os.getppid(), 0, 0),
                'limit': lambda: libc.setrlimit(9, (ctypes.c_ulong * 2)(1 << 40, 1 << 40)),
            }
            done = [name for name, attempt in tries.items() if attempt() == 0]
            return {'done': done}
    """
    ran = await attempt(jail, code)
    assert ran.error is None
    done = set(ran.result["done"])
    if "seccomp" not in jail.capabilities().active:
        # A new user namespace gives powers over nothing but itself; limits, mounts and PIDs stay.
        done -= {"unshare", "mount", "chroot"}
    assert done == set()


async def only_ours_remain() -> bool:
    """Whether soon nothing is below this process but the zygote (a pair of processes) and its pool."""
    for _ in range(100):
        if len(descendants()) <= 2 + SETTINGS.pool_size:
            return True
        await asyncio.sleep(0.05)
    return False
