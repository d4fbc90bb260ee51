"""What the owner of the screen wants: the part of the configuration that decisions read.

``wire/config.py`` fills these from ``/etc/kioskd.yaml``; key names are field names.
All durations are seconds.
"""

from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import NewType
from urllib.parse import SplitResult, urlsplit

Seconds = NewType("Seconds", float)


class Outage(Enum):
    """What a dead connection means while the server is down too."""

    HOLD = "hold"  # a readable page is left alone
    RESTART = "restart"  # the ungated rule: one restart an outage, whatever the server


class Word(Enum):
    """Words that may stand where a number or a URL is expected."""

    AUTO = "auto"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Deploy:
    """Where the built front end is, and when a change of it counts."""

    index: str | None = None  # dist/index.html on this machine
    url: str | None = None  # or a version endpoint elsewhere
    also: tuple[str, ...] = ()  # further files whose change reloads the page
    settle: Seconds = Seconds(1)

    @property
    def given(self) -> bool:
        """Whether anything says what is to be on the screen."""
        return self.index is not None or self.url is not None or bool(self.also)


@dataclass(frozen=True, slots=True)
class WebSocket:
    """When the page's own connection counts as dead, and what its death leads to."""

    url: str | Word = Word.AUTO  # AUTO: learnt from the page; OFF: not looked at
    reload_after: Seconds = Seconds(20)
    restart_after: Seconds = Seconds(60)
    silence: Seconds | Word = Word.AUTO
    during_outage: Outage = Outage.HOLD


@dataclass(frozen=True, slots=True)
class Page:
    """The page's patience."""

    load_timeout: Seconds = Seconds(30)
    hang_after: Seconds = Seconds(15)
    blank_after: Seconds | Word = Seconds(20)  # or OFF
    stuck_text: str | None = None


@dataclass(frozen=True, slots=True)
class JournalRule:
    """``count`` lines of a unit that match within ``within`` mean that the page is stuck."""

    unit: str
    match: str
    count: int = 5
    within: Seconds = Seconds(60)
    clear: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How health is looked at, and how long each kind of trouble is waited for."""

    interval: Seconds = Seconds(5)  # the one pace: every probe, every retry
    timeout: Seconds = Seconds(4)
    websocket: WebSocket = field(default_factory=WebSocket)
    page: Page = field(default_factory=Page)
    journal: tuple[JournalRule, ...] = ()
    memory: str | Word = "80%"  # of RAM, or 900M, or OFF; ``memory_limit`` has it in bytes


@dataclass(frozen=True, slots=True)
class Reboot:
    """The last rung, off unless asked for."""

    enabled: bool = False
    per_boot: int = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a decision may depend on, besides what has happened."""

    url: str | None = None  # home; None: the built-in welcome page
    allow: tuple[str, ...] = ()  # further origins the page may be at
    deploy: Deploy = field(default_factory=Deploy)
    health: Health = field(default_factory=Health)
    reboot: Reboot = field(default_factory=Reboot)
    memory_limit: int | None = None  # bytes, for the browser tree; None: off


@lru_cache(maxsize=64)
def origin(url: str) -> str:
    """Return ``scheme://host[:port]`` of a URL, default ports left out; ``""`` where there is none."""
    parts = _split(url)
    if parts is None or not parts.hostname:
        return ""
    default = {"http": 80, "https": 443, "ws": 80, "wss": 443}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, default) else "")


def path(url: str) -> str:
    """Return the URL without query and fragment: what remembered expectations are keyed by."""
    return url.split("#", 1)[0].split("?", 1)[0]


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is the check: a port out of range raises
        return parts
    except ValueError:
        return None
