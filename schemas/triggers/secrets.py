"""Where the secrets are in the config of a trigger, and what takes their place. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.secrets import SecretBox, SecretUnreadable

Json = dict[str, Any]
Change = Callable[[str, str, Any], str]
"""Of where (a dotted path), the secret, and what is at that place in another config: what takes its place."""


def with_secrets(config: Json, other: Json, paths: Iterable[str], change: Change) -> Json:
    """The config with what is at the dotted `paths` changed, wherever there is something."""
    return _changed(config, other, paths, change, "")


def opened_config(config: Json, paths: Iterable[str], box: SecretBox | None, tenant_id: str) -> Json:
    """A stored config with its secrets in the clear. Raises `SecretUnreadable`, without a box for whichever
    secret there is."""

    def opened(_place: str, secret: str, _other: Any) -> str:
        if box is None:
            raise SecretUnreadable("HOPLINE_SECRET_KEY is not set")
        return box.decrypt(tenant_id, secret)

    return with_secrets(config, {}, paths, opened)


def _changed(config: Json, other: Json, paths: Iterable[str], change: Change, where: str) -> Json:
    for path in paths:
        name, _, rest = path.partition(".")
        value, beside, place = config.get(name), other.get(name), where + name
        if value is None:
            continue
        if rest:
            inner = _changed(value, beside or {}, [rest], change, f"{place}.")
        else:
            inner = _each(place, value, beside, change)
        config = {**config, name: inner}
    return config


def _each(place: str, value: Any, other: Any, change: Change) -> Any:
    """Of a string, a list of strings or an object of strings. What is empty holds no secret."""
    if isinstance(value, str):
        return change(place, value, other) if value else value
    if isinstance(value, Mapping):
        others = other if isinstance(other, Mapping) else {}
        return {name: _each(f"{place}.{name}", one, others.get(name), change) for name, one in value.items()}
    others = dict(enumerate(other or ()))
    return [_each(f"{place}.{index}", one, others.get(index), change) for index, one in enumerate(value)]
