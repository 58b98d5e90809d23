import logging

import pytest

from streams.shell.quiet import quieten


def test_a_warning_that_repeats_is_said_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    quieten()
    quieten()
    logger = logging.getLogger("aiokafka.conn")
    for attempt in range(100):
        logger.error("attempt %d failed", attempt)
    logger.error("another thing")
    said = [record.getMessage() for record in caplog.records if record.name == logger.name]
    assert said == ["attempt 0 failed", "another thing"]
