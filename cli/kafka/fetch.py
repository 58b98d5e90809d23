"""`python -m cli.kafka.fetch DIRECTORY REPOSITORY`: downloads the locked jars through jgo, blocking.

Writes one JSON object a line: `{"progress": text}` as it goes, `{"problem": text}` before it exits with 1.
"""

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import requests
from jgo.config import GlobalSettings
from jgo.maven import MavenContext, PythonResolver

from cli.kafka.jars import VERSION, Jar, locked_jars, sha256_of
from cli.kafka.maven import repositories

_PARALLEL = 6
_ATTEMPTS = 2
_TIMEOUT_S = 10


class Progress:
    """Counts bytes over all download threads and reports at most once a second."""

    def __init__(self, total_bytes: int, report: Callable[[str], None]) -> None:
        self._total = total_bytes
        self._report = report
        self._done = 0
        self._reported_at = float("-inf")
        self._lock = threading.Lock()

    @contextmanager
    def of_file(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        """jgo's progress callback."""
        yield self.add

    def add(self, count: int) -> None:
        """`count` more bytes are here."""
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now - self._reported_at < 1 and self._done < self._total:
                return
            self._reported_at = now
            megabytes = f"{self._done / 1e6:.0f} of {self._total / 1e6:.0f} MB"
            self._report(f"Downloading Apache Kafka {VERSION}: {megabytes}")


def fetch_all(
    jars: Sequence[Jar],
    directory: Path,
    *,
    remote: dict[str, str],
    local: Path,
    report: Callable[[str], None],
) -> None:
    """Puts each jar that is missing into the directory, under its name only once it is whole.

    `local` is a Maven repository to copy from instead, where it has the very file. Raises `OSError` when the
    directory can't be written, `requests.RequestException` and `RuntimeError` when a jar can't be had.
    """
    directory.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in jars if not jar.is_in(directory)]
    progress = Progress(sum(jar.size for jar in missing), report)
    # Beside the target, for the rename to be one. What a killed download left goes when the next one is done.
    with TemporaryDirectory(prefix="partial-", dir=directory) as staging:
        context = MavenContext(
            resolver=PythonResolver(progress_callback=progress.of_file),
            repo_cache=Path(staging),
            local_repos=[],
            remote_repos=remote,
            timeout=_TIMEOUT_S,
        )
        with ThreadPoolExecutor(_PARALLEL) as pool:
            futures = [pool.submit(_fetch_one, jar, directory, context, local) for jar in missing]
            try:
                for future in futures:
                    future.result()
            finally:
                pool.shutdown(cancel_futures=True)
    for left_over in directory.glob("partial-*"):
        shutil.rmtree(left_over, ignore_errors=True)


def _fetch_one(jar: Jar, directory: Path, context: MavenContext, local: Path) -> None:
    artifact = context.create_dependency(jar.coordinate).artifact
    assert artifact.cached_path is not None
    staged: Path = artifact.cached_path
    staged.parent.mkdir(parents=True, exist_ok=True)
    present = local / staged.relative_to(context.repo_cache)
    if present.is_file() and sha256_of(present) == jar.sha256:
        shutil.copyfile(present, staged)
    else:
        _download(jar, staged, artifact.resolve)
    with staged.open("rb") as whole:
        # Its size is all that a later start looks at; a power cut can leave that without the content.
        os.fsync(whole.fileno())
    staged.replace(directory / jar.file_name)


def _download(jar: Jar, staged: Path, resolve: Callable[[], object]) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            resolve()
            if sha256_of(staged) == jar.sha256:
                return
            raise RuntimeError("wrong digest")
        except (requests.RequestException, RuntimeError) as error:
            # jgo takes whatever is there for the whole file.
            staged.unlink(missing_ok=True)
            if attempt == _ATTEMPTS:
                if isinstance(error, requests.RequestException):
                    raise
                # jgo's own words print the URLs, and with them any password in one.
                raise RuntimeError(f"no {jar.coordinate} there that is the locked one") from error
            time.sleep(0.5)


def _innermost(error: BaseException) -> str:
    """What the operating system said, below the layers of the HTTP client."""
    reason = str(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            reason = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return reason


def _problem(error: Exception, directory: Path, remote: dict[str, str]) -> str:
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return (
            f"cannot store Kafka's jars in {directory} ({error.strerror}): "
            "make room there, or set HOPLINE_CACHE_DIR to a directory that has 50 MB"
        )
    hosts = ", ".join(urlsplit(url).hostname or url for url in remote.values())
    return (
        f"cannot download Apache Kafka {VERSION} from {hosts} ({_innermost(error)}): "
        "check network and proxy, or set HOPLINE_KAFKA to the bootstrap servers of a broker that exists"
    )


def _say(kind: str, text: str) -> None:
    print(json.dumps({kind: text}), flush=True)


def _main(directory: Path, repository: str) -> int:
    remote = repositories(repository or None, Path.home() / ".m2" / "settings.xml")
    local = Path(GlobalSettings.load().repo_cache)
    try:
        report = partial(_say, "progress")
        fetch_all(locked_jars(), directory, remote=remote, local=local, report=report)
    except (OSError, RuntimeError) as error:
        _say("problem", _problem(error, directory, remote))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), sys.argv[2]))
