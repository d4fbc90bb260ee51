"""Row 11: the page is somewhere else."""

import asyncio
import socket
import time

from kioskd.core.steps import AWAY_S
from tests.faults import inside
from tests.faults.case import Control, Touches, case
from tests.faults.cases.server import RECONNECTS
from tests.faults.fronts import NAME, NameServer
from tests.faults.scene import Scene
from tests.faults.stage import START_S

HOME_S = 5.0
PATIENT = "options timeout:30 attempts:2\n"  # who looks a name up so is at it for longer than a load is given

#: A label has 63 letters at most (RFC 1035): this one fails without a question to the machine's name server, which may take its time.
NO_NAME = f"n{'o' * 64}-such-name.test"

#: Where a page may go, in words; and the address, "{other}" being the other site, "{port}" a port of ours that speaks no TLS.
PLACES: dict[str, tuple[str, str]] = {
    "another-site": ("another site", "{other}login.html"),
    "a-port-where-nobody-listens": ("a port where nobody listens", "http://127.0.0.1:2442/"),
    "a-forbidden-port": ("a port that Chromium forbids", "http://127.0.0.1:2/"),
    "an-unknown-name": ("a name that nobody knows", f"http://{NO_NAME}/"),
    "where-no-tls-is": ("https, and the server speaks http", "https://127.0.0.1:{port}/"),
    "a-blank-page": ("about:blank", "about:blank"),
    "its-own-blob": ("a document that it has made itself", "javascript:location.href=URL.createObjectURL(new Blob(['<p>hello']))"),
}

#: Of these the page might come back by itself: it may be between two redirects.
READABLE = ("another-site", "its-own-blob")

for each, (what, url) in PLACES.items():

    @case(
        "11", name=f"went-to-{each}", within=lambda t: HOME_S, touches=Touches.PAGE, what=what, url=url,
        not_before=(lambda t: AWAY_S) if each in READABLE else None,
    )  # fmt: skip
    async def went_to(scene: Scene, what: str, url: str) -> None:
        """The page goes to {what}."""
        await scene.start()
        await scene.dashboard.do("navigate_away", url=url.format(other=scene.dashboard.other_url, port=scene.dashboard.port))


@case("11", within=lambda t: HOME_S, touches=Touches.PAGE)
async def sent_to_a_login(scene: Scene) -> None:
    """The session has ended, once: a reload leads to a login page elsewhere, and the next request would be let through."""
    await scene.start()
    scene.begins()
    moment = time.monotonic()
    await scene.dashboard.switch(index="redirect_login")
    await scene.dashboard.do("reload_self")
    await scene.asks_for("/", HOME_S, moment)
    await scene.dashboard.switch(index="normal")


@case(
    "11", within=lambda t: t.interval + 5, touches=Touches.PAGE,
    instead="home itself is elsewhere: there is nothing to go to until it is mended, which a look finds, as in row 10",
)  # fmt: skip
async def home_leads_to_a_login(scene: Scene) -> None:
    """Home itself leads to a login page elsewhere, for a while."""
    await scene.start()
    moment = time.monotonic()
    await scene.dashboard.switch(index="redirect_login")
    await scene.dashboard.do("reload_self")
    await scene.asks_for("/", START_S, moment)
    await scene.holds(verdict="UNREADABLE")
    await scene.lasts(scene.times.restart_after)
    await scene.shows(1, page__url=lambda url: url.startswith("data:"))  # it does not go back and forth
    await scene.dashboard.switch(index="normal")


@case("11", within=lambda t: HOME_S, touches=Touches.PAGE)
async def closed_itself(scene: Scene) -> None:
    """The page closes its window."""
    scene.flags.append("--blink-settings=allowScriptsToCloseWindows=true")
    await scene.start()
    await scene.dashboard.do("window_close")


@case("11", undisturbed=lambda t: HOME_S, control=Control.NONE, why="the only page of a window can always close it")
async def may_not_close_itself(scene: Scene) -> None:
    """The page would close its window, and Chromium does not let it, because it has a history."""
    await scene.start()
    await scene.dashboard.do("navigate_away", url=scene.url + "?a-second-entry")
    await scene.again(START_S)
    await scene.dashboard.do("window_close")


@case("11", within=lambda t: HOME_S, touches=Touches.PAGE, control=Control.NONE, why="without kioskd there is nothing to go back to")
async def went_back(scene: Scene) -> None:
    """The page goes back in its history, to the page that kioskd starts with."""
    await scene.start()
    await scene.dashboard.do("navigate_away", url="javascript:history.back()")


@case("11", undisturbed=lambda t: t.load_timeout + AWAY_S + 5, control=Control.HEALS, why="the old document lives on under the load")
async def went_where_nobody_answers(scene: Scene) -> None:
    """The page goes to a server that accepts and never answers."""
    mute = scene.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    await scene.start()
    await scene.dashboard.do("navigate_away", url=f"http://127.0.0.1:{mute.getsockname()[1]}/")


@case(
    "11", undisturbed=lambda t: t.load_timeout + AWAY_S + 5, control=Control.HEALS, why="the old document lives on under the load",
    inside=True,
)  # fmt: skip
async def went_to_a_name_that_is_still_looked_up(scene: Scene) -> None:
    """The page goes to a name that the name server takes, and says nothing of."""
    names = NameServer()
    names.silent = True
    where = await scene.stack.enter_async_context(names.listening())
    await inside.replace("/etc/resolv.conf", where + PATIENT, scene.folder)
    await scene.start()
    await scene.dashboard.do("navigate_away", url=f"http://{NAME}/")
    async with asyncio.timeout(HOME_S):
        await names.asked.wait()


@case("11", undisturbed=lambda t: t.restart_after, control=Control.HEALS, why=RECONNECTS)
async def moved_within_its_own_document(scene: Scene) -> None:
    """The page changes its address without a load, as single-page applications do."""
    await scene.start()
    await scene.dashboard.do("navigate_away", url="javascript:history.pushState(null, '', '/rooms/5'); location.hash = 'now'; void 0")
