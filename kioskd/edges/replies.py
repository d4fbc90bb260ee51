"""How an answer is made: its headers, JSON, ETags; and what a request's body says."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kioskd.edges.gate import BODY, Gate

if TYPE_CHECKING:
    from aiohttp.web import Request, Response, WebSocketResponse

BODY_S = 5.0
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True, slots=True)
class Bad:
    """A body that cannot be taken, and why."""

    why: str
    status: int = 400

    def answer(self) -> "Response":
        """Return how that is said."""
        return json_response({"error": self.why}, self.status)


def own_page(request: "Request") -> bool:
    """Tell whether who asks is a page of ours, the user, or no browser at all.

    Sec-Fetch-Site no page can set, so it is believed: behind a proxy with TLS the Origin is another. But it is not sent to every address.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    if site == "same-origin":
        return True
    return site == "none" and (origin is None or origin.partition("://")[2] == request.headers.get("Host"))


def is_visit(request: "Request") -> bool:
    """Tell whether somebody has followed a link here, from wherever: a window of its own, which the page with the link cannot look into."""
    headers = request.headers
    asked = (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest"))
    return request.method in ("GET", "HEAD") and asked == ("navigate", "document") and "Origin" not in headers


async def said(request: "Request", key: str) -> str | Bad:
    """Return the text that the body's JSON has at ``key``; "" where there is none, or no body."""
    if (request.content_length or 0) > BODY:
        return Bad(f"the body is larger than {BODY >> 10} KB", 413)
    Gate.of(request.transport).take_body()
    try:
        async with asyncio.timeout(BODY_S):
            body = await request.read()
    except TimeoutError:
        return Bad(f"the body did not come within {BODY_S:g} s", 408)
    if not body:
        return ""
    if request.content_type != "application/json":  # what a form of another site can send is none
        return Bad("say what the body is: Content-Type: application/json", 415)
    form = f'{{"{key}": "…"}}' if key else "{}"
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return Bad(f"the body is no JSON: send {form}, or nothing")
    text = content.get(key, "") if isinstance(content, dict) else None
    # Half of a character is none: it could be written nowhere.
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else Bad(f"the body is to be {form}")


async def socket_of(request: "Request", full: bool) -> "tuple[WebSocketResponse, Gate] | Bad":
    """Take up a WebSocket."""
    from aiohttp import web

    client = web.WebSocketResponse(max_msg_size=BODY, compress=False)
    if not client.can_prepare(request).ok:
        return Bad("this is a WebSocket", 426)
    if full:
        return Bad("too many are listening", 503)
    gate = Gate.of(request.transport)
    await client.prepare(request)
    gate.take_frames()
    return client, gate


def tagged(request: "Request", content: str, answer: Callable[[], "Response"]) -> "Response":
    """Return the answer with its ETag, or 304 to whoever has that already."""
    from aiohttp import web

    tag = hashlib.sha256(content.encode()).hexdigest()[:32]
    known = any(etag.value in (tag, "*") for etag in request.if_none_match or ())
    response = web.Response(status=304) if known else answer()
    response.etag = tag
    return response


def json_response(content: dict[str, Any], status: int = 200) -> "Response":
    """Return an answer for programs."""
    from aiohttp import web

    return web.Response(text=json.dumps(content) + "\n", status=status, content_type="application/json")
