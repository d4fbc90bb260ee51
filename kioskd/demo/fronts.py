"""Answers of what stands in front of a server: proxies with errors, captive portals, login pages, and silence."""

import asyncio
from importlib import resources

from aiohttp import web

from kioskd.demo.switches import Front

PAGE = resources.files("kioskd.demo") / "page"
_NEVER_STORED = {"Cache-Control": "no-store"}


async def answer(front: Front, request: web.Request, login: str) -> web.StreamResponse | None:
    """Answer in the server's place; None where the front lets the request through. ``login`` is the URL of the login page."""
    match front:
        case Front.ERROR:
            return web.Response(status=500, text="<h1>Internal Server Error</h1>", content_type="text/html", headers=_NEVER_STORED)
        case Front.BODYLESS:
            return web.Response(status=502, headers=_NEVER_STORED)
        case Front.HANG:
            await asyncio.sleep(86_400)  # what waits for nothing at all is collected as garbage
        case Front.PORTAL:
            return static("portal.html")
        case Front.REDIRECT_LOGIN:
            return web.Response(status=302, headers={"Location": login, **_NEVER_STORED})
        case Front.BASIC_AUTH:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="dashboard"', **_NEVER_STORED})
        case Front.BLANK if request.path.startswith("/assets/"):
            return web.Response(status=404, headers=_NEVER_STORED)
    return None


def static(name: str) -> web.Response:
    """Return one of the pages that come with the demo and belong to no build."""
    kind = "text/javascript" if name.endswith(".js") else "text/html"
    return web.Response(text=(PAGE / name).read_text(), content_type=kind, headers=_NEVER_STORED)
