"""Why a broker has ended, from what it logged."""

import re
from pathlib import Path

from cli.errors import BrokerProblem
from cli.kafka import preflight

_EXCEPTION = re.compile(r"^(?:Caused by: |Exception in thread \S+ )?[\w.$]+(?:Exception|Error)\b.*")
_SEVERE = re.compile(r"\b(?:ERROR|FATAL)\b|^Error")
_BIND_FAILED = re.compile(r"failed to bind to \S+?:(\d+): Address already in use")


class PickedPortTaken(BrokerProblem):
    """A port that was free when it was picked is taken now: pick another."""


def cause_of_death(lines: list[str], home: Path, port: int) -> BrokerProblem:
    """What the operator can do, as far as the log shows; `port` is the one that the user chose, or 0."""
    text = "\n".join(lines)
    if "No space left on device" in text:
        return preflight.disk_full(home)
    if "Failed to acquire lock on file" in text:
        return preflight.data_in_use(home)
    if bind_failed := _BIND_FAILED.search(text):
        if int(bind_failed[1]) == port:
            return preflight.port_taken(port)
        return PickedPortTaken("the ports picked for Kafka were taken meanwhile: start again")
    return BrokerProblem(f"Kafka has stopped ({telling_line(lines)}): its log is {home / 'kafka.log'}")


def telling_line(lines: list[str]) -> str:
    """The line that names the cause: the first exception, else the last error, else the last line."""
    exceptions = [line for line in lines if _EXCEPTION.match(line)]
    if exceptions:
        return exceptions[0].strip()
    severe = [line for line in lines if _SEVERE.search(line)]
    written = [line for line in lines if line.strip()]
    return (severe or written or ["it logged nothing"])[-1].strip()
