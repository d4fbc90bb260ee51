"""What is too small for a scenario: single readings, single turns."""

from dataclasses import replace

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.kernel import LATE_S, LONGEST_SLEEP_S, Kernel
from kioskd.core.orders import OVERDUE_S
from kioskd.core.policy import Deploy, Policy, WebSocket, Word
from kioskd.core.readings import CATCH_UP_S, expected_link, home_good, shown, strain
from kioskd.core.verdict import Verdict
from kioskd.core.view import Life, Question
from tests.core.fake_page import HOME, SOCKET
from tests.core.fake_page import own_page as own
from tests.core.world import World, describe, settled

POLICY = Policy(url=HOME, deploy=Deploy(index="/srv/dist/index.html"))


def with_websocket(**keys: object) -> Policy:
    return replace(POLICY, health=replace(POLICY.health, websocket=WebSocket(**keys)))  # type: ignore[arg-type]


# --- turns ----------------------------------------------------------------------------------------


def test_deadlines() -> None:
    assert a.ProbeServer(a.Probe.HOME, HOME, 4.0).deadline_s == 5.0
    assert a.Steps((a.StopBrowser(1), a.StartBrowser(2))).deadline_s == 45.0


#: The first thing that is done.
START = a.Steps((a.StartDisplay(1), a.StartBrowser(1)))


def started(policy: Policy = POLICY) -> Kernel:
    kernel = Kernel()
    kernel.handle(f.ConfigRead(policy), 0.0)
    return kernel


def test_a_browser_that_is_to_start_before_a_pulled_screen_waits_for_the_screen() -> None:
    world = settled(POLICY)
    actions, _ = world.kernel.handle(f.BrowserGone(1, "Chromium ended with exit code 0"), world.now)
    world.kernel.handle(f.DisplayGone(1, "No screen is plugged in: card1-HDMI-A-1"), world.now)
    assert a.StartBrowser(2) in actions
    world.kernel.handle(f.Failed(a.StartBrowser(2), "No screen is plugged in: card1-HDMI-A-1"), world.now)
    assert world.kernel.judgement.why.endswith("No screen is plugged in: card1-HDMI-A-1")
    actions, _ = world.kernel.handle(f.Woke(0.0), world.kernel.wake_at)
    assert a.Steps((a.StartDisplay(2), a.StartBrowser(3))) in actions


def test_an_action_whose_answer_is_lost_is_given_up() -> None:
    kernel = started()
    start = kernel.view.busy
    assert start == START
    kernel.handle(f.Woke(0.0), 49.9)
    assert kernel.view.busy == start
    at = START.deadline_s + OVERDUE_S + kernel.view.busy_since
    actions, _ = kernel.handle(f.Woke(0.0), kernel.wake_at)
    while kernel.wake_at < at:
        kernel.handle(f.Woke(0.0), kernel.wake_at)
    actions, _ = kernel.handle(f.Woke(0.0), at)
    assert a.Steps((a.StartDisplay(2, software=True), a.StartBrowser(2))) in actions


def test_a_load_that_cannot_be_stopped_does_not_hide_that_the_page_hangs() -> None:
    world = settled(POLICY)
    generation, stop = world.browser.generation, a.StopLoading(world.browser.generation)
    world.kernel.view = replace(
        world.kernel.view,
        busy=stop,
        page=replace(world.kernel.view.page, navigating_since=world.now - 30.0, question=Question(999, world.now - 35.0)),
        browser=replace(world.kernel.view.browser, question=None, answered_at=world.now),
    )
    world.kernel.handle(f.Failed(stop, "Not attached to an active page"), world.now)
    assert (world.kernel.judgement.verdict, generation) == (Verdict.HUNG, world.browser.generation)


def test_the_kernel_sleeps_a_minute_at_most() -> None:
    world = settled(Policy())
    assert world.kernel.judgement.verdict is Verdict.HEALTHY
    assert Kernel().handle(f.Woke(0.0), 7.0) == ([], 7.0 + LONGEST_SLEEP_S)


def test_two_late_turns_within_a_minute_are_strain() -> None:
    kernel = started()
    kernel.handle(f.Woke(0.0), kernel.wake_at + LATE_S - 0.01)
    assert not kernel.view.late_at
    for _ in range(2):
        assert strain(kernel.view, kernel.wake_at) == 1.0
        now = kernel.wake_at + LATE_S
        kernel.handle(f.DeployTouched(), now)
    assert strain(kernel.view, now) == 3.0
    assert strain(kernel.view, now + 61.0) == 1.0


def test_a_late_turn_does_not_age_the_questions() -> None:
    world = settled(POLICY)
    world.browser.freeze()
    world.run(world.now + POLICY.health.page.hang_after - 0.1)
    question, page = world.kernel.view.browser.question, world.kernel.view.page.question
    assert question is not None and page is not None
    assert world.kernel.wake_at == question.asked_at + POLICY.health.page.hang_after
    late = world.kernel.wake_at + 20.0
    actions, _ = world.kernel.handle(f.DeployTouched(), late)
    assert world.kernel.view.browser.question == replace(question, asked_at=question.asked_at + 20.0)
    assert world.kernel.view.page.question == replace(page, asked_at=page.asked_at + 20.0)
    assert not actions, "the answer may be the next fact"
    assert not world.kernel.handle(f.DeployTouched(), late + CATCH_UP_S - 0.01)[0]
    assert world.kernel.wake_at == late + CATCH_UP_S
    assert isinstance(world.kernel.handle(f.Woke(0.0), late + CATCH_UP_S)[0][0], a.Steps)


def test_a_start_that_comes_after_it_was_given_up_does_not_count() -> None:
    kernel = started()
    kernel.handle(f.Failed(START, "too slow"), 1.0)
    assert kernel.view.browser.life is Life.NONE
    kernel.handle(f.BrowserStarted(1, 5, "Chrome"), 1.1)
    assert kernel.view.browser.life is Life.NONE
    kernel.handle(f.PageOpened(1), 1.2)
    assert not kernel.view.page.present


def test_deaths_count_only_before_the_first_document_and_only_of_processes() -> None:
    kernel = started()
    kernel.handle(f.BrowserGone(1, "exit 21", 5), 0.5)
    assert kernel.view.browser.deaths == 1
    kernel.handle(f.BrowserGone(1, "its pipe closed", 5), 0.6)
    kernel.handle(f.Failed(START, "the browser has ended"), 0.7)
    assert kernel.view.browser.deaths == 1
    kernel.handle(f.Woke(0.0), 5.0)
    kernel.handle(f.BrowserGone(2, "not installed", None), 5.5)
    assert kernel.view.browser.deaths == 1
    world = settled(POLICY)
    world.browser.kill()
    assert world.kernel.view.browser.deaths == 0


def test_questions_taken_along_by_a_navigation_are_no_hang_but_those_of_others_stay() -> None:
    world = settled(POLICY)
    world.page.stop()
    world.run(world.now + 5.0)
    question = world.kernel.view.page.question
    assert question is not None
    generation = world.browser.generation
    world.tell(f.Failed(a.AskPage(generation, question.number + 1), "no"))
    assert world.kernel.view.page.question == question
    world.tell(f.Done(a.AskPage(generation, question.number)))
    assert world.kernel.view.page.question == question
    world.tell(f.Failed(a.AskPage(generation, question.number), "no"))
    assert world.kernel.view.page.question != question


def test_an_answer_of_a_server_that_is_not_asked_any_more_says_nothing() -> None:
    world = settled(POLICY)
    before = world.kernel.view.server
    world.tell(f.ServerAnswered(a.Probe.HOME, "http://other/", f.Answer(None)))
    world.tell(f.ServerAnswered(a.Probe.SOCKET, "ws://other/", f.Answer(None)))
    assert (world.kernel.view.server.home, world.kernel.view.server.socket) == (before.home, before.socket)


def test_a_reading_of_the_deploy_that_failed_is_repeated_after_the_interval() -> None:
    world = settled(POLICY)
    world.host.broken = True
    world.deploy.change()
    world.run(world.now + 2.0)
    assert world.kernel.view.deploy.failed
    world.run(world.now + 8.0)
    world.host.broken = False
    world.run(world.now + 3.0)
    reads = [at - 1045.0 for at, action in world.asked if isinstance(action, a.ReadDeploy)]
    assert reads == [-45.0, 1.0, 6.0, 11.0] and not world.kernel.view.deploy.failed
    assert world.is_back()


def test_another_place_of_the_deploy_is_another_deploy() -> None:
    world = settled(POLICY)
    assert shown(world.kernel.view) is not None
    world.tell(f.ConfigRead(replace(POLICY, deploy=Deploy(index="/srv/other/index.html"))))
    assert world.kernel.view.deploy.disk is None and shown(world.kernel.view) is None
    world.run(world.now + 5.0)
    assert shown(world.kernel.view) is not None


def test_a_socket_that_is_not_looked_at_any_more_is_not_dead() -> None:
    world = settled(POLICY)
    world.page.give_up_socket()
    world.run(world.now + 10.0)
    assert world.kernel.view.link.dead_since is not None
    world.tell(f.ConfigRead(with_websocket(url=Word.OFF)))
    world.run(world.now + 10.0)
    assert world.kernel.judgement.verdict is Verdict.HEALTHY


def test_nothing_is_left_of_a_browser_that_is_gone() -> None:
    world = settled(replace(POLICY, memory_limit=1 << 30))
    world.run(world.now + 30.0)
    assert world.kernel.view.browser.memory == world.browser.size
    world.browser.freeze()
    world.run(world.now + 10.0)
    assert world.kernel.view.browser.question is not None
    world.browser.vanish()
    gone = world.now
    world.do("host.ask pause 1")
    world.browser.kill()
    browser = world.kernel.view.browser
    assert (browser.memory, browser.question, browser.pid, browser.since) == (None, None, None, gone)
    world.run(gone + 1.1)
    browser = world.kernel.view.browser
    assert (browser.life, browser.pid, browser.reason) == (Life.NONE, None, "Cannot find a browser")
    assert gone < browser.since < world.now


def test_a_planned_restart_says_why() -> None:
    world = settled(POLICY)
    generation, said = world.browser.generation, []
    world.tell(f.Asked(f.Command.RESTART, why="Chromium was replaced"))
    while world.browser.generation == generation:
        said.append(world.kernel.view.browser.reason)
        world.run(world.now + 0.05)
    assert "restarting as planned: Chromium was replaced" in [*said, world.kernel.view.browser.reason]
    world.run(world.now + 5.0)
    assert world.is_back()
    world.browser.kill()
    world.run(world.now + 0.05)
    assert "planned" not in world.kernel.view.browser.reason


def test_a_load_that_waits_for_a_person_is_not_pending() -> None:
    world = settled(POLICY)
    generation = world.browser.generation
    world.tell(f.NavigationStarted(generation, HOME))
    assert world.kernel.judgement.verdict is Verdict.LOADING
    world.tell(f.Prompted(generation, "sign in"))
    assert world.kernel.judgement.why == "sign in"


def test_a_baseline_makes_an_odd_answer_of_home_a_good_one() -> None:
    world = World(POLICY)
    world.boot(POLICY)
    world.run(world.now + 5.0)
    world.server.answer("403")
    world.run(world.now + 60.0)
    assert home_good(world.kernel.view, POLICY, world.kernel.view.server.home.at) if world.kernel.view.server.home else False
    world.page.give_up_socket()
    world.run(world.now + 30.0)
    assert [describe(action) for _, action in world.did][-1] == "Reload"


def test_a_pause_holds_since_it_was_asked_for() -> None:
    world = settled(POLICY)
    world.do("host.ask pause")
    assert world.kernel.judgement.since == world.now
    assert world.kernel.view.paused_until == world.now + 600.0
    world.do("host.ask pause 0")
    assert world.kernel.view.paused_until is None


def test_mistakes_are_known_until_they_are_mended() -> None:
    world = settled(POLICY)
    world.host.break_config()
    assert world.kernel.view.mistakes == ("kioskd.yaml:1: bad",)
    world.host.mend_config()
    assert not world.kernel.view.mistakes


def test_a_way_to_the_goal_that_failed_is_gone_again() -> None:
    world = settled(POLICY)
    began = world.now
    world.browser.freeze()
    world.do("host.set_url http://localhost:3001/other")
    world.run(began + 1.0)
    assert world.kernel.view.went_at is not None
    world.run(began + a.Navigate.deadline_s)
    world.browser.thaw()
    world.run(began + 12.0)
    assert [describe(action) for at, action in world.did if at >= began] == ["Navigate home", "Navigate home"]
    assert world.kernel.judgement.verdict is Verdict.HEALTHY
    assert world.kernel.view.went_at is not None and world.kernel.view.went_at > began + 5.0


def test_a_change_settles_from_when_it_was_seen_and_is_read_after_30_s_at_most() -> None:
    world = settled(POLICY)
    began = world.now
    world.tell(f.DeployTouched(0.4))
    world.run(began + 2.0)
    for _ in range(100):
        world.tell(f.DeployTouched(0.0))
        world.run(world.now + 0.5)
    world.run(world.now + 2.0)
    world.tell(f.DeployTouched(9.0))  # older than the settle time: read at once
    reads = [round(at - began, 2) for at, action in world.asked if isinstance(action, a.ReadDeploy)]
    assert reads == [-45.0, 0.6, 32.0, 52.5, 54.0]


def test_home_is_asked_once_just_before_a_guarded_step_and_not_while_it_is_taken() -> None:
    world = settled(POLICY)
    began = world.now
    world.page.give_up_socket()
    world.run(began + 20.3)
    asked = [action for at, action in world.asked if isinstance(action, a.ProbeServer) and at >= began and action.probe is a.Probe.HOME]
    rounds = [action for at, action in world.asked if isinstance(action, a.ProbeServer) and at >= began and action.probe is a.Probe.SOCKET]
    assert len(asked) == len(rounds) + 1
    assert describe(world.did[-1][1]) == "Reload"


def test_a_guard_that_learns_nothing_asks_once_a_second() -> None:
    world = settled(POLICY)
    began = world.now
    world.server.hide()
    world.deploy.change()
    world.run(began + 61.0)
    asked = [at for at, action in world.asked if isinstance(action, a.ProbeServer) and at >= began]
    assert 60 <= len(asked) <= 90
    assert world.kernel.judgement.verdict is Verdict.STALE


def test_a_profile_is_set_aside_once_and_again_only_after_a_document_has_loaded() -> None:
    kernel, orders = started(), list[a.Action]()
    while len(orders) < 20:
        now = kernel.wake_at
        orders += kernel.handle(f.Woke(now), now)[0]
        if (start := kernel.view.busy) is not None:
            orders += kernel.handle(f.BrowserGone(kernel.view.browser.generation, "exit code 127", pid=7), now)[0]
            orders += kernel.handle(f.Failed(start, "exit code 127"), now)[0]
    asides = sum(isinstance(each, a.Steps) and a.SetProfileAside() in each.actions for each in orders)
    assert asides == 1, "a second one would replace the copy that holds the login"


def test_a_start_that_is_tried_again_says_what_was_wrong_with_the_last() -> None:
    kernel = started()
    generation, now = kernel.view.browser.generation, kernel.wake_at - 0.1
    kernel.handle(f.BrowserGone(generation, "there is no Chromium"), now)
    kernel.handle(f.Failed(kernel.view.busy or START, "there is no Chromium"), now)
    while kernel.view.browser.generation == generation and now < 100.0:
        now = kernel.wake_at
        kernel.handle(f.Woke(now), now)
    assert kernel.view.browser.generation == generation + 1
    assert kernel.judgement.why == "starting again: there is no Chromium"


def test_the_last_word_of_the_document_before_says_nothing_about_this_one() -> None:
    kernel, start = started(), own("start")
    kernel.handle(f.ServerAnswered(a.Probe.HOME, HOME, f.Answer(200, True, True)), 0.1)
    kernel.handle(f.DisplayStarted(1), 0.2)
    kernel.handle(f.BrowserStarted(1, 7, "Chrome/156"), 0.4)
    kernel.handle(f.Done(START), 0.4)
    kernel.handle(f.Done(a.Navigate(1, a.Place.HOME)), 0.41)
    question = kernel.view.questions
    kernel.handle(f.DocumentCommitted(1, "D", HOME), 0.5)
    kernel.handle(f.PageAnswered(1, question, start, ready=True, status=None, visible=False), 0.6)
    assert (kernel.judgement.verdict, kernel.view.page.url) == (Verdict.HEALTHY, HOME)


def test_the_page_is_asked_at_the_very_moment_its_connection_has_been_open_for_ten_seconds() -> None:
    world = World(POLICY)
    world.boot(POLICY)
    while world.kernel.view.link.open_since is None:
        world.run(world.now + 0.1)
    opened = world.kernel.view.link.open_since
    assert expected_link(world.kernel.view, POLICY) is None
    world.run(opened + 10.1)
    assert expected_link(world.kernel.view, POLICY) == SOCKET


def test_the_first_incident_is_as_old_as_kioskd_and_no_older() -> None:
    world = World(POLICY)
    world.boot(POLICY)
    world.run(world.now + 1.0)
    assert world.kernel.ladder.incident is not None and world.kernel.ladder.incident.since == 1000.0
