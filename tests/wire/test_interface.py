"""The interface's description, of each kind of path. That it is true of those that are there: ``tests/edges/test_openapi.py``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kioskd.wire.openapi import document


@dataclass(frozen=True)
class Path:
    """One, as an edge has it."""

    path: str
    says: str
    method: str = "GET"
    guarded: bool = False
    gives: str = "application/json"
    takes: str = ""
    form: Mapping[str, object] = field(default_factory=dict)


def test_what_is_told_of_each_kind_of_path() -> None:
    told = document(
        "1.2",
        [
            Path("/status", "How it is"),
            Path("/listen", "What comes", gives=""),
            Path("/pictures/{name}", "One", gives="image/jpeg", guarded=True),
            Path("/pause", "Stop", "POST", True, takes="for", form={"maxLength": 3}),
        ],
    )
    assert told["info"]["version"] == "1.2"
    status, listen = told["paths"]["/status"]["get"], told["paths"]["/listen"]["get"]
    picture, pause = told["paths"]["/pictures/{name}"]["get"], told["paths"]["/pause"]["post"]
    assert status["responses"]["2XX"]["content"] == {"application/json": {"schema": {"type": "object"}}} and "security" not in status
    assert listen["responses"]["101"] == {"description": "What comes"}
    assert picture["responses"]["2XX"]["content"] == {"image/jpeg": {}} and picture["security"] == [{"token": []}, {"paired": []}]
    assert picture["parameters"] == [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
    body = pause["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"type": "object", "properties": {"for": {"type": "string", "maxLength": 3}}}
    assert told["components"]["schemas"]["Error"]["properties"] == {"error": {"type": "string"}}
