"""Rows 5, 6, 7 and the second half of 23: the page's live connection is dead, and the server is up."""

import time
from typing import Any

from kioskd.core.link import AUTO_SILENCE_S, TALKATIVE_MESSAGES
from kioskd.core.steps import LAST_PACE_S
from kioskd.demo.kiosk import merged
from tests.faults.case import Touches, case
from tests.faults.scene import Scene
from tests.faults.stage import START_S

SILENCE_S = 3.0
PACE_S = 1.0  # of the dashboard's messages: silence counts from the last one before the fault

#: Where the connection lives, and what else is open meanwhile and must not count.
PAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "socket": ("its WebSocket", {}),
    "event-source": ("its event stream", {"transport": "event_source"}),
    "worker": ("the WebSocket of its worker", {"transport": "worker"}),
    "frame": ("the WebSocket of a frame", {"transport": "iframe_same"}),
    "srcdoc-frame": ("the WebSocket of a frame without an address", {"transport": "iframe_srcdoc"}),
    "foreign-frame": ("the WebSocket of a frame from another site", {"transport": "iframe_other"}),
    "development": ("its WebSocket, and a development socket lives on", {"dev_socket": True}),
    "analytics": ("its WebSocket, and one to another site lives on", {"analytics": True}),
    "cookie": ("its WebSocket, whose handshake needs its cookie", {"cookie": True}),
}


def silent_after(scene: Scene, seconds: float) -> None:
    """Tell kioskd after how long a silence means death."""
    scene.config = merged(scene.config, {"health": {"websocket": {"silence": seconds}}})


async def talkative(scene: Scene) -> None:
    """Let the connection carry so many messages that kioskd expects more of them."""
    await scene.dashboard.back(START_S, after=time.monotonic() + (TALKATIVE_MESSAGES + 5) * PACE_S)
    await scene.note()


# --- row 5 --------------------------------------------------------------------------------------

for each, (what, switches) in PAGES.items():

    @case(
        "5", name=f"gave-up-{each}", within=lambda t: t.reload_after + 7, not_before=lambda t: t.reload_after, touches=Touches.PAGE,
        what=what, switches=switches,
    )  # fmt: skip
    async def gave_up(scene: Scene, what: str, switches: dict[str, Any]) -> None:
        """The page gives up {what}; the server is up."""
        await scene.dashboard.switch(**switches)
        scene.learnt = False
        await scene.start()
        if switches.get("cookie"):  # the probe has none
            await scene.shows(1, server__socket=lambda answer: answer["status"] == 403)
        await scene.dashboard.do("give_up")


@case("5", within=lambda t: t.reload_after + 7, not_before=lambda t: t.reload_after, touches=Touches.PAGE)
async def reset_and_never_tried_again(scene: Scene) -> None:
    """The connection is reset, and the page never tries again."""
    await scene.dashboard.switch(retry="weak", tries=0)
    await scene.start()
    await scene.dashboard.do("drop")


# --- row 6 --------------------------------------------------------------------------------------


@case("6", within=lambda t: t.restart_after + t.cold + 5, not_before=lambda t: t.restart_after, touches=Touches.BROWSER)
async def new_documents_open_none(scene: Scene) -> None:
    """The page gives up its WebSocket, and the document that a reload brings opens none."""
    scene.learnt = False
    await scene.start()
    scene.begins()
    moment = time.monotonic()
    await scene.dashboard.do("give_up_and_new_documents_open_none")
    await scene.asks_for("/settings", scene.times.reload_after + 7, moment, ends=True)
    await scene.dashboard.switch(transport="websocket")  # the reloaded document has been told to open none: only the next one will


@case("6", within=lambda t: t.restart_after + t.cold + 5, not_before=lambda t: t.reload_after)
async def lost_on_a_page_of_its_own_site(scene: Scene) -> None:
    """The page goes to another page of its own server, which holds no connection: a reload brings only that one."""
    await scene.start()
    await scene.dashboard.do("navigate_away", url=scene.url + "healthz")


# --- row 7, inside one machine (between machines: network.py) -----------------------------------

for transport in ("websocket", "event_source"):

    @case(
        "7", name=f"{transport}-half-open", within=lambda t: SILENCE_S + t.reload_after + 7,
        not_before=lambda t: SILENCE_S + t.reload_after - PACE_S, touches=Touches.PAGE,
        what=transport.replace("_", " "), transport=transport,
    )  # fmt: skip
    async def half_open(scene: Scene, what: str, transport: str) -> None:
        """The {what} stays open, and the server has forgotten it (`silence` set)."""
        await scene.dashboard.switch(transport=transport)
        silent_after(scene, SILENCE_S)
        scene.learnt = False
        await scene.start()
        await scene.dashboard.do("half_open")


@case("7", within=lambda t: SILENCE_S + t.reload_after + 7, not_before=lambda t: SILENCE_S + t.reload_after - PACE_S, touches=Touches.PAGE)
async def network_service_frozen(scene: Scene) -> None:
    """The browser's network service is stopped: nothing comes, and nothing can be loaded (`silence` set)."""
    silent_after(scene, SILENCE_S)
    await scene.start()
    scene.victim.freeze("network.mojom.NetworkService")


@case(
    "7", within=lambda t: AUTO_SILENCE_S + t.reload_after + 7, not_before=lambda t: AUTO_SILENCE_S + t.reload_after - PACE_S,
    touches=Touches.PAGE, slow=True,
)  # fmt: skip
async def half_open_auto(scene: Scene) -> None:
    """The connection stays open, and the server has forgotten it: it is silent for longer than it ever was (`silence: auto`)."""
    await scene.start()
    await talkative(scene)
    await scene.dashboard.do("half_open")


# --- row 23 -------------------------------------------------------------------------------------


async def is_closed_at_once(scene: Scene) -> float:
    """The server closes each connection as soon as it has accepted it; return the moment."""
    moment = time.monotonic()
    await scene.dashboard.switch(socket="accept_and_close")
    await scene.dashboard.do("drop")
    return moment


@case("23", within=lambda t: t.reload_after + 7, not_before=lambda t: t.reload_after, touches=Touches.PAGE, once=True)
async def closed_at_once_until_a_reload(scene: Scene) -> None:
    """The server closes each connection at once, until the page is loaded again."""
    scene.learnt = False
    await scene.start()
    scene.begins()
    moment = await is_closed_at_once(scene)
    await scene.asks_for("/", scene.times.reload_after + 7, moment, ends=True)
    await scene.dashboard.switch(socket="normal")


@case("23", within=lambda t: t.restart_after + t.cold + 5, not_before=lambda t: t.restart_after, touches=Touches.BROWSER)
async def closed_at_once_until_a_restart(scene: Scene) -> None:
    """The server closes each connection at once, until the browser is another one."""
    await scene.start()
    pid = scene.pid
    scene.begins()
    moment = await is_closed_at_once(scene)
    await scene.restarted(scene.times.restart_after, scene.times.restart_after + scene.times.cold + 5, moment, ends=True)
    scene.pid = pid
    await scene.dashboard.switch(socket="normal")


@case("23", within=lambda t: LAST_PACE_S + 7, not_before=lambda t: LAST_PACE_S - t.cold - 5, touches=Touches.PAGE, slow=True)
async def closed_at_once_for_ever(scene: Scene) -> None:
    """The server closes each connection at once, for ever: counted from the third restart, until the next reload."""
    await scene.start()
    times, moment = scene.times, await is_closed_at_once(scene)
    await scene.asks_for("/", times.reload_after + 7, moment)
    for restart in (1, 2, 3):
        await scene.restarted(restart * times.restart_after, restart * times.restart_after + times.cold + 5, moment)
    scene.begins()
    await scene.asks_for("/", START_S, time.monotonic())
    moment = time.monotonic()
    await scene.shows(times.restart_after, needs_person=True, verdict="STUCK", next__action="reload the page")
    await scene.asks_for("/", LAST_PACE_S + 7, moment, ends=True)
    await scene.dashboard.switch(socket="normal")
