"""Which change of a calendar's event is which."""

from typing import Any

import pytest

from schemas.triggers.google_calendar import GoogleCalendarConfig
from streams.sources.calendar.changes import changed

BEFORE = "2026-11-01T10:00:00.000Z"
MADE = {"id": "a", "created": "2026-11-02T10:00:00.000Z", "updated": "2026-11-02T10:00:00.000Z"}
EDITED = {**MADE, "updated": "2026-11-02T10:05:00.000Z"}
GONE = {"id": "a_20261102", "status": "cancelled", "recurringEventId": "a"}


@pytest.mark.parametrize(
    ("events", "first", "second", "is_same"),
    [
        (("created",), MADE, EDITED, True),  # as after a crash before the position was kept
        (("created", "updated"), MADE, EDITED, False),  # nobody must miss the edit
        (("cancelled",), {**GONE, "etag": "1"}, {**GONE, "etag": "1"}, True),
        (("cancelled",), {**GONE, "etag": "1"}, {**GONE, "etag": "2"}, False),
    ],
)
def test_a_change_is_told_from_others(events: Any, first: Any, second: Any, is_same: bool) -> None:
    oauth = {"client_id": "c", "refresh_token": "r"}
    config = GoogleCalendarConfig.model_validate({"oauth": oauth, "events": events})
    [one], [other] = (list(changed(config, [item], BEFORE)) for item in (first, second))
    assert (one.identity == other.identity) is is_same
