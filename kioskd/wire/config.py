"""``/etc/kioskd.yaml`` as frozen data: text in, ``Config`` or every mistake at once out. No file is opened here."""

from dataclasses import dataclass, field
from enum import Enum

from kioskd.core.policy import Deploy, Health, Reboot, Word


class Display(Enum):
    """Where the picture goes."""

    AUTO = "auto"  # the running session's display if there is one, else headless
    CAGE = "cage"
    INHERIT = "inherit"
    HEADLESS = "headless"


@dataclass(frozen=True, slots=True)
class Browser:
    """Which Chromium, and how it is started."""

    command: str | Word = Word.AUTO
    flags: tuple[str, ...] = ()
    profile: str = "/var/lib/kioskd/profile"


@dataclass(frozen=True, slots=True)
class DisplayConfig:
    """The display."""

    mode: Display = Display.AUTO


@dataclass(frozen=True, slots=True)
class Api:
    """The HTTP door."""

    listen: str = "127.0.0.1:8137"
    token_file: str | None = None
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. Keys are field names."""

    url: str | None = None
    allow: tuple[str, ...] = ()
    deploy: Deploy = field(default_factory=Deploy)
    health: Health = field(default_factory=Health)
    browser: Browser = field(default_factory=Browser)
    display: DisplayConfig = field(default_factory=DisplayConfig)
    api: Api = field(default_factory=Api)
    reboot: Reboot = field(default_factory=Reboot)
    state: str = "/var/lib/kioskd"
