"""Secrets on their way into and out of what is stored: encrypted at rest, masked when shown. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from ingress.errors import Conflict, Unprocessable
from schemas.secrets import SecretBox
from schemas.triggers.secrets import with_secrets

MASK = "********"
"""Shown instead of a secret; sent back, it stands for the secret that is stored."""

Json = dict[str, Any]
Variable = Mapping[str, Any]


def seal_variables(
    given: Iterable[Variable], stored: Iterable[Variable], box: SecretBox | None, tenant_id: str
) -> list[dict[str, Any]]:
    """Environment variables with the secret ones encrypted.

    A secret without a value, or with the mask, keeps the value that is stored under its name.
    Raises `Conflict` where the deployment has no key to encrypt with.
    """
    before = {v.get("name"): v.get("value", "") for v in stored if _is_secret(v)}
    sealed = []
    for variable in given:
        variable = dict(variable)
        if _is_secret(variable):
            value = variable.get("value") or ""
            if value in ("", MASK):
                variable["value"] = before.get(variable.get("name"), "")
            else:
                variable["value"] = _needed(box).encrypt(tenant_id, str(value))
        sealed.append(variable)
    return sealed


def opened_variables(stored: Iterable[Variable], box: SecretBox | None, tenant_id: str) -> list[Variable]:
    """In the clear, to compare two versions: encrypting a secret twice gives different texts."""
    return [
        {**v, "value": _needed(box).decrypt(tenant_id, v["value"])} if _is_secret(v) and v.get("value") else v
        for v in stored
    ]


def masked_variables(stored: Iterable[Variable]) -> list[dict[str, Any]]:
    """As they are shown."""
    return [{**v, "value": MASK if v.get("value") else ""} if _is_secret(v) else dict(v) for v in stored]


def seal_config(
    given: Json, stored: Json, paths: Iterable[str], box: SecretBox | None, tenant_id: str
) -> Json:
    """The config of a trigger with its secrets encrypted: what is at the dotted `paths`.

    The mask keeps the secret stored at its place. Raises `Conflict`, and `Unprocessable` for a mask where
    nothing is stored.
    """

    def seal(place: str, secret: str, before: Any) -> str:
        if secret != MASK:
            return _needed(box).encrypt(tenant_id, secret)
        if isinstance(before, str):
            return before
        row = {"node": None, "field": f"config.{place}", "why": "no secret is stored here"}
        raise Unprocessable("a masked secret stands for a stored one, and there is none", errors=[row])

    return with_secrets(given, stored, paths, seal)


def masked_config(stored: Json, paths: Iterable[str]) -> Json:
    """The stored config as it is shown."""
    return with_secrets(stored, {}, paths, lambda _place, _secret, _before: MASK)


def seal_credentials(
    given: Mapping[str, str], stored: Mapping[str, str], box: SecretBox | None, tenant_id: str
) -> dict[str, str]:
    """Each encrypted; the mask keeps what is stored under its name. Raises `Conflict`, `Unprocessable`."""
    sealed = {}
    for name, value in given.items():
        if value != MASK:
            sealed[name] = _needed(box).encrypt(tenant_id, value)
        elif name in stored:
            sealed[name] = stored[name]
        else:
            row = {"node": None, "field": f"credentials.{name}", "why": "no secret is stored here"}
            raise Unprocessable("a masked secret stands for a stored one, and there is none", errors=[row])
    return sealed


def _is_secret(variable: Variable) -> bool:
    return variable.get("value_type") == "secret"


def _needed(box: SecretBox | None) -> SecretBox:
    if box is None:
        raise Conflict("this deployment cannot store secrets; its operator must set HOPLINE_SECRET_KEY")
    return box
