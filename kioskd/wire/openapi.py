"""What ``GET /api/openapi.json`` says: the interface in the words of OpenAPI 3.1, made from the paths that are really there."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

TITLE = "kioskd"
ABOUT = (
    "The agent of one wall screen. What has no lock is for everybody who reaches api.listen; the rest needs kioskd's unix socket, "
    "the token, or the cookie that a link of kioskctl pair gives."
)


class Operation(Protocol):
    """A path, as it is told of here."""

    @property
    def path(self) -> str:
        """With ``{name}`` where any name may stand."""

    @property
    def method(self) -> str:
        """GET or POST."""

    @property
    def says(self) -> str:
        """What it is, in a line."""

    @property
    def guarded(self) -> bool:
        """Whether it is not for everybody."""

    @property
    def gives(self) -> str:
        """The answer's media type; "" for a WebSocket."""

    @property
    def takes(self) -> str:
        """The name of the text in the body's JSON; "" for none."""

    @property
    def form(self) -> Mapping[str, object]:
        """What that text is to be, in JSON Schema's words."""


def document(version: str, operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the whole of it, as JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": version, "description": ABOUT},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "paired": {"type": "apiKey", "in": "cookie", "name": "kioskd"},
            },
            "schemas": {"Error": _object("error")},
        },
    }


def _operation(each: Operation) -> dict[str, Any]:
    content = {each.gives: {"schema": {"type": "object"}} if each.gives == "application/json" else {}} if each.gives else {}
    good = {"description": each.says, **({"content": content} if content else {})}
    bad = {"description": "Not done, and why", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    told: dict[str, Any] = {"summary": each.says, "responses": {"2XX" if each.gives else "101": good, "default": bad}}
    if names := re.findall(r"{(\w+)}", each.path):
        told["parameters"] = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    if each.takes:
        told["requestBody"] = {"content": {"application/json": {"schema": _object(each.takes, each.form)}}}
    if each.guarded:
        told["security"] = [{"token": []}, {"paired": []}]
    return told


def _object(name: str, form: Mapping[str, object] = {}) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string", **form}}}
