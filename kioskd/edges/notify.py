"""What systemd is told. kioskd reports here that it is ready, what it is doing, and that its loop still turns."""

import logging
import os
import time
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

SEND_S = 0.5  # systemd may be slow to empty its queue; the loop waits for it no longer than this


class NullNotify:
    """Nobody listens."""

    watchdog_period_s: float | None = None  # systemd's WatchdogSec; None: it does not watch

    def ready(self) -> None:
        """Say that start-up, or a reload, is finished."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again; ``ready`` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Show this line in ``systemctl status``; sent only when it changed."""

    def watchdog(self) -> None:
        """Say that a turn of the loop is finished; sent at most three times a period."""

    def _send(self, message: str) -> bool:
        return True


class Notify(NullNotify):
    """systemd's socket, spoken to through the sdnotify library."""

    def __init__(self, notifier: Any, watchdog_period_s: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Speak through an ``sdnotify.SystemdNotifier`` made with ``debug``; ``clock`` counts seconds."""
        self.watchdog_period_s = watchdog_period_s
        self._notifier = notifier
        self._clock = clock
        self._status = ""
        self._pinged: float | None = None
        self._deaf = False

    def status(self, text: str) -> None:
        """Show this line in ``systemctl status``; sent only when it changed."""
        line = " ".join(text.split())
        if line != self._status and self._send(f"STATUS={line}"):
            self._status = line

    def watchdog(self) -> None:
        """Say that a turn of the loop is finished; sent at most three times a period."""
        if self.watchdog_period_s is None:
            return
        now = self._clock()
        if (self._pinged is None or now - self._pinged >= self.watchdog_period_s / 3) and self._send("WATCHDOG=1"):
            self._pinged = now

    def _send(self, message: str) -> bool:
        # sdnotify encodes as Latin-1, systemd reads UTF-8: these characters become the right bytes.
        try:
            self._notifier.notify(message.encode("utf-8", "replace").decode("latin-1"))
        except OSError as error:
            if not self._deaf:
                log.warning("Cannot notify systemd: %s", error)
            self._deaf = True
            return False
        self._deaf = False
        return True


def take() -> NullNotify:
    """Take systemd's variables out of the environment, so that no child inherits them, and return who listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    period_s = _period_s(os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", ""))
    try:
        if not address:
            return NullNotify()
        if address.startswith("/"):
            os.stat(address)  # sdnotify would leave its socket behind
        import sdnotify

        notifier = sdnotify.SystemdNotifier(debug=True)  # reads os.environ; debug: failures are raised, not swallowed
        notifier.socket.settimeout(SEND_S)
        return Notify(notifier, period_s)
    except (OSError, ImportError) as error:
        log.warning("Cannot reach systemd at %s: %s", address, error)
        return NullNotify()
    finally:
        os.environ.pop("NOTIFY_SOCKET", None)


def _period_s(microseconds: str, pid: str) -> float | None:
    """Return the watchdog's period where there is one and it is meant for this process."""
    if not microseconds.isdecimal() or int(microseconds) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 1e6
