"""What holds whatever happens: random facts in random order, and a world to which random things happen."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.kernel import Kernel
from kioskd.core.policy import Deploy, Outage, Page, Policy, Reboot, WebSocket
from kioskd.core.steps import Rung
from kioskd.core.verdict import Verdict
from tests.core.fake_page import HOME, SOCKET, own_page
from tests.core.invariants import ON_BROWSER, Watch
from tests.core.world import World, settled

POLICY = Policy(url=HOME, deploy=Deploy(index="/srv/dist/index.html"), memory_limit=800 << 20)
IMPATIENT = replace(POLICY, health=replace(POLICY.health, websocket=WebSocket(during_outage=Outage.RESTART)), reboot=Reboot(enabled=True))
TEXT = replace(POLICY, health=replace(POLICY.health, page=Page(stuck_text="gone")))

# --- facts, sensible or not -----------------------------------------------------------------------

generation = st.integers(0, 3)
number = st.integers(0, 9)
seconds = st.floats(0, 200)
urls = st.sampled_from(
    [HOME, HOME + "other?x=1", "http://elsewhere/", "", "about:blank", "http://[", own_page("start"), own_page("holding")]
)
sockets = st.sampled_from([SOCKET, "wss://other.example/x", "nonsense"])
versions = st.builds(f.Version, st.integers(1, 3), st.sampled_from(["sha256:1", "sha256:2"]))
answers = st.builds(f.Answer, st.sampled_from([None, 101, 200, 401, 503]), st.booleans(), st.booleans())
open_or_dead = st.one_of(st.tuples(seconds, st.none()), st.tuples(st.none(), seconds))
connections = st.builds(
    lambda url, times, *rest: f.Connection(url, *times, *rest), sockets, open_or_dead, st.booleans(), st.integers(0, 99), seconds, seconds
)
actions = st.one_of(
    st.builds(a.StartDisplay, number, st.booleans()),
    st.builds(a.StartBrowser, generation),
    st.builds(a.Reload, generation, st.booleans()),
    st.builds(a.Navigate, generation, st.sampled_from(a.Place)),
    st.builds(a.AskPage, generation, number),
    st.builds(a.AskBrowser, generation, number),
    st.builds(a.ProbeServer, st.sampled_from(a.Probe), urls, st.just(4.0)),
    st.just(a.ReadDeploy()),
)
policies = st.sampled_from([POLICY, IMPATIENT, TEXT, Policy(), replace(POLICY, url="http://other/")])
facts = st.one_of(
    st.builds(f.Woke, seconds),
    st.builds(f.ConfigRead, policies),
    st.builds(f.ConfigRejected, st.just(("bad",))),
    st.builds(f.Asked, st.sampled_from(f.Command), st.one_of(st.none(), seconds)),
    st.builds(f.DisplayStarted, number, st.sampled_from(["", "no screen"])),
    st.builds(f.DisplayGone, number, st.just("gone")),
    st.builds(f.BrowserStarted, generation, number, st.just("Chrome")),
    st.builds(f.BrowserGone, generation, st.just("gone"), st.one_of(st.none(), number)),
    st.builds(f.BrowserAnswered, generation, number),
    st.builds(f.MemoryRead, generation, st.integers(0, 2 << 30)),
    st.builds(f.PageGone, generation),
    st.builds(f.PageOpened, generation),
    st.builds(f.RendererGone, generation),
    st.builds(f.NavigationStarted, generation, urls),
    st.builds(f.NavigationEnded, generation),
    st.builds(f.DocumentCommitted, generation, st.sampled_from(["A", "B"]), urls, st.booleans()),
    st.builds(f.Prompted, generation, st.just("sign in")),
    st.builds(f.DialogOpened, generation, st.just("alert")),
    st.builds(f.PopupOpened, generation, st.just("T")),
    st.builds(
        f.PageAnswered, generation, number, urls, st.booleans(), st.sampled_from([None, 0, 200, 502]), st.booleans(), st.booleans(),
        st.sampled_from([None, True, False]), st.lists(connections, max_size=3).map(tuple),
    ),
    st.builds(f.DocumentRead, generation, st.sampled_from(["A", "B"]), st.sampled_from(["sha256:1", "sha256:2"])),
    st.builds(f.ServerAnswered, st.sampled_from(a.Probe), urls, st.one_of(st.none(), answers)),
    st.builds(f.DeployTouched, seconds),
    st.builds(f.DeployRead, st.one_of(st.none(), versions), st.sampled_from([(), ("app.js",)])),
    st.builds(f.Done, actions),
    st.builds(f.Failed, actions, st.just("no")),
)  # fmt: skip
stories = st.lists(st.tuples(facts, st.floats(0, 30)), max_size=60)


def tell(story: list[tuple[f.Fact, float]]) -> tuple[Kernel, list[list[a.Action]]]:
    """Put a story through a kernel, each fact so many seconds after the one before; half of them answer what was ordered."""
    kernel, watch, now, did = Kernel(), Watch(), 5.0, []
    for fact, later in [(f.ConfigRead(POLICY), 0.0), *story]:
        now += later
        ordered, wake_at = kernel.handle(fact, now)
        watch.check(kernel, fact, ordered, wake_at, now)
        did.append(ordered)
        if kernel.view.busy is not None and later < 10.0:
            end = f.Done(kernel.view.busy)
            ordered, wake_at = kernel.handle(end, now)
            watch.check(kernel, end, ordered, wake_at, now)
            did.append(ordered)
    return kernel, did


@given(stories)
def test_any_story_is_taken_in_and_told_again_alike(story: list[tuple[f.Fact, float]]) -> None:
    one, did = tell(story)
    other, again = tell(story)
    assert did == again
    assert (one.view, one.ladder, one.judgement, one.plan) == (other.view, other.ladder, other.judgement, other.plan)


@given(stories, st.lists(facts, max_size=20))
def test_news_of_another_browser_changes_nothing_about_this_one(story: list[tuple[f.Fact, float]], late: list[f.Fact]) -> None:
    kernel, _ = tell(story)
    for fact in late:
        if hasattr(fact, "generation"):
            stale = replace(fact, generation=kernel.view.browser.generation + 7)  # type: ignore[arg-type]
            before = kernel.view.browser, kernel.view.page, kernel.view.link
            kernel._take_in(stale, kernel.wake_at - 1e-3)
            assert (kernel.view.browser, kernel.view.page, kernel.view.link) == before


# --- a world in which anything may happen ---------------------------------------------------------

PAGE = [
    "page.crash", "page.hang", "page.hang_always", "page.stop", "page.give_up_socket", "page.forget_sockets", "page.close_socket",
    "page.half_open", "page.flap", "page.go_away http://elsewhere.example/", "page.always_leave http://login.example/", "page.close",
    "page.always_close", "page.reload_itself", "page.show_blank", "page.be_blank_always", "page.show_text", "page.say_dead",
    "page.prompt", "page.alert", "page.pop_up", "page.behave",
]  # fmt: skip
BROWSER = [
    "browser.kill", "browser.freeze", "browser.thaw", "browser.vanish", "browser.install", "browser.corrupt_profile", "browser.swell 900",
    "display.kill", "display.kill_late", "display.hang", "display.mend", "display.disconnect", "display.connect",
]  # fmt: skip
SERVER = [
    "server.stop", "server.start", "server.answer 502", "server.answer 401", "server.refuse_sockets", "server.want_cookie",
    "server.accept_and_be_silent", "server.be_captured", "server.hide", "server.show",
]  # fmt: skip
REST = [
    "deploy.change", "deploy.halve", "deploy.complete", "deploy.roll_back", "deploy.touch", "deploy.remove", "deploy.burst",
    "host.stall 20", "host.break_everything", "host.mend_everything", "host.lock_state", "host.ask reload", "host.ask restart",
    "host.ask pause 20", "host.ask resume", "host.restart_kioskd", "host.set_url null", "host.break_config", "host.mend_config",
]  # fmt: skip


STILL = ["page.give_up_socket", "page.show_text", "deploy.change"]

troubles = st.lists(st.tuples(st.sampled_from(PAGE + BROWSER + SERVER + REST), st.floats(0, 40)), max_size=12)


@settings(max_examples=25)
@given(troubles, st.sampled_from([POLICY, IMPATIENT, TEXT]))
def test_whatever_happened_the_page_comes_back(happened: list[tuple[str, float]], policy: Policy) -> None:
    world = settled(policy)
    for verb, later in happened:
        world.do(verb)
        world.run(world.now + later)
    world.do("host.make_all_well")
    world.run(world.now + 700.0)  # the slowest pace of all is five minutes, and it may need two
    assert world.kernel.judgement.verdict is Verdict.HEALTHY, world.kernel.judgement
    assert world.kernel.ladder.rung is Rung.CALM
    assert world.showing() == "home"


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(SERVER + STILL), st.floats(0, 15)), max_size=8))
def test_a_server_alone_never_costs_the_browser(happened: list[tuple[str, float]]) -> None:
    """Down for good, in whatever way, at any moment after: no browser is stopped, nor another page shown than was readable."""
    world = settled(TEXT)
    for verb, later in happened:
        world.do(verb)
        if verb not in STILL:
            world.do("server.stop")
        world.run(world.now + later)
    world.do("server.stop")
    before = len(world.did)
    world.run(world.now + 15.0)
    seen = len(world.did)
    world.run(world.now + 600.0)
    assert not [action for _, action in world.did[before:] if isinstance(action, a.Steps | a.StartBrowser | a.StopBrowser)]
    assert len(world.did) - seen <= 1  # at most the holding page


@settings(max_examples=15)
@given(troubles)
def test_waking_early_or_twice_changes_nothing(happened: list[tuple[str, float]]) -> None:
    quiet, busy = settled(POLICY), settled(POLICY)
    for verb, later in happened:
        for world in (quiet, busy):
            world.do(verb)
        until = quiet.now + later
        for nth in range(1, 6):
            busy.run(busy.now + (until - busy.now) * nth / 6)
            busy.tell(f.Woke(busy.wake_at))
        quiet.run(until)
        busy.run(until)
    assert [(round(at, 6), action) for at, action in quiet.did] == [(round(at, 6), action) for at, action in busy.did]


# --- paces ----------------------------------------------------------------------------------------


def most_within(times: list[float], window: float) -> int:
    """The most of these moments that fall into one window."""
    return max((sum(start <= at < start + window for at in times) for start in times), default=0)


def count_paces(world: World, length: float) -> None:
    """No restart storm, no hot loop, no flood of questions in the next ``length`` seconds."""
    began, asked, start = world.turns, len(world.asked), world.now
    world.run(start + length)
    disturbing = [at for at, action in world.did if isinstance(action, ON_BROWSER) and at > start]
    starts = [at for at, action in world.did if isinstance(action, a.Steps | a.StartBrowser) and at > start]
    assert most_within(disturbing, 10.0) <= 12
    assert most_within(starts, 30.0) <= 8
    counts = Counter(type(action) for _, action in world.asked[asked:])
    assert counts[a.AskPage] <= length / 3 + 60
    assert counts[a.AskBrowser] <= length / 3 + 20
    assert counts[a.ProbeServer] <= 2 * length
    assert world.turns - began < 12 * length


@settings(max_examples=20)
@given(st.lists(st.sampled_from(PAGE + BROWSER + SERVER), max_size=5), st.booleans())
def test_no_storm(happened: list[str], broken: bool) -> None:
    world = settled(IMPATIENT)
    for verb in happened:
        world.do(verb)
    world.host.broken = broken
    count_paces(world, 300.0)


@pytest.mark.parametrize("verb", ["browser.kill", "page.crash", "page.stop", "page.close", "page.prompt", *STILL])
def test_no_hot_loop_in_an_hour_in_which_every_action_fails_at_once(verb: str) -> None:
    world = settled(TEXT)
    world.do(verb)
    world.host.broken = True
    count_paces(world, 3600.0)


def test_a_flood_of_documents_is_no_flood_of_questions() -> None:
    world = settled(POLICY)
    generation, began = world.browser.generation, len(world.asked)
    did = len(world.did)
    for nth in range(4000):  # 20 s of a page that reloads itself every 5 ms
        for fact in (
            f.NavigationStarted(generation, HOME),
            f.DocumentCommitted(generation, f"F{nth}", HOME),
            f.NavigationEnded(generation),
        ):
            world.tell(fact)
        world.run(world.now + 0.005)
    counts = Counter(type(action) for _, action in world.asked[began:])
    assert counts[a.AskPage] <= 20 / 0.25 + 2
    assert counts[a.AskBrowser] <= 20 / 3 + 2
    assert counts[a.ReadDocument] <= 20 / 0.25 + 2
    assert counts[a.ProbeServer] <= 20
    assert len(world.did) - did <= 2


def test_a_flood_of_closing_pages_and_dying_renderers_is_no_flood_of_actions() -> None:
    for flood in (f.PageGone, f.RendererGone):
        world = settled(POLICY)
        did = len(world.did)
        for _ in range(2000):
            world.tell(flood(world.browser.generation))
            world.run(world.now + 0.005)
        assert most_within([at for at, _ in world.did[did:]], 1.0) <= 6


def test_time_is_finite_at_once_and_always() -> None:
    kernel = Kernel()
    for fact in (f.Woke(0.0), f.DeployTouched(), f.Asked(f.Command.RELOAD)):
        actions, wake_at = kernel.handle(fact, 3.0)
        assert not actions and math.isfinite(wake_at) and wake_at > 3.0
