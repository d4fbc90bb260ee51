"""What pages are kept from through DevTools: prompts, dialogs, keys that lead out; and whether Chromium's policy keeps them, too."""

import asyncio
from importlib import resources

from kioskd.edges.cdp_pipe import CdpPipe
from kioskd.wire.cdp import Answer
from kioskd.wire.flags import FORBIDDEN, START_PAGE

GUARDS = resources.files("kioskd.edges").joinpath("guards.js").read_text("utf-8").strip()
POLICY_S = 1.0  # the start page's frame has come by then

_BLOCKED = "net::ERR_BLOCKED_BY_ADMINISTRATOR"
# Prompts cannot be seen through DevTools and nobody could answer them, so each is answered before it is asked.
DENIED = (
    "background-sync",
    "camera",
    "clipboard-read",
    "display-capture",
    "geolocation",
    "idle-detection",
    "local-network",
    "local-network-access",
    "loopback-network",
    "microphone",
    "midi",
    "notifications",
    "persistent-storage",
    "storage-access",
    "window-management",
)
_TO_US = ("local-network-access", "loopback-network")  # a page from outside may call the kioskd beside it: the older and the newer name


class Confinement:
    """``name``: of the world in which frames are guarded."""

    def __init__(self, pipe: CdpPipe, name: str) -> None:
        self._pipe, self._name = pipe, name
        self._admitted: frozenset[str] = frozenset()
        self._tries = self._to_be_told = False
        self._refused: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()  # whether that was refused; None: unknown

    def begin(self, tries: bool) -> None:
        """Answer what would be asked. ``tries``: to go to a forbidden place, from the start page's frame."""
        self._tries = self._to_be_told = tries
        for name in DENIED:
            self._pipe.send("Browser.setPermission", {"permission": {"name": name}, "setting": "denied"})
        self._pipe.send("Browser.setDownloadBehavior", {"behavior": "deny"})

    def hold(self, session: str, frame: str | None) -> None:
        """Keep a page, or a ``frame`` with a session of its own, from dialogs."""
        self._pipe.send("Page.setInterceptFileChooserDialog", {"enabled": True}, session)  # the policy's refusal would leave a bar
        self._pipe.send("WebAuthn.enable", {"enableUI": False}, session)  # its dialog would take the keyboard, and stand for ever
        if frame is not None:
            self.guard(session, frame)
        elif self._tries:
            self._pipe.send("Page.getFrameTree", session=session, then=lambda answer: self._in_start_page(session, answer))

    def guard(self, session: str | None, frame: str) -> None:
        """Guard a frame whose scripts may be forbidden: no observer is there, but a world of our own has its listeners there too."""

        def made(answer: Answer) -> None:
            if answer.error is None:
                guards = f"({GUARDS})((type, hear, how = true) => addEventListener(type, hear, how))"
                self._pipe.send("Runtime.evaluate", {"expression": guards, "contextId": answer.result.get("executionContextId")}, session)

        self._pipe.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": self._name}, session, made)

    def admit(self, origins: frozenset[str]) -> None:
        """Let pages of these origins, and no others, call this machine. Chromium would ask its user."""
        for origin in self._admitted ^ origins:
            setting = "granted" if origin in origins else "denied"
            for name in _TO_US:
                self._pipe.send("Browser.setPermission", {"permission": {"name": name}, "setting": setting, "origin": origin})
        self._admitted = origins

    # --- whether Chromium follows kioskd's managed policy

    async def tried(self) -> None:
        """Wait until that is known, where it is tried: for a tenth of a second."""
        if self._to_be_told:
            await asyncio.wait([self._refused], timeout=POLICY_S)

    @property
    def policy_in_force(self) -> bool | None:
        """Whether it does: a policy that is no JSON it ignores in silence. None: it cannot be told."""
        return self._refused.result() if self._refused.done() else None

    def _in_start_page(self, session: str, answer: Answer) -> None:
        tree = answer.result.get("frameTree", {})  # a quick browser has the frame already
        if tree.get("frame", {}).get("url") == START_PAGE:
            for child in tree.get("childFrames", ())[:1]:
                self.try_forbidden(session, str(child["frame"]["id"]))

    def try_forbidden(self, session: str | None, frame: str) -> None:
        """Try to go to a forbidden place, from a ``frame`` of the start page; once, where that is to be tried."""
        if not self._tries:
            return
        self._tries = False

        def answered(answer: Answer) -> None:
            if not self._refused.done():
                self._refused.set_result(None if answer.error is not None else answer.result.get("errorText") == _BLOCKED)

        self._pipe.send("Page.navigate", {"url": FORBIDDEN, "frameId": frame}, session, answered)
