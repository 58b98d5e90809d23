"""Child processes that can't outlive the process that started them, even when it is killed with SIGKILL.

Linux: the kernel sends the child SIGKILL (`prctl(PR_SET_PDEATHSIG)`, prctl(2)). It does so when the *thread*
that forked ends, so start tethered children from a thread that lasts: the one of the main event loop.
Elsewhere: a small process between the two watches for the parent.

A launcher asks for this, between fork and exec, rather than a `preexec_fn`: Python code in a forked copy of a
process with threads (librdkafka, chdb) can deadlock.
"""

import os
import sys
from collections.abc import Sequence

# Asking comes first: a parent that died in between has left a child whose parent is another already.
# SIGPIPE: Python ignores it, and a signal that is ignored stays so across exec.
_KERNEL = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
if os.getppid() != int(sys.argv[1]): os._exit(1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
try: os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error: sys.exit(f"{sys.argv[2]}: {error}")
"""

_WATCHER = """
import os, signal, subprocess, sys
asked = []
for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, lambda *_: asked.append(1))
child = subprocess.Popen(sys.argv[2:])
while child.poll() is None:
    if os.getppid() != int(sys.argv[1]): child.kill()
    while asked: child.terminate(); asked.pop()
    try: child.wait(0.2)
    except subprocess.TimeoutExpired: pass
sys.exit(child.returncode if child.returncode >= 0 else 128 - child.returncode)
"""


def tethered(argv: Sequence[str], *, platform: str = sys.platform) -> list[str]:
    """The command line that runs `argv` as a child bound to this process.

    On Linux the child is `argv` itself, under the pid that was started. Elsewhere the pid is the watcher's:
    it forwards SIGTERM and SIGINT, and to kill both, start it in its own session and kill the group.
    """
    launcher = _KERNEL if platform == "linux" else _WATCHER
    return [sys.executable, "-I", "-S", "-c", launcher, str(os.getpid()), *argv]
