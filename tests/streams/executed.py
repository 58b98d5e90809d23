"""What the executor stage makes of a task, whether or not it takes time."""

from streams.execute import Executor
from streams.shell.stage import Record
from transport.producer import Send


async def executed(executor: Executor, record: Record) -> list[Send]:
    """As the shell does it."""
    found = executor.execute(record)
    return found if isinstance(found, list) else await found
