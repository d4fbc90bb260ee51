"""How a fact changes what is known: ``observe(view, fact, now, policy) -> View``, and nothing else.

With ``browser.py``, ``page.py``, ``link.py`` and ``complaints.py`` for its largest parts. Who else writes the view: ``view.py``. A fact
about a browser that is no longer the present one changes nothing.
"""

from dataclasses import replace

from kioskd.core import facts as f
from kioskd.core.actions import (
    Action,
    AskBrowser,
    AskPage,
    Navigate,
    Place,
    Probe,
    ProbeServer,
    ReadDeploy,
    Reload,
    StartBrowser,
    Steps,
    StopLoading,
)  # fmt: skip
from kioskd.core.browser import browser_changed, browser_gone, display_changed
from kioskd.core.complaints import heard
from kioskd.core.facts import Fact
from kioskd.core.page import loaded, page_changed
from kioskd.core.policy import Policy
from kioskd.core.readings import STARVED_S, expected_link, server_up, well_since
from kioskd.core.view import DeployView, Heard, Life, Link, Question, ServerView, View, Wish

#: How long an operator's pause lasts where no time is given.
PAUSE_S = 600.0

#: The settle time starts again with each change, but not for longer than this: a build that never ends is read all the same.
SETTLE_AT_MOST_S = 30.0

#: Versions remembered, to know an old document by its digest.
KNOWN_VERSIONS = 8


def observe(view: View, fact: Fact, now: float, policy: Policy) -> View:
    """Return the view after ``fact``."""
    generation = getattr(fact, "generation", None)
    if generation is not None and generation != view.browser.generation:
        return view
    match fact:
        case f.Woke():
            return view  # time has passed: the kernel knows
        case f.ConfigRead():
            return _configured(view, fact.policy, policy, now)
        case f.ConfigRejected():
            return _rejected(view, fact, now)
        case f.Remembered():
            began = replace(view.browser, since=now)  # what is missing at the start has been missing since then, for all that is known
            return replace(view, expected=fact.expected, reboots=fact.reboots, browser=began)
        case f.Asked():
            return _asked(view, fact, now, policy)
        case f.DisplayStarted() | f.DisplayGone():
            return display_changed(view, fact, now)
        case f.BrowserStarted() | f.BrowserGone() | f.BrowserAnswered() | f.MemoryRead():
            return browser_changed(view, fact, now, policy)
        case f.ServerAnswered():
            return _server(view, fact, now, policy)
        case f.DeployTouched():
            return _touched(view, fact, now, policy)
        case f.DeployRead():
            return _read(view, fact, now)
        case f.JournalHeard():
            return heard(view, fact, now, policy)
        case f.Done() | f.Failed():
            return _outcome(view, fact, now)
        case _ if view.browser.life is Life.UP:
            return page_changed(view, fact, now, policy)
        case _:
            return view


# --- time and people ----------------------------------------------------------------------------


def late(view: View, by: float, now: float) -> View:
    """Return the view in a turn that came ``by`` seconds later than was asked for.

    The answers may be waiting behind this very turn: nobody is blamed for the time in which we did not look.
    """
    browser = replace(view.browser, question=_younger(view.browser.question, by))
    page = replace(view.page, question=_younger(view.page.question, by))
    recent = tuple(at for at in view.late_at if now - at < STARVED_S)
    return replace(view, browser=browser, page=page, busy_since=view.busy_since + by, late_at=(*recent, now))


def _younger(question: Question | None, by: float) -> Question | None:
    return replace(question, asked_at=question.asked_at + by) if question else None


def _configured(view: View, new: Policy, old: Policy, now: float) -> View:
    goal = Place.HOME if new.url else Place.WELCOME
    if goal is not view.goal or new.url != old.url:  # what was learnt of the old home does not hold for the new one
        view = replace(view, goal=goal, goal_since=now, link=Link(), server=ServerView())
    if new.health.websocket != old.health.websocket:
        view = replace(view, link=Link())
    if new.deploy != old.deploy:
        view = replace(view, deploy=DeployView(), page=replace(view.page, began=None))
    rules = new.health.journal
    return replace(view, mistakes=(), complaints=tuple(known for known in view.complaints if known.rule in rules))


def _rejected(view: View, fact: f.ConfigRejected, now: float) -> View:
    goal = view.goal or Place.MISTAKE
    if goal is Place.MISTAKE and fact.errors != view.mistakes:  # the page that tells them is to tell the new ones
        view = replace(view, goal_since=now)
    return replace(view, goal=goal, mistakes=fact.errors)


def _asked(view: View, fact: f.Asked, now: float, policy: Policy) -> View:
    match fact.command:
        case f.Command.PAUSE:
            return replace(view, paused_since=now, paused_until=now + (PAUSE_S if fact.for_s is None else fact.for_s))
        case f.Command.RESUME:
            return replace(view, paused_until=None)
        case f.Command.RESTART:
            return replace(view, wish=Wish(fact.command, now, fact.why, view.wish.tickets if view.wish else ()))
        case _:
            return _asked_to_reload(view, fact, now, policy)


def _asked_to_reload(view: View, fact: f.Asked, now: float, policy: Policy) -> View:
    """Whoever asks may know of a build before inotify does: the disk is read first, now, and the others are told once."""
    wish = view.wish or Wish(fact.command, now)
    if fact.ticket is not None:
        wish = replace(wish, tickets=(*wish.tickets, fact.ticket))
    deploy = view.deploy
    if policy.deploy.given:
        at = now - policy.deploy.settle
        first = at if deploy.touched_at is None else deploy.first_touched_at
        deploy = replace(deploy, announced=None, touched_at=at, first_touched_at=first)
    return replace(view, wish=wish, deploy=deploy)


# --- the server and the deploy ------------------------------------------------------------------


def _server(view: View, fact: f.ServerAnswered, now: float, policy: Policy) -> View:
    is_socket = fact.probe is Probe.SOCKET
    baseline = fact.probe in view.server.baselining
    view = _probed(view, fact.probe)
    server = view.server
    if fact.answer is None or fact.url != (expected_link(view, policy) if is_socket else policy.url):
        return view  # the probe itself failed, or another server was asked: that says nothing
    heard = Heard(fact.answer, now)
    server = replace(server, socket=heard) if is_socket else replace(server, home=heard)
    # Trouble is nobody's normal answer, and the normal one is that which a page gets that is well.
    if baseline and well_since(view, policy) is not None and fact.answer.status is not None and fact.answer.status < 500:
        server = replace(server, socket_class=fact.answer) if is_socket else replace(server, home_class=fact.answer)
    view = replace(view, server=server)
    up = server_up(view, policy, now)
    if up is False and server.down_since is None:
        server = replace(server, down_since=now, up_since=None)
    elif up and server.down_since is not None:
        server = replace(server, down_since=None, up_since=now)
    return replace(view, server=server)


def _probed(view: View, probe: Probe) -> View:
    """The probe is over, however it went; one that failed leaves no baseline to be set by a later one."""
    server = view.server
    return replace(view, server=replace(server, asked=server.asked - {probe}, baselining=server.baselining - {probe}))


def _touched(view: View, fact: f.DeployTouched, now: float, policy: Policy) -> View:
    deploy = view.deploy
    at = now - min(max(fact.age, 0.0), policy.deploy.settle)
    page = view.page
    # Of a load whose disk has not been read yet, a change after it is as bad as one amid it: what it took can no longer be read.
    if at >= page.load_at and (page.loaded_at is None or at <= page.loaded_at or page.began is None):
        page = replace(page, amid=True)
    if deploy.touched_at is None:
        deploy = replace(deploy, touched_at=at, first_touched_at=at)
    else:  # of two changes the last counts, whichever is told first
        deploy = replace(deploy, touched_at=max(at, deploy.touched_at))
    return replace(view, deploy=deploy, page=page)


def _read(view: View, fact: f.DeployRead, now: float) -> View:
    deploy, page = view.deploy, view.page
    known = deploy.known
    if fact.version is not None:
        known = (*(version for version in known if version != fact.version), fact.version)[-KNOWN_VERSIONS:]
    if page.began is None and deploy.touched_at is None:  # the load took what was there, and this is what was there
        page = replace(page, began=fact)
    # What becomes whole again, or comes again after another, is a deploy again, also where it was reloaded for: that load may have met
    # what was half, or the screen may show the other by now.
    again = fact.version is None or fact.missing or fact.version != view.tried.stale
    tried = replace(view.tried, stale=None) if again else view.tried
    since = deploy.found_since if fact == deploy.disk else now
    deploy = replace(deploy, disk=fact, read_at=now, found_since=since, known=known)
    return replace(view, deploy=deploy, page=page, tried=tried)


# --- outcomes -----------------------------------------------------------------------------------


def _outcome(view: View, fact: f.Done | f.Failed, now: float) -> View:
    failed = isinstance(fact, f.Failed)
    match fact.action:
        case ReadDeploy():
            page = view.page
            if failed and page.began is None:  # what the load took can no longer be read: by the next reading it may be another
                page = replace(page, amid=True)
            return replace(view, deploy=replace(view.deploy, reading=False, failed=failed), page=page)
        case ProbeServer(probe=probe):
            return _probed(view, probe)
        case AskPage(question=number) if failed and view.page.question and view.page.question.number == number:
            return replace(view, page=replace(view.page, question=None))  # a navigation took the question along: unknown is not bad
        case AskBrowser(question=number) if failed and view.browser.question and view.browser.question.number == number:
            return replace(view, browser=replace(view.browser, question=None))
        case action if action == view.busy:
            view = replace(view, busy=None)
            return _undone(view, action, fact.reason, now) if isinstance(fact, f.Failed) else _done(view, action, now)
        case _:
            return view


def _done(view: View, action: Action, now: float) -> View:
    match action:
        case StopLoading():
            return replace(view, page=loaded(view.page, now))
        case Reload(fresh=True) if view.page.began is not None and not view.page.began.missing:
            version, tried = view.page.began.version, view.tried
            again = version == tried.stale and (tried.again or view.granting is None)  # what somebody asked for is no try of ours
            return replace(view, tried=replace(tried, stale=version, stale_at=now, again=again))
        case _:
            return view


def _undone(view: View, action: Action, reason: str, now: float) -> View:
    """What was ordered did not happen: the view must not go on believing it."""
    parts = action.actions if isinstance(action, Steps) else (action,)
    if view.display.life is Life.STARTING:
        view = replace(view, display=replace(view.display, life=Life.NONE, since=now, reason=reason, failed=True))
    if any(isinstance(part, StartBrowser) for part in parts):
        return browser_gone(view, reason, died=False, now=now)
    if any(isinstance(part, Navigate) for part in parts):
        view = replace(view, went_at=None)
    if any(isinstance(part, Navigate | Reload | StopLoading) for part in parts):  # what cannot be stopped is no load any more
        view = replace(view, page=replace(view.page, navigating_since=None))
    return view
