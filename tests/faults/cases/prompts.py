"""Row 27: Chromium wants something of a person, and there is none."""

from typing import Any

from kioskd.demo.dashboard import Dashboard
from tests.faults.case import Control, Touches, case
from tests.faults.cases.server import LATE
from tests.faults.fronts import Certificates
from tests.faults.scene import Scene, tried_again
from tests.faults.stage import START_S, remember

HOME_S = 5.0
HOLDING = "data:text/html;charset=utf-8;kioskd=holding"


def wants_a_password(home: dict[str, Any] | None) -> bool:
    """How the status names a sign-in at home."""
    return home is not None and home["status"] == 401


def of_tls(home: dict[str, Any] | None) -> bool:
    """How the status names a bad certificate at home."""
    return home is not None and (home["error"] or "").startswith("TLS:")


async def mended(scene: Scene, **switches: str) -> None:
    """The holding page has stood there for a while, and neither Chromium's own tries help any more; now it is mended."""
    await tried_again(scene)
    await scene.shows(0.5, page__url=HOLDING)
    scene.begins()
    await scene.dashboard.switch(**switches)


# --- a sign-in ----------------------------------------------------------------------------------


@case("27", within=lambda t: t.interval + 5, **LATE)
async def sign_in_on_load(scene: Scene) -> None:
    """The server asks for a name and a password when the browser starts; a while later no more."""
    await scene.dashboard.switch(http="basic_auth")
    await scene.start(waits=False)
    await scene.shows(START_S, page__url=HOLDING, server__home=wants_a_password, why=lambda why: "asks for a sign-in" in why)
    await mended(scene, http="normal")


@case("27", within=lambda t: t.interval + 5, touches=Touches.PAGE, **LATE)
async def sign_in_on_the_way(scene: Scene) -> None:
    """The server asks for a name and a password when the page reloads itself; a while later no more."""
    await scene.dashboard.switch(on_close="reload")
    await scene.start()
    await scene.dashboard.switch(http="basic_auth")
    await scene.dashboard.do("drop")
    await scene.shows(HOME_S, page__url=HOLDING, server__home=wants_a_password)
    await mended(scene, http="normal")


@case("27", within=lambda t: HOME_S, touches=Touches.PAGE)
async def sign_in_elsewhere(scene: Scene) -> None:
    """The page has gone to another site, which asks for a name and a password."""
    other = await scene.stack.enter_async_context(Dashboard(scene.folder / "other"))
    await other.switch(http="basic_auth")
    await scene.start()
    await scene.dashboard.do("navigate_away", url=other.url)


# --- permissions --------------------------------------------------------------------------------

for permission in ("geolocation", "notifications"):

    @case(
        "27",
        name=f"asks-for-{permission}",
        undisturbed=lambda t: HOME_S,
        control=Control.HEALS,
        why="the page lives on under the question, as far as its server can see",
        permission=permission,
    )
    async def asks_for(scene: Scene, permission: str) -> None:
        """The page asks for {permission}, when it is loaded and again."""
        await scene.dashboard.switch(at_load=[{"verb": permission}])
        await scene.start()
        await scene.dashboard.do(permission)
        if scene.kept:  # it was answered, and nothing is asked on the wall: else the page disturbs itself
            asks = f"navigator.permissions.query({{name: '{permission}'}}).then(it => it.state === 'denied' || location.reload())"
            await scene.dashboard.do("navigate_away", url=f"javascript:void {asks}")


# --- a TLS warning ------------------------------------------------------------------------------


async def certificates(scene: Scene, home: bool) -> Certificates:
    """The dashboard behind TLS; ``home``: so that the page's own address leads through it."""
    made = Certificates(scene.folder)
    await made.make()
    if home:
        scene.url = await scene.stack.enter_async_context(made.before(scene.dashboard.url))
        scene.environment |= made.variables
        scene.flags += made.flags
        scene.learnt = False
        if scene.kept:  # remembered as by an earlier run: there it is another one
            remember(scene.folder / "state", scene.url, f"{scene.url.replace('https', 'wss')}ws")
    return made


@case("27", within=lambda t: t.interval + 5)
async def bad_certificate_on_load(scene: Scene) -> None:
    """The server's certificate is bad when the browser starts, and is mended a while later."""
    its = await certificates(scene, home=True)
    await scene.start(waits=False)
    await scene.shows(START_S, page__url=HOLDING, server__home=of_tls, server__up=False, verdict="UNREADABLE")
    await scene.shows(1, why=lambda why: "TLS:" in why)
    its.present("bad")
    await tried_again(scene)
    await scene.shows(0.5, page__url=HOLDING)
    scene.begins()
    its.present("good")


@case("27", within=lambda t: t.interval + 5, touches=Touches.PAGE)
async def bad_certificate_on_the_way(scene: Scene) -> None:
    """The server is restarted with a bad certificate, and the page reloads itself; it is mended a while later."""
    its = await certificates(scene, home=True)
    its.present("good")
    await scene.dashboard.switch(on_close="reload")
    await scene.start()
    its.present("bad")
    await scene.dashboard.kill()
    await scene.dashboard.start()
    await scene.shows(HOME_S, page__url=HOLDING, server__home=of_tls)
    await tried_again(scene)
    scene.begins()
    its.present("good")


@case("27", within=lambda t: HOME_S, touches=Touches.PAGE)
async def bad_certificate_elsewhere(scene: Scene) -> None:
    """The page has gone to an address whose certificate is bad."""
    its = await certificates(scene, home=False)
    url = await scene.stack.enter_async_context(its.before(scene.dashboard.url))
    await scene.start()
    scene.begins()
    await scene.dashboard.do("error_page", url=url)
