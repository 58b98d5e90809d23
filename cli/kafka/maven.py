"""Where Maven artefacts come from on this machine: what its user has configured, else Maven Central."""

from pathlib import Path
from xml.etree import ElementTree

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL


def repositories(explicit: str | None, maven_settings: Path) -> dict[str, str]:
    """Name -> URL, in the order to ask: the explicit one, else Central or its mirror, and those of jgo.conf.

    Credentials of Maven's settings are not used; `~/.netrc` and the usual proxy variables are.
    """
    if explicit:
        return {"configured": explicit.rstrip("/")}
    central = _mirror_of_central(maven_settings) or MAVEN_CENTRAL_URL
    return {"central": central.rstrip("/"), **GlobalSettings.load().repositories}


def _mirror_of_central(maven_settings: Path) -> str | None:
    """The first mirror in Maven's user settings that covers `central`, as Maven would choose."""
    try:
        root = ElementTree.parse(maven_settings).getroot()  # noqa: S314 the user's own file
    except (OSError, ElementTree.ParseError):
        return None
    for mirror in root.iterfind("{*}mirrors/{*}mirror"):
        url = (mirror.findtext("{*}url") or "").strip()
        blocked = mirror.findtext("{*}blocked") == "true"
        if url and not blocked and _covers_central(mirror.findtext("{*}mirrorOf") or ""):
            return url
    return None


def _covers_central(mirror_of: str) -> bool:
    """Maven's mirror rules: comma-separated ids, `*`, `external:*`, and `!id` which excludes."""
    patterns = {pattern.strip() for pattern in mirror_of.split(",")}
    return "!central" not in patterns and not patterns.isdisjoint({"central", "*", "external:*"})
