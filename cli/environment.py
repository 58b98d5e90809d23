"""Sets environment variables in a workflow file, so that one file serves deployments that differ in them."""

from collections.abc import Mapping

import orjson

from cli.errors import CommandFailed
from schemas.document import read_document
from schemas.errors import InvalidDefinition


def with_environment(content: str, values: Mapping[str, str]) -> bytes:
    """The file as JSON, which is read like YAML, with the values in place; as it is when there are none.

    Raises `CommandFailed` for a variable that the workflow does not have.
    """
    if not values:
        return content.encode()
    try:
        document = read_document(content)
    except InvalidDefinition as wrong:
        raise CommandFailed(f"the file {wrong}") from wrong
    workflow = document.get("workflow")
    variables = workflow.get("environment_variables") if isinstance(workflow, dict) else None
    known = {v.get("name"): v for v in variables or () if isinstance(v, dict)}
    for name, value in values.items():
        if name not in known:
            has = ", ".join(map(str, known)) or "none"
            raise CommandFailed(f"the workflow has no environment variable {name!r}; it has {has}")
        known[name]["value"] = _typed(name, value, str(known[name].get("value_type", "string")))
    return orjson.dumps(document)


def _typed(name: str, value: str, value_type: str) -> object:
    if value_type != "number":
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as wrong:
        raise CommandFailed(f"environment variable {name!r} is a number, {value!r} is none") from wrong
