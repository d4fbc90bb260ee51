"""What can go wrong, as one tree:

KioskdError
├── ConfigError       the configuration is bad; carries every mistake with its line
├── BrowserGone       the browser has ended, or could not be started
├── CdpError          the browser answered a DevTools command with an error
├── CdpClosed         the DevTools pipe ended while a command was pending
└── EdgeUnavailable   something outside cannot be had now (a port, a folder, a socket)

Expected trouble is a fact, not an exception; these travel from an edge's helper to the edge's verb, which ends in a fact.
"""


class KioskdError(Exception):
    """Something a person can be told in one sentence."""


class ConfigError(KioskdError):
    """The configuration cannot be used. ``mistakes`` are sentences with file, line and key."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class BrowserGone(KioskdError):
    """The browser has ended, or could not be started."""


class CdpError(KioskdError):
    """The browser refused a DevTools command."""

    def __init__(self, method: str, message: str) -> None:
        super().__init__(f"{method}: {message}")


class CdpClosed(KioskdError):
    """The DevTools pipe ended."""


class EdgeUnavailable(KioskdError):
    """Something outside cannot be had at present."""
