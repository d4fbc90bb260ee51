"""A path, who may ask for it, and what an answer is made of: what http_api, answers and operator have in common."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kioskd.core.facts import Asked, DeployRead
from kioskd.edges.access import Token
from kioskd.edges.broadcast import Hub
from kioskd.edges.live import Live
from kioskd.edges.reloads import Reloads

if TYPE_CHECKING:
    from aiohttp.web import Request, StreamResponse

    Handler = Callable[[Request], Awaitable[StreamResponse]]

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Source:
    """What is behind the door."""

    version: Callable[[], DeployRead | None]
    status: Callable[[], dict[str, Any]]
    origins: Callable[[], frozenset[str]]  # that may read the version and hear broadcasts
    holding: Callable[[], str]  # the holding page's HTML
    alive: Callable[[], bool]
    metrics: Callable[[], bytes]  # raises ``EdgeUnavailable``
    story: Callable[[], Iterator[str]]  # line by line
    incidents: Callable[[], Awaitable[dict[str, Any]]]
    picture: Callable[[str], Awaitable[bytes | None]]  # of an incident, by its name
    screenshot: Callable[[bool], Awaitable[bytes]]  # PNG, or (False) JPEG; raises a ``KioskdError``
    ask: Callable[[Asked], None]
    live: Live
    hub: Hub
    reloads: Reloads
    token: Token
    reached: Callable[[], list[str]]  # where the console is, "http://host:port", the best way in first


@dataclass(frozen=True, slots=True)
class Route:
    """A path, who may ask for it, and what ``/api/openapi.json`` says of it."""

    path: str
    answer: "Handler"
    says: str = ""  # left out there where empty
    method: str = "GET"
    guarded: bool = False  # only on the unix socket, or with the token
    elsewhere: bool = False  # pages of the allowed origins may read it (CORS)
    gives: str = JSON  # its media type; "": a WebSocket
    takes: str = ""  # the name of the text in a body's JSON
    form: Mapping[str, object] = field(default_factory=dict)  # what that is to be, in JSON Schema's words

    @property
    def changes(self) -> bool:
        """Whether it does something."""
        return self.method == "POST"

    @property
    def from_elsewhere(self) -> bool:
        """Whether a page elsewhere may ask at all: where CORS says who may read it, and where a WebSocket looks at its Origin itself."""
        return self.elsewhere or not (self.gives or self.guarded)

    def fits(self, path: str) -> bool:
        """Tell whether it is a path's: its last part may stand for any name."""
        folder, variable, _ = self.path.partition("{")
        return path == self.path if not variable else path.startswith(folder) and "/" not in path[len(folder) :]
