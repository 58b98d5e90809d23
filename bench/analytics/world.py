"""Who has which workflows, and what their runs do: what runs are drawn from. Made up, but of one piece.

A workflow has one or more paths, each with its share of the runs: the nodes that a run on it executes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

SLOTS = 10_000
"""Paths have shares of these. A run draws one slot."""


@dataclass(frozen=True, slots=True)
class Model:
    """`prompt` and `completion`: US dollars for a million tokens."""

    provider: str
    name: str
    prompt: float
    completion: float


SMALL = Model("openai", "gpt-4o-mini", 0.15, 0.60)
LARGE = Model("openai", "gpt-4o", 2.50, 10.00)
OTHER = Model("anthropic", "claude-haiku", 0.80, 4.00)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`mean_us` of one attempt. Of 100,000 runs, `retried` need another attempt here and `fails` fail."""

    id: str
    type: str
    title: str
    mean_us: int
    retried: int = 0
    fails: int = 0
    is_lenient: bool = False
    """Its error strategy lets the run go on."""
    model: Model | None = None
    tokens: int = 0
    """On average, of prompt and completion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One workflow as several tenants have it. `share`: of the tenant's runs, out of all its kinds."""

    app: str
    workflow: str
    trigger_type: str
    queue: str
    share: int
    paths: tuple[tuple[int, tuple[Node, ...]], ...]
    """Share and nodes of each."""
    slowdown: float = 1.0
    """Its second version takes so many times as long as the first."""


@dataclass(frozen=True, slots=True)
class Path:
    """`slots` of all runs are on it."""

    tenant_id: str
    kind: Kind
    nodes: tuple[Node, ...] = field(repr=False)
    first_slot: int
    slots: int


ERRORS = {
    "llm": (
        "RateLimited: 429 Too Many Requests: try again in 20 s",
        "TimedOut: the model has not answered within 60 s",
        "InvokeServerUnavailable: 503 Service Unavailable",
    ),
    "http-request": (
        "TimedOut: no answer within 10 s",
        "ResponseStatus: 503 Service Unavailable",
        "ResponseStatus: 409 Conflict: it is booked already",
    ),
    "code": ("CodeError: KeyError: 'currency'", "CodeError: TypeError: amount is not a number"),
    "knowledge-retrieval": ("InvokeServerUnavailable: 503 Service Unavailable",),
    "tool": ("ToolError: channel_not_found", "ToolError: ratelimited"),
    "human-input": ("Rejected: the amount is not ours to pay",),
    "document-extractor": ("UnreadableDocument: the PDF is encrypted", "UnreadableDocument: no text in it"),
}
"""Type of node -> what it says where it fails; `llm` for all that ask a model."""

_START = Node(id="start", type="start", title="Start", mean_us=60)
_CHECK = Node(id="check", type="if-else", title="Check", mean_us=110)
_END = Node(id="end", type="end", title="End", mean_us=70)
_SHAPE = Node(id="shape", type="code", title="Shape", mean_us=45_000, fails=250)
_SEARCH = Node(
    id="search",
    type="knowledge-retrieval",
    title="Search the handbook",
    mean_us=160_000,
    retried=400,
    fails=80,
)


def _request(node_id: str, title: str, mean_us: int, fails: int = 500, *, is_lenient: bool = False) -> Node:
    return Node(
        id=node_id,
        type="http-request",
        title=title,
        mean_us=mean_us,
        retried=2_500,
        fails=fails,
        is_lenient=is_lenient,
    )


_RECORD = _request("record", "Record in the ERP", 180_000)
_NOTIFY = _request("notify", "Notify the desk", 95_000, 2_600, is_lenient=True)
_LABEL = _request("label", "Label the issue", 210_000, 350)
_FETCH = _request("fetch", "Fetch the figures", 640_000, 1_100)
_BOOK = _request("book", "Book the invoice", 260_000, 700)
_POST = Node(id="post", type="tool", title="Post the reply", mean_us=150_000, retried=900, fails=200)
_APPROVE = Node(id="approve", type="human-input", title="Approve", mean_us=48 * 3600 * 1_000_000, fails=1_500)
_READ = Node(id="read", type="document-extractor", title="Read the PDF", mean_us=420_000, fails=600)
_TEXT = Node(id="text", type="template-transform", title="Write the text", mean_us=240)


def _llm(node_id: str, node_type: str, title: str, model: Model, tokens: int, mean_us: int) -> Node:
    return Node(
        id=node_id,
        type=node_type,
        title=title,
        mean_us=mean_us,
        retried=1_500,
        fails=400,
        model=model,
        tokens=tokens,
    )


_CLASSIFY = _llm("classify", "question-classifier", "Classify", SMALL, 420, 480_000)
_REPLY = _llm("reply", "llm", "Draft a reply", LARGE, 1_900, 2_300_000)
_SUMMARIZE = _llm("summarize", "llm", "Summarize", SMALL, 1_200, 1_100_000)
_EXTRACT = _llm("extract", "parameter-extractor", "Find the amounts", OTHER, 2_600, 1_700_000)
_WRITE = _llm("write", "llm", "Write the digest", OTHER, 3_100, 2_900_000)
_ANSWER = _llm("answer", "llm", "Answer", SMALL, 900, 900_000)

KINDS = (
    Kind(
        app="orders",
        workflow="order-review",
        trigger_type="WEBHOOK",
        queue="default",
        share=24,
        slowdown=1.35,
        paths=(
            (60, (_START, _CHECK, _TEXT, _RECORD, _END)),
            (40, (_START, _CHECK, _TEXT, _NOTIFY, _RECORD, _END)),
        ),
    ),
    Kind(
        app="payments",
        workflow="payment-check",
        trigger_type="KAFKA",
        queue="default",
        share=22,
        paths=((75, (_START, _CHECK, _SHAPE, _END)), (25, (_START, _CHECK, _SHAPE, _RECORD, _END))),
    ),
    Kind(
        app="support",
        workflow="support-reply",
        trigger_type="SLACK",
        queue="plugin_triggers",
        share=16,
        paths=((100, (_START, _CLASSIFY, _SEARCH, _REPLY, _POST, _END)),),
    ),
    Kind(
        app="issues",
        workflow="issue-triage",
        trigger_type="GITHUB",
        queue="plugin_triggers",
        share=10,
        slowdown=0.8,
        paths=((70, (_START, _SUMMARIZE, _CHECK, _LABEL, _END)), (30, (_START, _SUMMARIZE, _CHECK, _END))),
    ),
    Kind(
        app="assistant",
        workflow="handbook-answer",
        trigger_type="PLUGIN",
        queue="plugin_triggers",
        share=10,
        paths=((100, (_START, _SEARCH, _ANSWER, _POST, _END)),),
    ),
    Kind(
        app="digest",
        workflow="usage-digest",
        trigger_type="SCHEDULE",
        queue="high_priority",
        share=8,
        paths=((100, (_START, _FETCH, _SHAPE, _WRITE, _POST, _END)),),
    ),
    Kind(
        app="invoices",
        workflow="invoice-booking",
        trigger_type="EMAIL",
        queue="default",
        share=7,
        paths=(
            (60, (_START, _READ, _EXTRACT, _CHECK, _BOOK, _END)),
            (40, (_START, _READ, _EXTRACT, _CHECK, _APPROVE, _BOOK, _END)),
        ),
    ),
    Kind(
        app="backfill",
        workflow="backfill",
        trigger_type="MANUAL",
        queue="default",
        share=3,
        paths=((100, (_START, _FETCH, _SHAPE, _TEXT, _RECORD, _END)),),
    ),
)

_LARGE_TENANTS = {"acme": 46, "globex": 23, "initech": 12, "umbrella": 8, "hooli": 4}
_SMALL_TENANTS = [f"tenant-{number:02}" for number in range(1, 15)]
"""Each has half a percent of the runs, and only the first three kinds."""


def paths() -> Iterator[Path]:
    """All there are; their slots are one after the other, and together `SLOTS`."""
    wanted = [
        (tenant_id, kind, nodes, weight * kind.share / sum(k.share for k in kinds) * share / 100)
        for tenant_id, weight, kinds in _tenants()
        for kind in kinds
        for share, nodes in kind.paths
    ]
    total = sum(weight for *_, weight in wanted)
    until, first = 0.0, 0
    for tenant_id, kind, nodes, weight in wanted:
        until += weight
        last = round(until / total * SLOTS)
        yield Path(tenant_id, kind, nodes, first, last - first)
        first = last


def _tenants() -> Iterator[tuple[str, float, tuple[Kind, ...]]]:
    for tenant_id, weight in _LARGE_TENANTS.items():
        yield tenant_id, weight, KINDS
    for tenant_id in _SMALL_TENANTS:
        yield tenant_id, 0.5, KINDS[:3]
