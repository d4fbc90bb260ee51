"""The pages of our own, filled in with what is so now: what waits for the server, welcomes, and says what is wrong."""

import contextlib
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from kioskd import __version__
from kioskd.core.actions import Place
from kioskd.core.kernel import Kernel
from kioskd.edges import host
from kioskd.edges.doors import reached
from kioskd.errors import EdgeUnavailable
from kioskd.web import script, template
from kioskd.wire import pages
from kioskd.wire.config import Config
from kioskd.wire.status import Clocks
from kioskd.wire.urls import public
from kioskd.wire.values import is_loopback


class OwnPages:
    """Makes them."""

    def __init__(
        self, config: Callable[[], Config], file: str, mistakes: Callable[[], tuple[str, ...]], kernel: Callable[[], Kernel]
    ) -> None:
        """``file``: where the configuration is read from; ``mistakes``: that are in it."""
        self._config, self._file, self._mistakes, self._kernel = config, file, mistakes, kernel

    def url(self, place: Place) -> str:
        """Return where the browser is sent."""
        url = self._config().url
        if place is Place.HOME and url:
            return url
        place = Place.WELCOME if place is Place.HOME else place
        return pages.data_url(place, self.page(place))

    def page(self, place: Place) -> str:
        """Return a page's HTML."""
        match place:
            case Place.MISTAKE:
                return pages.mistake(template("mistake"), self._mistakes())
            case Place.WELCOME:
                return pages.welcome(template("welcome"), self._file, self.console(), self._machine())
            case _:
                return pages.holding(template("holding"), script("holding.js"), self._waiting())

    def reached(self) -> list[str]:
        """Return where the console is, from elsewhere first; raises ``EdgeUnavailable``."""
        return reached(self._config().api.listen, host.addresses())

    def console(self) -> str:
        """Return where a phone gets to the console; "" where it does not."""
        with contextlib.suppress(EdgeUnavailable):
            return next((place for place in self.reached() if not is_loopback(urlsplit(place).hostname or "")), "")
        return ""

    def _waiting(self) -> pages.Waiting:
        kernel, clocks = self._kernel(), Clocks(time.monotonic(), time.time())
        since = kernel.ladder.incident.since if kernel.ladder.incident else None
        return pages.Waiting(public(self._config().url or ""), kernel.judgement.why, clocks.text(since) or "", self._machine())

    def _machine(self) -> str:
        return " · ".join([socket.gethostname(), *host.addresses(), f"kioskd {__version__}"])
