"""What samples have in common that come by a connection."""

from pathlib import Path
from typing import Literal

from cli.sampling.deployment import Deployment
from cli.sampling.sample import Installed, Sample
from cli.signing import new_secret

Provider = Literal["github", "slack"]

_SECRETS: dict[Provider, str] = {"github": "webhook_secret", "slack": "signing_secret"}
"""What the provider calls it."""


async def install_connected(
    at: Deployment, folder: Path, sample: Sample, workflow_id: str, provider: Provider
) -> Installed:
    """A connection under the name of the sample, and a trigger that looks at what comes by it alone."""
    connection, secret = await _connection(at, sample.name, provider)
    listed = await at.call("GET", "/api/v1/triggers", params={"workflow_id": workflow_id})
    if not listed["data"]:
        config = {**sample.trigger.config, "connection": sample.name}
        kind = sample.trigger.type
        await at.create("triggers", type=kind, workflow_id=workflow_id, name=sample.name, config=config)
    return Installed(sample, folder, workflow_id, connection, secret)


async def _connection(at: Deployment, name: str, provider: Provider) -> tuple[str, str]:
    """(path, secret); the secret is a new one where it is not known any more."""
    kind, known = f"{provider}-connections", at.secrets()
    listed = await at.call("GET", f"/api/v1/{kind}")
    found = next((one for one in listed["data"] if one["name"] == name), None)
    if found is not None and found["id"] in known:
        return found["path"], known[found["id"]]
    secret = new_secret(provider)
    body = {"name": name, "credentials": {_SECRETS[provider]: secret}}
    if found is None:
        shown = await at.create(kind, **body)
    else:
        shown = await at.call("PUT", f"/api/v1/{kind}/{name}", json=body)
    at.remember(shown["id"], secret)
    return shown["path"], secret
