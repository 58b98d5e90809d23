"""What can go wrong in the shell, and what is done about it.

ShellError
├── TooLarge          the record goes to the dead letters
├── TopicsUnfit       the worker does not start: the operator creates the topics
├── Revoked           the batch is dropped unacknowledged: its partitions have another owner
└── Fatal             the process exits at once without acknowledging; its restart replays
    ├── OffsetGap     records are missing between two deliveries
    ├── Stalled       rows of a changelog do not come, though the broker answers
    ├── Unconfirmed   outputs, rows or dead letters, or the objects that they refer to, were not taken in time
    ├── ForeignWriter somebody else writes to the changelog of a partition that is ours
    ├── Overdue       a revoked partition could not be let go in time
    ├── StoreDamaged  rows on the local disk can't be trusted: the restart reads them from the changelog
    ├── StoreUnusable the local disk is full, read-only or another worker's: the operator frees it
    └── TooNew        rows of a later release: the operator starts that one again
"""

import logging
import os
import sys
from typing import NoReturn

EXIT_REPLAY = 70
"""Exit code of a process that gave up its work in flight; whoever supervises it starts it again."""

log = logging.getLogger(__name__)


class ShellError(Exception):
    """Any failure that the shell itself decides about."""


class TooLarge(ShellError):
    """A decision contains a message that no topic accepts."""


class TopicsUnfit(ShellError):
    """Topics are missing, or a table and its source differ in their number of partitions."""


class Revoked(ShellError):
    """The partitions of a batch were taken away before its rows were written."""


class Fatal(ShellError):
    """Going on could skip an event, so the process must not."""


class OffsetGap(Fatal):
    """Offsets of a topic that is neither compacted nor transactional follow each other without gaps."""


class Stalled(Fatal):
    """Nothing is read any more where there is something to read; a new process begins anew."""


class Unconfirmed(Fatal):
    """Sends that were retried for the whole of their time-out."""


class ForeignWriter(Fatal):
    """The changelog positions of our own rows do not follow each other."""


class Overdue(Fatal):
    """Work in flight did not end before the group would have gone on without us."""


class StoreDamaged(Fatal):
    """A local store has lost something."""


class StoreUnusable(Fatal):
    """A local store that is whole, as far as is known, and can't be opened, written or removed."""


class TooNew(Fatal):
    """Rows in a form that this release cannot read: going on would take them for damaged ones."""


def exit_now(reason: BaseException) -> NoReturn:
    """Ends the process without running anything else: no commit, no flush, no clean-up.

    A clean shutdown would acknowledge or send what must not be; a replay of the last few records is
    always right.
    """
    log.critical("exit without acknowledging, the restart replays: %s", reason, exc_info=reason)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(EXIT_REPLAY)
