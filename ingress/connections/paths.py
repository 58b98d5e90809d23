"""Where providers send to."""

from typing import Final

GITHUB_PATH: Final = "/api/v1/github/webhook"
SLACK_PATH: Final = "/api/v1/slack/events"
EVENTS_PATH: Final = "/api/v1/events"
