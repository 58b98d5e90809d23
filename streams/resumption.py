"""The command of a message, with what it refers to. See docs/adr/0020."""

import orjson

from schemas.codec import Record
from streams.engine.commands import Command, Start, command_of
from streams.fetching import Fetcher
from streams.offload import Owner


def told(record: Record, fetcher: Fetcher) -> Command:
    """Of a decoded RunCommand. The start of a run that resumes another one gets what is kept of that.

    Raises `NotYet` while that is under way, `ObjectMissing` where it is gone, and as `command_of` does.
    """
    command = command_of(record)
    if not isinstance(command, Start) or command.resumption is None:
        return command
    owner = Owner(command.tenant_id, command.resumption["workflow_run_id"])
    return command._replace(kept=orjson.loads(fetcher.document(owner, command.resumption["kept"])))
