"""Lists of files in list-operator and if-else nodes, and the attributes of a single one."""

from itertools import product
from typing import Any

from tests.differential.job import Job
from tests.graphs import Json, case, condition, end, field, graph, if_else, node, start

_KEYS = ("name", "type", "extension", "mime_type", "transfer_method", "url", "size", "related_id", "colour")
_VALUES = ("a", ".png", "document", "5", ["document", "image"])


def _file(name: str, extension: str, mime_type: str, kind: str, size: int) -> Json:
    url = f"https://example.com/{name}"
    return {
        "dify_model_identity": "__dify__file__", "type": kind, "transfer_method": "remote_url",
        "remote_url": url, "url": url, "filename": name, "extension": extension, "mime_type": mime_type,
        "size": size,
    }  # fmt: skip


_PDF = _file("b.PDF", ".pdf", "application/pdf", "document", 30)
_LISTS = {
    "files": [
        _PDF,
        _file("a.png", ".png", "image/png", "image", 5),
        _file("c", "", "text/plain", "document", -1),
    ],
    "no files": [],
}


def _job(files: Any, *nodes: Json, handles: tuple[str, ...] = ("source",), **outputs: list[str]) -> Job:
    kind = "file-list" if isinstance(files, list) else "file"
    form = start(field("f", kind, allowed_file_types=["document", "image"], max_length=9))
    edges = [("start", "n"), *(("n", "end", handle) for handle in handles)]
    return Job(graph([form, *nodes, end(**outputs)], *edges), {"f": files})


def _operator(files: list[Json], **data: Any) -> Job:
    off = {
        "filter_by": {"enabled": False, "conditions": []},
        "order_by": {"enabled": False},
        "limit": {"enabled": False, "size": 10},
    }
    operator = node("n", "list-operator", variable=["start", "f"], **{**off, **data})
    shown = {name: ["n", name] for name in ("result", "first_record", "last_record")}
    return _job(files, operator, **shown)


def _filter(files: list[Json], key: str, operator: str, value: Any) -> Job:
    conditions = [{"key": key, "comparison_operator": operator, "value": value}]
    return _operator(files, filter_by={"enabled": True, "conditions": conditions})


def _order(files: list[Json], key: str, order: str) -> Job:
    return _operator(files, order_by={"enabled": True, "key": key, "value": order})


def _condition(files: Any, *attribute: str, operator: str, value: Any, **more: Any) -> Job:
    chosen = if_else("n", case("yes", condition(["start", "f", *attribute], operator, value, **more)))
    return _job(files, chosen, handles=("yes", "false"), result=["n", "result"])


def _each(files: list[Json], operator: str, key: str, inner: str, value: Any) -> Job:
    each = {
        "conditions": [{"key": key, "comparison_operator": inner, "value": value}],
        "logical_operator": "and",
    }
    return _condition(files, operator=operator, value=None, sub_variable_condition=each)


CASES: dict[str, Job] = {
    **{
        f"{name}, {key} {operator} {value!r}": _filter(files, key, operator, value)
        for (name, files), key, operator, value in product(
            _LISTS.items(),
            _KEYS,
            ("contains", "in", "not in", "is not", ">", "empty"),
            _VALUES[:4:3] + _VALUES[4:],
        )
        if files or operator == "in"
    },
    **{
        f"{name} by {key}, {order}": _order(files, key, order)
        for (name, files), key, order in product(_LISTS.items(), _KEYS, ("asc", "desc"))
    },
    **{
        f"files {operator}: {key} {inner} {value!r}": _each(_LISTS["files"], operator, key, inner, value)
        for operator, key, inner, value in product(
            ("contains", "not contains", "all of"),
            _KEYS[:8],
            ("contains", "in", "is", "not in"),
            _VALUES[1:5:3],
        )
    },
    **{
        f"{name} {operator}": _condition(files, operator=operator, value="x")
        for (name, files), operator in product(
            _LISTS.items(), ("empty", "not null", "contains", "is", "exists")
        )
    },
    **{
        f"{key} of a file {operator}": _condition(_PDF, key, operator=operator, value="document")
        for key, operator in product(_KEYS, ("contains", "is", "is not", "empty", "null", "exists", ">"))
    },
}
