"""How the demo server and its page misbehave: a frozen set of switches, all off by default."""

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import cattrs

from kioskd.errors import KioskdError

_converter = cattrs.Converter(detailed_validation=False)


class Socket(Enum):
    """How the live connection (``/ws`` and ``/events``) behaves."""

    NORMAL = "normal"
    REFUSE = "refuse"  # 503 in answer to the handshake
    ACCEPT_AND_CLOSE = "accept_and_close"
    SILENT = "silent"  # accepted, or already open, and nothing is ever sent
    NOT_SERVED = "not_served"  # 404


class Front(Enum):
    """What stands in front of the server."""

    NORMAL = "normal"
    ERROR = "500"
    BODYLESS = "502"  # with an empty body: Chromium shows its own error page
    HANG = "hang"  # accepts and never answers
    PORTAL = "portal"  # 200 and HTML of another kind for everything, as a captive portal does
    REDIRECT_LOGIN = "redirect_login"  # 302 to the other origin's login page
    BASIC_AUTH = "basic_auth"  # 401: Chromium asks for a name and a password
    BLANK = "blank"  # the assets are not found: a document with nothing in it


class Transport(Enum):
    """How a new document opens its live connection."""

    WEBSOCKET = "websocket"
    EVENT_SOURCE = "event_source"
    WORKER = "worker"  # the socket lives in a dedicated worker
    IFRAME_SAME = "iframe_same"
    IFRAME_SRCDOC = "iframe_srcdoc"
    IFRAME_OTHER = "iframe_other"  # a frame of another origin and site
    NONE = "none"  # it opens none


class Retry(Enum):
    """What a page does when its connection has gone."""

    FOREVER = "forever"  # every ``retry_s``, for ever
    WEAK = "weak"  # ``tries`` times, then it says so for ever


class OnClose(Enum):
    """What a page does at the moment its connection goes."""

    RETRY = "retry"
    RELOAD = "reload"  # itself, into the outage


class Language(Enum):
    """Of the sentence a page shows when it has given up."""

    EN = "en"
    SV = "sv"


@dataclass(frozen=True, slots=True)
class Switches:
    """The server's own come first; from ``transport`` on they are told to each new document by ``/settings``."""

    socket: Socket = Socket.NORMAL
    http: Front = Front.NORMAL  # for everything, handshakes included
    index: Front = Front.NORMAL  # for the document only
    firehose: bool = False  # 180 further messages/s of 4 KB on each new connection
    pace_s: float = 1.0  # between two messages with figures
    cookie: bool = False  # the handshake needs a cookie that only the document hands out, else 403
    transport: Transport = Transport.WEBSOCKET
    retry: Retry = Retry.FOREVER
    retry_s: float = 2.0
    tries: int = 10
    reload_after_s: float = 0.0  # without a connection the page reloads itself, and it never gives up; 0: it does neither
    on_close: OnClose = OnClose.RETRY
    complains: bool = False  # in its console, when its connection goes
    language: Language = Language.EN
    dev_socket: bool = False  # a further socket to /dev that stays alive
    analytics: bool = False  # a further socket to the other origin that stays alive
    service_worker: bool = False  # one that answers from its cache first
    precache: bool = False  # one that answers with a copy of /index.html, made at its installation; that may be cached for an hour
    at_load: tuple[dict[str, Any], ...] = ()  # page verbs each new document carries out

    def turned(self, changes: Mapping[str, Any]) -> "Switches":
        """Return these with changes from JSON; raises KioskdError for an unknown name or value."""
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                like = difflib.get_close_matches(name, known, 1)
                raise KioskdError(f"Unknown switch {name!r}" + (f": did you mean {like[0]!r}?" if like else ""))
        try:
            return _converter.structure({**_converter.unstructure(self), **changes}, Switches)
        except (ValueError, TypeError) as error:
            raise KioskdError(f"Bad value in {dict(changes)!r}: {error}") from error

    def as_json(self) -> dict[str, Any]:
        """Return all of them, by name."""
        return dict(_converter.unstructure(self))

    def settings(self) -> dict[str, Any]:
        """What a new document is told."""
        names = [field.name for field in dataclasses.fields(self)]
        return {name: value for name, value in self.as_json().items() if names.index(name) >= names.index("transport")}
