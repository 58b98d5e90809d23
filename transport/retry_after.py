"""How long a peer wants to be left alone."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """RFC 9110, section 10.2.3: seconds or a date; or OpenAI's milliseconds. None where it cannot be read."""
    lower = {name.lower(): value for name, value in headers.items()}
    milliseconds, given = lower.get("retry-after-ms"), lower.get("retry-after")
    try:
        if milliseconds is not None:
            return max(float(milliseconds) / 1000, 0.0)
        return None if given is None else max(float(given), 0.0)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(given or "")
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)
