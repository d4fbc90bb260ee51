"""Row 7 and its kin: between the page and its server packets are lost, late, refused, or none come at all; or a name leads nowhere."""

import asyncio

from kioskd.core.link import AUTO_SILENCE_S
from tests.faults import inside
from tests.faults.case import Control, Touches, case
from tests.faults.cases.connection import PACE_S, SILENCE_S, silent_after, talkative
from tests.faults.cases.server import LATE, RECONNECTS, WEAKEST
from tests.faults.fronts import NAME, Detour, Names, NameServer
from tests.faults.scene import Scene, tried_again

LIVES = "the connection lives"
CHANCE = "when Chromium puts its questions is chance"
LATENCY_S = 2.0
BLINK_S = 3.0
PUT_AGAIN_S = 15.0  # glibc puts a question twice, 5 s apart, and kioskd asks anew within 5 s of that


def by_name(scene: Scene) -> Names:
    """Let the page be asked for by a name, which leads nowhere yet."""
    names = Names(scene.folder)
    scene.environment, scene.url = names.variables, scene.url.replace("127.0.0.1", NAME)
    return names


async def by_name_server(scene: Scene) -> NameServer:
    """The same, and a name server knows it. Inside."""
    names = NameServer()
    await inside.replace("/etc/resolv.conf", await scene.stack.enter_async_context(names.listening()), scene.folder)
    scene.url = scene.url.replace("127.0.0.1", NAME)
    return names


# --- row 5: the server is up, and the page has lost it ------------------------------------------


@case("5", within=lambda t: t.reload_after + 7, not_before=lambda t: t.reload_after, touches=Touches.PAGE)
async def server_moved_with_its_name(scene: Scene) -> None:
    """The server has moved, and its name leads to it; the page has given up, and the browser still knows the old address."""
    names = by_name(scene)
    names.learn("127.0.0.2")
    await scene.dashboard.switch(**WEAKEST)
    async with Detour().before(scene.dashboard.url, "127.0.0.2", scene.dashboard.port):
        await scene.start()
        names.learn()


# --- row 7: half-open ---------------------------------------------------------------------------


@case("7", within=lambda t: SILENCE_S + t.reload_after + 7, touches=Touches.PAGE, inside=True)
async def packets_dropped(scene: Scene) -> None:
    """A router has forgotten the page's connection: its packets are dropped, and both ends hold it for open (`silence` set)."""
    silent_after(scene, SILENCE_S)
    await scene.start()
    await inside.half_open(scene.dashboard.port)


@case(
    "7", within=lambda t: AUTO_SILENCE_S + t.reload_after + 7, not_before=lambda t: AUTO_SILENCE_S + t.reload_after - PACE_S,
    touches=Touches.PAGE, inside=True, slow=True,
)  # fmt: skip
async def packets_dropped_auto(scene: Scene) -> None:
    """The same, and the page's connection is silent for longer than it ever was (`silence: auto`)."""
    await scene.start()
    await talkative(scene)
    await inside.half_open(scene.dashboard.port)


@case("6", within=lambda t: t.restart_after + t.cold + 5, inside=True)
async def gave_up_and_a_router_forgot_the_rest(scene: Scene) -> None:
    """The page gives up its WebSocket, and a router has forgotten the browser's idle connections: a reload on one of them hangs."""
    await scene.start()
    await scene.dashboard.do("give_up")
    await scene.dashboard.unconnected(5)
    await inside.half_open(scene.dashboard.port)


# --- row 8: nothing is to be done ---------------------------------------------------------------


@case("8", undisturbed=lambda t: t.restart_after + 5, control=Control.HEALS, why="packets are sent again", inside=True)
async def cable_out_for_a_moment(scene: Scene) -> None:
    """All packets are lost for 3 s: a cable that is pulled and put back."""
    await scene.start()
    await inside.cut(scene.dashboard.port)
    await scene.lasts(BLINK_S)
    await inside.mend()


@case("8", undisturbed=lambda t: t.restart_after, control=Control.HEALS, why="packets are sent again", inside=True)
async def heavy_loss(scene: Scene) -> None:
    """Three packets of ten are lost, each way, for long."""
    await scene.start()
    await inside.lose(scene.dashboard.port, 30)
    await scene.lasts(2 * scene.times.restart_after)
    await inside.mend()


@case("8", undisturbed=lambda t: t.interval + 5, control=Control.HEALS, why=LIVES)
async def latency_of_seconds(scene: Scene) -> None:
    """Everything takes two seconds longer, each way, for long."""
    detour = Detour()
    scene.url = await scene.stack.enter_async_context(detour.before(scene.url))
    await scene.start()
    detour.delay = LATENCY_S
    await scene.lasts(2 * scene.times.restart_after)
    await scene.untouched()
    detour.delay = 0.0


@case("8", undisturbed=lambda t: 2 * t.restart_after, control=Control.HEALS, why=LIVES, inside=True)
async def nobody_is_admitted(scene: Scene) -> None:
    """A firewall drops what would open a connection; the page's own lives on."""
    await scene.start()
    await inside.admit_nobody(scene.dashboard.port)


@case("8", undisturbed=lambda t: t.restart_after, control=Control.HEALS, why=LIVES)
async def name_is_lost(scene: Scene) -> None:
    """The server's name leads nowhere any more; the page's connection lives on."""
    names = by_name(scene)
    names.learn()
    await scene.start()
    names.forget()


# --- row 9: away for long -----------------------------------------------------------------------


@case("9", within=lambda t: t.interval + 15, touches=Touches.PAGE, inside=True)
async def cable_out_for_long(scene: Scene) -> None:
    """All packets are lost for so long that the server lets go of the connection; the page hears of that late or never, and gives up."""
    silent_after(scene, SILENCE_S)
    await scene.dashboard.switch(**WEAKEST)
    await scene.start()
    await inside.cut(scene.dashboard.port)
    await scene.dashboard.do("drop")
    await scene.lasts(scene.times.outage)
    await scene.untouched()
    await inside.mend()


@case("9", within=lambda t: t.interval + 15, touches=Touches.PAGE, inside=True)
async def firewall_rejects(scene: Scene) -> None:
    """A firewall refuses everything for long; the page has given up."""
    await scene.dashboard.switch(**WEAKEST)
    await scene.start()
    await inside.reject(scene.dashboard.port)
    await scene.lasts(2 * scene.times.restart_after)
    await scene.untouched()
    await inside.mend()


@case("9", undisturbed=lambda t: t.restart_after + 5, control=Control.HEALS, why=RECONNECTS, inside=True)
async def firewall_rejects_and_the_page_reconnects(scene: Scene) -> None:
    """A firewall refuses everything for a while; the page reconnects by itself."""
    await scene.start()
    await inside.reject(scene.dashboard.port)
    await scene.lasts(scene.times.restart_after)
    await inside.mend()


@case("9", within=lambda t: t.interval + 15, touches=Touches.PAGE)
async def name_is_lost_with_its_server(scene: Scene) -> None:
    """The server is restarted, and its name leads nowhere for long; the page has given up."""
    names = by_name(scene)
    names.learn()
    await scene.dashboard.switch(**WEAKEST)
    await scene.start()
    await scene.dashboard.kill()
    names.forget()
    await scene.dashboard.start()
    await scene.lasts(2 * scene.times.restart_after)
    await scene.untouched()
    names.learn()


@case("9", within=lambda t: t.interval + 15, touches=Touches.PAGE, inside=True)
async def name_server_silent_with_its_server(scene: Scene) -> None:
    """The server is restarted, and the name server says nothing for long; the page has given up."""
    names = await by_name_server(scene)
    await scene.dashboard.switch(**WEAKEST)
    await scene.start()
    await scene.dashboard.kill()
    names.silent = True
    await scene.dashboard.start()
    await scene.lasts(2 * scene.times.restart_after)
    await scene.untouched()
    names.silent = False


@case("9", within=lambda t: t.interval + 15, touches=Touches.PAGE)
async def server_got_another_address(scene: Scene) -> None:
    """The server's name leads to another address from now on, and at the old one nobody is left; the page has given up."""
    names = by_name(scene)
    names.learn("127.0.0.2")
    await scene.dashboard.switch(**WEAKEST)
    async with Detour().before(scene.dashboard.url, "127.0.0.2", scene.dashboard.port):
        await scene.start()
    await scene.lasts(scene.times.restart_after)
    names.learn()


# --- row 10: away at boot -----------------------------------------------------------------------


@case("10", within=lambda t: t.interval + 5, touches=Touches.PAGE, **LATE)
async def no_name_at_boot(scene: Scene) -> None:
    """The server's name leads nowhere when the screen is switched on, and for a while."""
    names = by_name(scene)
    await scene.start(waits=False)
    await scene.holds(verdict="UNREADABLE", server__up=False, server__home=lambda home: home and NAME in home["error"])
    await scene.lasts(scene.times.restart_after + 2)
    await tried_again(scene)
    names.learn()


@case("10", within=lambda t: t.interval + 5, touches=Touches.PAGE, inside=True, control=Control.NONE, why=CHANCE)
async def name_server_silent_at_boot(scene: Scene) -> None:
    """The name server takes the questions, and says nothing when the screen is switched on, and for a while."""
    names = await by_name_server(scene)
    names.silent = True
    await scene.start(waits=False)
    await scene.holds(server__up=False)
    await scene.lasts(scene.times.restart_after + 2)
    await tried_again(scene)
    names.silent = False


@case(
    "10", within=lambda t: t.interval + 5, touches=Touches.PAGE, inside=True,
    control=Control.NONE, why=CHANCE,
)  # fmt: skip
async def name_server_back_after_the_last_question(scene: Scene) -> None:
    """The same, and it is back just after a lookup has put its question for the last time: that fails, seconds later, of what was."""
    names = await by_name_server(scene)
    names.silent = True
    await scene.start(waits=False)
    await scene.holds(server__up=False)
    names.put_again.clear()
    async with asyncio.timeout(PUT_AGAIN_S):
        await names.put_again.wait()
    names.silent = False


@case(
    "10", within=lambda t: t.interval + 5, touches=Touches.PAGE, inside=True,
    control=Control.NONE, why="TCP asks again after 1, 3, 7, 15, 31 s …: whether that is soon enough is chance",
)  # fmt: skip
async def no_cable_at_boot(scene: Scene) -> None:
    """All packets are lost when the screen is switched on, and for a while."""
    await inside.cut(scene.dashboard.port)
    await scene.start(waits=False)
    await scene.holds(server__up=False)
    await tried_again(scene)
    await inside.mend()


@case("10", within=lambda t: t.interval + 5, touches=Touches.PAGE, inside=True, **LATE)
async def firewall_rejects_at_boot(scene: Scene) -> None:
    """A firewall says that this is forbidden when the screen is switched on, and for a while."""
    await inside.reject(scene.dashboard.port, "with icmpx type admin-prohibited")
    await scene.start(waits=False)
    await scene.holds(server__up=False)
    await tried_again(scene)
    await inside.mend()
