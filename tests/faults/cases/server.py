"""Rows 8, 9, 10, 24 and 25: the server is restarted, away, refusing, silent, or somebody else stands in front of it."""

import time
from typing import Any

from kioskd.demo.dist import How
from kioskd.demo.kiosk import merged
from tests.faults.case import Control, Touches, case, shipped
from tests.faults.scene import Scene, tried_again
from tests.faults.stage import START_S

RESTART_S = 3.0
BUSY_S = 8.0
SILENCE_S = 3.0

#: Of a page that has given up long before its server returns: nobody but kioskd can help it.
WEAK: dict[str, Any] = {"retry": "weak", "tries": 2, "retry_s": 0.5}

#: Chromium itself puts tries off after some failures, by up to 5 s: one that tried again in a short outage might be lucky.
WEAKEST: dict[str, Any] = {"retry": "weak", "tries": 0}

RECONNECTS = "the page reconnects by itself"

#: What is wrong with the server, in words, and by the switch of the demo's front; "down" is not a switch.
FRONTS: dict[str, tuple[str, dict[str, Any]]] = {
    "down": ("is down", {}),
    "error-500": ("answers 500, with a page", {"http": "500"}),
    "empty-502": ("answers 502, with nothing", {"http": "502"}),
    "silence": ("accepts, and never answers", {"http": "hang"}),
}

#: An error page of Chromium's own is tried again 1 s, 5 s and 30 s after it came. The last is after the mend.
LATE: dict[str, Any] = {"control": Control.LATE, "why": "Chromium tries an error page of its own again, 30 s after it came"}


async def breaks(scene: Scene, front: dict[str, Any]) -> None:
    """Let the server be like that, and cut all connections."""
    await (scene.dashboard.switch(**front) if front else scene.dashboard.do("down"))
    await scene.dashboard.do("drop")


async def mend(scene: Scene) -> None:
    """All is well with the server from now on."""
    await scene.dashboard.switch(http="normal")
    await scene.dashboard.do("up")
    scene.begins()


async def outage(scene: Scene, seconds: float) -> None:
    """The server is killed, stays away for so long, and is started again."""
    await scene.dashboard.kill()
    await scene.lasts(seconds)
    await scene.dashboard.start()
    scene.begins()


# --- row 8: nothing is to be done ---------------------------------------------------------------

for transport in ("websocket", "event_source"):

    @case(
        "8", name=f"{transport}-server-restarts", undisturbed=lambda t: t.restart_after + 5, control=Control.HEALS, why=RECONNECTS,
        what=transport.replace("_", " "), transport=transport,
    )  # fmt: skip
    async def server_restarts(scene: Scene, what: str, transport: str) -> None:
        """The server is killed, and is up again in 3 s; the page's {what} reconnects by itself."""
        await scene.dashboard.switch(transport=transport)
        scene.learnt = False
        await scene.start()
        await outage(scene, RESTART_S)


@case("8", undisturbed=lambda t: t.restart_after + 5, control=Control.HEALS, why=RECONNECTS)
async def server_restarts_behind_a_proxy(scene: Scene) -> None:
    """The server restarts in 3 s behind a proxy, which answers 502 meanwhile."""
    await scene.start()
    await breaks(scene, {"http": "502"})
    await scene.lasts(RESTART_S)
    await mend(scene)


@case("8", undisturbed=lambda t: t.restart_after + 5, control=Control.HEALS, why=RECONNECTS)
async def server_restarts_three_times(scene: Scene) -> None:
    """The server crashes three times in a row, a second after it was started."""
    await scene.start()
    for _ in range(3):
        await outage(scene, 1)
        await scene.lasts(1)


@case("8", undisturbed=lambda t: t.restart_after + 5, control=Control.HEALS, why="the server goes on where it was")
async def server_stops_for_a_while(scene: Scene) -> None:
    """The server stands still for 5 s, its connections open, and goes on (`silence` set)."""
    scene.config = merged(scene.config, {"health": {"websocket": {"silence": SILENCE_S}}})
    await scene.start()
    scene.dashboard.freeze()
    await scene.lasts(SILENCE_S + 2)
    scene.dashboard.thaw()


@case("8", undisturbed=lambda t: t.restart_after + 5, control=Control.HEALS, why=RECONNECTS)
async def connection_flaps(scene: Scene) -> None:
    """The connection is reset three times, as soon as it is open again."""
    await scene.dashboard.switch(retry_s=0.5)
    await scene.start()
    for _ in range(3):
        await scene.dashboard.do("drop")
        await scene.dashboard.back(10)


@case("8", undisturbed=lambda t: BUSY_S + 4, control=Control.HEALS, why="the page comes round")
async def page_is_busy(scene: Scene) -> None:
    """A script of the page takes 8 s."""
    scene.config = merged(scene.config, {"health": {"page": {"hang_after": shipped().hang_after}}})
    await scene.start()
    await scene.dashboard.do("busy", seconds=BUSY_S)


@case("8", undisturbed=lambda t: 3 * t.restart_after, control=Control.HEALS, why="nothing is wrong with it", unheard=True)
async def closed_on_purpose(scene: Scene) -> None:
    """The page closes its connection on purpose."""
    scene.learnt = False
    await scene.start()
    await scene.dashboard.do("close_on_purpose")


# --- row 9: the server is away for long ---------------------------------------------------------


@case("9", within=lambda t: t.interval + 15, touches=Touches.PAGE, once=True)
async def page_gave_up_in_a_long_outage(scene: Scene) -> None:
    """The server is killed and away for long; the page has given up long before."""
    await scene.dashboard.switch(**WEAK)
    await scene.start()
    await scene.dashboard.kill()
    await scene.lasts(scene.times.outage)
    await scene.shows(1, verdict="SERVER_DOWN", page__url=scene.url)
    await scene.dashboard.start()
    scene.begins()
    await scene.untouched()


@case("9", undisturbed=lambda t: t.restart_after + 5, control=Control.HEALS, why=RECONNECTS)
async def page_reconnects_after_a_long_outage(scene: Scene) -> None:
    """The server is killed and away for long; the page reconnects by itself."""
    await scene.start()
    await outage(scene, scene.times.outage)


@case("9", within=lambda t: t.interval + 15, touches=Touches.PAGE, once=True)
async def page_gave_up_in_a_short_restart(scene: Scene) -> None:
    """The server is up again in 3 s, and that was too late for the page."""
    await scene.dashboard.switch(**WEAKEST)
    await scene.start()
    await outage(scene, RESTART_S)


@case("9", within=lambda t: t.interval + 15, touches=Touches.PAGE)
async def server_flaps(scene: Scene) -> None:
    """The server is down, up for a second, and down again, three times; the page has given up."""
    await scene.dashboard.switch(**WEAKEST)
    await scene.start()
    for _ in range(3):
        await outage(scene, RESTART_S)
        await scene.lasts(1)


@case("9", within=lambda t: t.interval + 15, touches=Touches.PAGE)
async def server_hung_and_was_killed(scene: Scene) -> None:
    """The server stands still, and is killed and started by somebody after a while; the page gives up then."""
    await scene.dashboard.switch(**WEAKEST)
    await scene.start()
    scene.dashboard.freeze()
    await scene.lasts(scene.times.restart_after)
    await outage(scene, RESTART_S)


#: What a proxy lets through to a server whose live part alone is away.
HALVES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "proxy-answers-502": ("A proxy answers 502 for long", {"http": "502"}, {"http": "normal"}),
    "handshake-503": ("The page can be had, and its handshake is answered 503", {"socket": "refuse"}, {"socket": "normal"}),
    "handshake-404": ("The page can be had, and its handshake is answered 404", {"socket": "not_served"}, {"socket": "normal"}),
}

for each, (what, away, well) in HALVES.items():

    @case("9", name=each, within=lambda t: t.interval + 15, touches=Touches.PAGE, what=what, away=away, well=well)
    async def half_away(scene: Scene, what: str, away: dict[str, Any], well: dict[str, Any]) -> None:
        """{what}; the page has given up."""
        await scene.dashboard.switch(**WEAKEST)
        await scene.start()
        await breaks(scene, away)
        await scene.lasts(2 * scene.times.restart_after)
        await scene.untouched()
        await scene.dashboard.switch(**well)


@case("9", within=lambda t: t.interval + 15, touches=Touches.PAGE)
async def event_stream_answered_with_an_error(scene: Scene) -> None:
    """An event stream is answered with an error, once: a browser does not try such a one again, and nor does the page."""
    await scene.dashboard.switch(transport="event_source", retry="weak", tries=1, retry_s=0.5)
    scene.learnt = False
    await scene.start()
    moment = time.monotonic()
    await breaks(scene, {"socket": "refuse"})
    await scene.asks_for("/events", 5, moment)
    await scene.dashboard.switch(socket="normal")


@case("9", within=lambda t: t.interval + 15, touches=Touches.PAGE)
async def handshake_refused_at_boot(scene: Scene) -> None:
    """The page is there from the start, and its handshake is answered 503 for so long that it gives up."""
    await scene.dashboard.switch(socket="refuse", **WEAK)
    await scene.start(waits=False)
    await scene.asks_for("/ws", START_S, 0)
    await scene.lasts(scene.times.restart_after)
    await scene.dashboard.switch(socket="normal")


# --- row 10: the page cannot be had -------------------------------------------------------------

for front, (what, switches) in FRONTS.items():
    errs: dict[str, Any] = LATE if front in ("down", "empty-502") else {}

    @case("10", name=f"{front}-at-boot", within=lambda t: t.interval + 5, touches=Touches.PAGE, **errs, what=what, switches=switches)
    async def away_at_boot(scene: Scene, what: str, switches: dict[str, Any]) -> None:
        """The server {what} when the screen is switched on, and for a while."""
        await breaks(scene, switches)
        await scene.start(waits=False)
        await scene.holds(browser__state="up", server__up=False)
        await tried_again(scene)
        await mend(scene)

    @case(
        "10", name=f"{front}-and-reloaded-into-it", touches=Touches.PAGE,
        within=(lambda t: t.interval + 15) if front == "silence" else (lambda t: t.interval + 5),
        instead="the old document stands and can be read: it has the time after an outage, as in row 9" if front == "silence" else "",
        **errs, what=what, switches=switches,
    )  # fmt: skip
    async def reloaded_into_it(scene: Scene, what: str, switches: dict[str, Any]) -> None:
        """The page reloads itself when its connection goes, and the server {what}."""
        await scene.dashboard.switch(on_close="reload")
        await scene.start()
        await breaks(scene, switches)
        if switches.get("http") == "hang":
            await scene.shows(START_S, verdict="SERVER_DOWN", page__url=scene.url)
        else:
            await scene.holds(server__up=False)
        await tried_again(scene)
        await mend(scene)


@case("10", within=lambda t: t.interval + 5, touches=Touches.PAGE, control=Control.HEALS, why="Chromium waits for minutes")
async def stopped_at_boot(scene: Scene) -> None:
    """The server's process is stopped when the screen is switched on: the kernel accepts, nobody answers; then it goes on."""
    scene.dashboard.freeze()
    await scene.start(waits=False)
    await scene.holds(server__up=False)
    await tried_again(scene)
    scene.dashboard.thaw()


@case("10", within=lambda t: t.interval + 5, touches=Touches.PAGE)
async def no_build_at_boot(scene: Scene) -> None:
    """The server is there before its front end is built: it answers 404."""
    scene.dashboard.deploy("1", How.REMOVE)
    await scene.start(waits=False)
    await scene.holds()
    await tried_again(scene)
    scene.begins()
    await scene.deploy("1")


@case("10", within=lambda t: t.interval + 5, touches=Touches.PAGE)
async def server_comes_up_by_and_by(scene: Scene) -> None:
    """At boot the server refuses, then its proxy answers 502, then nothing, then 500; then all is well."""
    await breaks(scene, {})
    await scene.start(waits=False)
    await scene.holds(server__up=False)
    await tried_again(scene)
    for http in ("502", "hang", "500"):
        await scene.dashboard.switch(http=http)
        await scene.dashboard.do("up")
        await scene.lasts(2 * scene.times.interval)
    await mend(scene)


# --- row 24: the ungated rule -------------------------------------------------------------------


@case("24", within=lambda t: t.interval + 5, touches=Touches.PAGE)
async def restarted_once_in_an_outage(scene: Scene) -> None:
    """The server is down, the page gives up, and outages are to restart the browser: it is restarted once, and waits for the server."""
    scene.config = merged(scene.config, {"health": {"websocket": {"during_outage": "restart"}}})
    await scene.dashboard.switch(**WEAKEST)
    await scene.start()
    await scene.dashboard.kill()
    await scene.restarted(scene.times.restart_after, scene.times.restart_after + 5)
    await scene.holds()
    await scene.lasts(2 * scene.times.restart_after)
    await scene.dashboard.start()


# --- row 25: somebody else answers --------------------------------------------------------------

PORTALS: dict[str, tuple[str, str]] = {
    "portal": ("a captive portal, or a maintenance page (200, HTML)", "portal"),
    "redirecting-portal": ("a captive portal that leads to its own address", "redirect_login"),
    "maintenance-page": ("a maintenance page (500, HTML)", "500"),
}

for each, (what, http) in PORTALS.items():

    @case("25", name=f"{each}-before-a-readable-page", within=lambda t: t.interval + 15, touches=Touches.PAGE, what=what, http=http)
    async def readable_behind(scene: Scene, what: str, http: str) -> None:
        """The page's connection goes, it gives up, and what would be loaded is {what}."""
        await scene.dashboard.switch(**WEAK)
        await scene.start()
        await breaks(scene, {"http": http})
        await scene.lasts(2 * scene.times.restart_after)
        await scene.untouched()
        await mend(scene)


for each in ("portal", "redirecting-portal"):

    @case("25", name=f"{each}-at-boot", within=lambda t: t.interval + 15, what=PORTALS[each][0], http=PORTALS[each][1])
    async def portal_at_boot(scene: Scene, what: str, http: str) -> None:
        """When the screen is switched on there is {what}."""
        await scene.dashboard.switch(http=http)
        await scene.start(waits=False)
        await scene.lasts(scene.times.restart_after)
        await mend(scene)

    @case("25", name=f"{each}-and-reloaded-into-it", within=lambda t: t.interval + 15, what=PORTALS[each][0], http=PORTALS[each][1])
    async def reloaded_into_a_portal(scene: Scene, what: str, http: str) -> None:
        """The page reloads itself when its connection goes, and what it gets is {what}."""
        await scene.dashboard.switch(on_close="reload")
        await scene.start()
        await breaks(scene, {"http": http})
        await scene.lasts(scene.times.restart_after)
        await mend(scene)
