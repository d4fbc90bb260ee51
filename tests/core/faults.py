"""The faults of a kiosk's life: what happens, how long it lasts, what ends it outside, and when the page must be back where it came alone.

What has no end is kioskd's to mend. The bounds are those of the design's table, by its formulas, at the patience in force.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kioskd.core.actions import StartDisplay
from kioskd.core.link import AUTO_SILENCE_S
from kioskd.core.policy import Policy
from kioskd.core.rounds import MEMORY_PACE_S, POLL_S
from kioskd.core.steps import LAST_PACE_S

#: What a cold start takes in the world of the tests: the display, the browser, the document, its connection.
COLD_S = 1.0

Bound = Callable[[Policy], float]


@dataclass(frozen=True)
class Fault:
    """``happens`` at once; ``ends``, where it is anybody else's matter, after ``lasts``; back ``within`` so long after the last."""

    name: str
    happens: tuple[str, ...]
    within: Bound
    ends: tuple[str, ...] = ()
    lasts: tuple[float, float] = (1.0, 40.0)
    of_server: bool = False  # no reason to touch the browser
    elsewhere: bool | None = None  # only where the build is made elsewhere, or only where it is not


def _after(seconds: float) -> Bound:
    return lambda policy: seconds


def _interval(more: float) -> Bound:
    return lambda policy: policy.health.interval + more


def _hang(more: float) -> Bound:
    return lambda policy: policy.health.page.hang_after + more


def _reload(more: float) -> Bound:
    return lambda policy: policy.health.websocket.reload_after + more


def _restart(more: float) -> Bound:
    return lambda policy: policy.health.websocket.restart_after + more


def _settle(more: float) -> Bound:
    return lambda policy: policy.deploy.settle + more


def _one(verb: str, within: Bound, *ends: str, lasts: tuple[float, float] = (1.0, 40.0)) -> Fault:
    return Fault(verb, (verb,), within, ends, lasts)


def _page() -> Iterator[Fault]:
    yield _one("page.crash", _after(3))
    yield _one("page.hang", _hang(5))
    yield _one("page.hang_always", _hang(5 + COLD_S), "page.behave")
    yield _one("page.stop", _hang(5 + COLD_S))
    yield _one("page.give_up_socket", _reload(7))
    yield Fault("page.forget_sockets", ("page.forget_sockets", "page.give_up_socket"), _restart(COLD_S + 5), ("page.remember_sockets",))
    yield _one("page.close_socket", _after(3), "page.reload_itself")
    yield _one("page.half_open", lambda policy: AUTO_SILENCE_S + policy.health.websocket.reload_after + 7)
    yield _one("page.flap", _reload(7))
    yield _one("page.go_away http://elsewhere.example/", _after(5))
    yield _one("page.always_leave http://login.example/", _restart(5), "page.behave")
    yield _one("page.close", _after(5))
    yield _one("page.always_close", _restart(5), "page.behave")
    yield _one("page.reload_itself", _after(3))
    yield _one("page.show_blank", lambda policy: 25.0)
    yield _one("page.be_blank_always", _settle(3), "page.behave", "deploy.change")
    yield _one("page.show_text", _reload(7))
    yield _one("page.say_dead", _reload(7))
    yield _one("page.prompt", _after(5))
    yield _one("page.alert", _after(3))
    yield _one("page.pop_up", _after(3))


def _browser() -> Iterator[Fault]:
    yield _one("browser.kill", _after(COLD_S + 1))
    yield _one("browser.freeze", _hang(COLD_S + 7))
    yield Fault("browser.freeze and thaw", ("browser.freeze",), _hang(COLD_S + 7), ("browser.thaw",), (1.0, 30.0))
    yield Fault("browser.vanish", ("browser.vanish", "browser.kill"), _interval(COLD_S + 1), ("browser.install",))
    yield Fault("browser.corrupt_profile", ("browser.corrupt_profile", "browser.kill"), _after(COLD_S + 30))
    yield Fault("browser.fall_mute", ("browser.fall_mute", "browser.kill"), _interval(30 + COLD_S + 5), ("browser.speak",))
    yield _one("browser.swell 900", _after(MEMORY_PACE_S + COLD_S + 5), "browser.swell 200", lasts=(61.0, 75.0))
    yield _one("display.kill", _after(COLD_S + 5))
    yield _one("display.kill_late", _after(COLD_S + 5))
    # What has been asked of a hanging start before it was mended ends by its deadline; the next one is an interval away.
    hangs = _interval(StartDisplay.deadline_s + COLD_S + 1)
    yield Fault("display.hang", ("display.hang", "display.kill"), hangs, ("display.mend",))
    yield Fault("display.disconnect", ("display.disconnect", "display.kill"), _interval(COLD_S + 5), ("display.connect",))


def _server() -> Iterator[Fault]:
    back = _interval(15)
    for name, verb, end, lasts in (
        ("server.stop", "server.stop", "server.start", (1.0, 60.0)),
        ("server restarts", "server.stop", "server.start", (0.5, 3.0)),
        ("server.answer 502", "server.answer 502", "server.mend", (1.0, 40.0)),
        ("server.answer 401", "server.answer 401", "server.mend", (1.0, 40.0)),
        ("server.refuse_sockets", "server.refuse_sockets", "server.mend", (1.0, 40.0)),
        ("server.want_cookie", "server.want_cookie", "server.mend", (1.0, 40.0)),
        ("server.accept_and_be_silent", "server.accept_and_be_silent", "server.mend", (1.0, 40.0)),
        ("server.be_captured", "server.be_captured", "server.mend", (1.0, 40.0)),
        ("server.hide", "server.hide", "server.show", (1.0, 40.0)),
    ):
        yield Fault(name, (verb,), back, (end,), lasts, of_server=True)


def _deploy() -> Iterator[Fault]:
    change = "deploy.change"
    for fault in (
        _one(change, _settle(3)),
        _one("deploy.halve", _interval(3), "deploy.complete"),
        _one("deploy.roll_back", _settle(3)),
        Fault("deploy.roll_back and forward", ("deploy.roll_back",), _settle(3), ("deploy.roll_forward",)),
        _one("deploy.touch", _settle(3)),
        _one("deploy.remove", _settle(3), "deploy.come_back"),
        _one("deploy.burst", _settle(3 + 6)),
        _one("deploy.stir", _settle(3)),
        Fault("server.keep_build", ("server.keep_build", change), _restart(COLD_S + 5), ("server.let_go",), (1.0, 30.0)),
        Fault("deploy restarts the server", ("server.stop", change), _interval(15), ("server.start",), (1.0, 10.0)),
        Fault("hook", (change, "host.ask reload"), _settle(3)),
    ):
        yield Fault(fault.name, fault.happens, fault.within, fault.ends, fault.lasts, elsewhere=False)
    yield Fault("deploy.change_elsewhere", ("deploy.change_elsewhere",), _after(POLL_S + 3), elsewhere=True)
    half = ("deploy.complete_elsewhere",)
    yield Fault("deploy.begin_elsewhere", ("deploy.begin_elsewhere",), _after(POLL_S + 3), half, (31.0, 60.0), elsewhere=True)


def _host() -> Iterator[Fault]:
    yield _one("host.stall 20", _after(3))
    # Not where the build is made elsewhere: one that comes between a load and the first reading that succeeds is taken for what was loaded.
    mend = ("host.mend_everything",)
    yield Fault("host.break_everything", ("host.break_everything",), _interval(5), mend, elsewhere=False)
    yield Fault("broken while the page hangs", ("page.hang", "host.break_everything"), _hang(10), mend, elsewhere=False)
    yield _one("host.lock_state", _after(3), "host.unlock_state")
    yield _one("host.ask reload", _after(COLD_S + 3))
    yield _one("host.ask restart", _after(COLD_S + 3))
    yield _one("host.ask pause 20", _after(20), "host.ask resume", lasts=(1.0, 25.0))
    yield _one("host.restart_kioskd", _after(COLD_S + 5))
    yield _one("host.set_url null", _after(5), "host.mend_config")
    yield _one("host.break_config", _after(3), "host.mend_config")
    yield _one("host.log 5", _reload(7))


FAULTS = (*_page(), *_browser(), *_server(), *_deploy(), *_host())

#: What outlasts the ladder: its last rungs are reached only by these. Each comes once in a life, alone, as every fault does; and not in
#: company, where all ends within two minutes. So ten years have a hundred of each, not a thousand: minutes in which something is wrong
#: cannot be skipped, so that one takes a thousand turns of the core and any other fault thirty. A thousand would make three minutes of one.
_FORGET = ("page.forget_sockets", "page.give_up_socket")
STUBBORN = (
    Fault("page.forget_sockets, long", _FORGET, _after(LAST_PACE_S + 60), ("page.remember_sockets",), (400.0, 700.0)),
    Fault("page.hang_always, long", ("page.hang_always",), _after(LAST_PACE_S + 60), ("page.behave",), (200.0, 400.0)),
    Fault("server.stop, long", ("server.stop",), _interval(15), ("server.start",), (70.0, 300.0), of_server=True),
)

#: ``within`` of what came in company: the slowest pace of all is five minutes, and it may need two.
SLOWEST_S = 700.0
