"""``GET /api/deployment_version``, as it is said and as it is understood. Pure: nobody is asked here."""

import json
from typing import Any

from kioskd.core.facts import DeployRead, Version

INCOMPLETE = "the server says that the build is not complete"


def write_version(version: Version, complete: bool) -> dict[str, Any]:
    """Return what is told of a build."""
    return {"version": version.mtime, "digest": version.digest, "complete": complete} | ({"also": version.also} if version.also else {})


def read_version(content: bytes) -> DeployRead:
    """Return what an endpoint of this form told; only ``version``, a whole number, is needed. Raises ``ValueError`` with a reason."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("its answer is no JSON") from None
    number = told.get("version") if isinstance(told, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError('its answer has no "version" that is a whole number')
    also, digest = (word if isinstance(word := told.get(key), str) else "" for key in ("also", "digest"))
    return DeployRead(Version(number, digest, also), (INCOMPLETE,) if told.get("complete") is False else ())
