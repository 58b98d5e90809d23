"""The typed keys under which the composition root hands its resources to the handlers."""

import aiohttp
from aiohttp import web

from ingress.accept import Door
from ingress.auth import Authenticator
from ingress.budget import Budget
from ingress.connections.accounts import Accounts
from ingress.endpoints import Endpoints
from ingress.history import History
from ingress.letter_returns import Returns
from ingress.limits import Limits
from ingress.live.streams import LiveStreams
from ingress.metrics import Metrics
from ingress.outlet import Outlet
from ingress.settings import IngressSettings
from ingress.sql import Sql
from ingress.turns import Turns
from schemas.codec import Codec
from schemas.secrets import SecretBox
from transport.clickhouse import ClickHouse
from transport.feed import DefinitionsFeed
from transport.files import FileStore
from transport.probe import BrokerProbe
from transport.producer import Producer
from transport.store import DefinitionsStore
from transport.values import ValueStore

SETTINGS = web.AppKey("settings", IngressSettings)
METRICS = web.AppKey("metrics", Metrics)
CODEC: web.AppKey[Codec] = web.AppKey("codec", Codec)
PRODUCER = web.AppKey("producer", Producer)
FEED = web.AppKey("feed", DefinitionsFeed)
FILES = web.AppKey("files", FileStore)
VALUES = web.AppKey("values", ValueStore)
STORE = web.AppKey("store", DefinitionsStore)
DOOR = web.AppKey("door", Door)
ENDPOINTS = web.AppKey("endpoints", Endpoints)
ACCOUNTS = web.AppKey("accounts", Accounts)
LIMITS = web.AppKey("limits", Limits)
LIVE = web.AppKey("live", LiveStreams)
OUTLET = web.AppKey("outlet", Outlet)
BUDGET = web.AppKey("budget", Budget)
TURNS = web.AppKey("turns", Turns)
AUTHENTICATOR = web.AppKey("authenticator", Authenticator)
PROBE = web.AppKey("probe", BrokerProbe)
CLICKHOUSE: web.AppKey[ClickHouse | None] = web.AppKey("clickhouse", ClickHouse)
"""None where the deployment keeps no run history; then there are no HISTORY and SQL either."""
HISTORY = web.AppKey("history", History)
RETURNS = web.AppKey("returns", Returns)
SQL = web.AppKey("sql", Sql)
EGRESS = web.AppKey("egress", aiohttp.ClientSession)
"""For what tenants have named: reaches public addresses, and what HOPLINE_EGRESS_ALLOW lists."""
SECRETS: web.AppKey[SecretBox | None] = web.AppKey("secrets", SecretBox)
"""None where the deployment has no HOPLINE_SECRET_KEY: then nothing secret can be stored."""
CAN_READ_SECRETS = web.AppKey("can_read_secrets", bool)
"""Of those that were stored when this process started."""
