"""How a fact changes what is known: ``observe(view, fact, now, policy) -> View``, and nothing else.

The only place that writes the view from facts. A fact about a browser that is no longer the present one changes nothing.
"""

from dataclasses import replace

from kioskd.core import facts as f
from kioskd.core.actions import AskBrowser, AskPage, Navigate, OpenPage, Place, Probe, ProbeServer, ReadDeploy, Reload, StartBrowser, Steps
from kioskd.core.facts import Fact
from kioskd.core.link import follow
from kioskd.core.policy import Policy
from kioskd.core.view import BrowserView, Heard, Life, Link, PageView, ServerView, Site, View, server_up, site

#: A turn of the loop this much later than asked for is late: what was not answered meanwhile says nothing.
LATE_S = 1.0

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
            return _woke(view, fact, now)
        case f.ConfigRead() | f.ConfigRejected():
            return _config(view, fact, now)
        case f.Remembered():
            return replace(view, expected=fact.expected, reboots=fact.reboots)
        case f.Asked():
            return _asked(view, fact, now)
        case f.BrowserStarted() | f.BrowserGone() | f.BrowserAnswered() | f.MemoryRead():
            return _browser(view, fact, now, policy)
        case f.ServerAnswered():
            return _server(view, fact, now, policy)
        case f.DeployTouched() | f.DeployRead():
            return _deploy(view, fact, now, policy)
        case f.Done() | f.Failed():
            return _outcome(view, fact, now)
        case _:
            return _page(view, fact, now, policy)


# --- time and people ----------------------------------------------------------------------------


def _woke(view: View, fact: f.Woke, now: float) -> View:
    late = now - fact.due
    if late < LATE_S:
        return view
    # The answers may be waiting behind this very turn: nobody is blamed for the time in which we did not look.
    browser, page = view.browser, view.page
    if browser.question:
        browser = replace(browser, question=replace(browser.question, asked_at=browser.question.asked_at + late))
    if page.question:
        page = replace(page, question=replace(page.question, asked_at=page.question.asked_at + late))
    recent = tuple(at for at in view.late_at if now - at < 60.0)
    return replace(view, browser=browser, page=page, late_at=(*recent, now))


def _config(view: View, fact: f.ConfigRead | f.ConfigRejected, now: float) -> View:
    if isinstance(fact, f.ConfigRejected):
        goal = view.goal or Place.MISTAKE
        changed = goal is Place.MISTAKE and fact.errors != view.mistakes
        return replace(view, mistakes=fact.errors, goal=goal, goal_since=now if changed else view.goal_since)
    goal = Place.HOME if fact.policy.url else Place.WELCOME
    return replace(view, mistakes=(), goal=goal)


def home_changed(view: View, now: float) -> View:
    """Return the view for another home: what was learnt of the old one's server and page does not hold."""
    return replace(view, goal_since=now, link=Link(), server=ServerView())


def _asked(view: View, fact: f.Asked, now: float) -> View:
    match fact.command:
        case f.Command.PAUSE:
            return replace(view, paused_since=now, paused_until=now + (fact.for_s or 3600.0))
        case f.Command.RESUME:
            return replace(view, paused_until=None)
        case _:
            return replace(view, wish=fact.command)


# --- the browser --------------------------------------------------------------------------------


def _browser(view: View, fact: f.BrowserStarted | f.BrowserGone | f.BrowserAnswered | f.MemoryRead, now: float, policy: Policy) -> View:
    browser = view.browser
    match fact:
        case f.BrowserStarted():
            browser = replace(browser, life=Life.UP, since=now, pid=fact.pid, product=fact.product, reason="")
            return replace(view, browser=browser, page=PageView(present=True, committed_at=now, moved_at=now))
        case f.BrowserGone():
            return browser_gone(view, fact.reason, fact.pid is not None, now)
        case f.BrowserAnswered():
            return replace(view, browser=replace(browser, question=None))
        case f.MemoryRead():
            limit = policy.memory_limit
            first = browser.memory is None and limit is not None and fact.size > limit
            browser = replace(browser, memory=fact.size, memory_at=now, big_from_start=browser.big_from_start or first)
            return replace(view, browser=browser)


def browser_gone(view: View, reason: str, died: bool, now: float) -> View:
    """Return the view without a browser. ``died``: a process had been there (an absent program costs no profile)."""
    if view.browser.life is Life.NONE:
        return view
    deaths = view.browser.deaths + 1 if died and not view.browser.proved else 0 if view.browser.proved else view.browser.deaths
    browser = replace(view.browser, life=Life.NONE, since=now, reason=reason, pid=None, question=None, deaths=deaths, memory=None)
    return replace(view, browser=browser, page=PageView())


def browser_starting(view: View, generation: int, now: float) -> View:
    """Return the view in which a start has been ordered."""
    browser = BrowserView(generation=generation, life=Life.STARTING, since=now, deaths=view.browser.deaths, reason="starting")
    return replace(view, browser=browser, page=PageView())


# --- the page -----------------------------------------------------------------------------------


def _page(view: View, fact: Fact, now: float, policy: Policy) -> View:
    page = view.page
    match fact:
        case f.PageGone():
            return replace(view, page=PageView(present=False, gone_at=now))
        case f.PageOpened():
            return replace(view, page=PageView(present=True, committed_at=now, moved_at=now))
        case f.RendererGone():
            return replace(view, page=replace(page, crashed_at=now, question=None, navigating_since=None))
        case f.NavigationStarted():
            return replace(view, page=replace(loading(view, now), crashed_at=None, prompt=None))
        case f.NavigationEnded():
            # A load that ended without a document of its own left the old one: only the question can tell.
            proved = view.browser.proved or site(view, policy) is not Site.START
            browser = replace(view.browser, proved=proved, deaths=0 if proved else view.browser.deaths)
            return replace(view, page=replace(page, navigating_since=None, ask_now=True), browser=browser)
        case f.DocumentCommitted():
            return _committed(view, fact, now, policy)
        case f.Prompted():
            return replace(view, page=replace(page, prompt=fact.what, moved_at=now))
        case f.PageAnswered():
            return _answered(view, fact, now, policy)
        case f.DocumentRead() if fact.document == page.document:
            return replace(view, page=replace(page, digest=fact.digest))
        case _:
            return view  # dialogs and pop-ups are answered, not remembered


def loading(view: View, now: float) -> PageView:
    """Return the page with a navigation begun (ordered by us, or seen)."""
    disk = view.deploy.disk
    since = now if view.page.navigating_since is None else view.page.navigating_since
    return replace(view.page, navigating_since=since, began_with=disk.version if disk else None, began_unread=disk is None)


def _committed(view: View, fact: f.DocumentCommitted, now: float, policy: Policy) -> View:
    before = site(view, policy)
    page = PageView(
        present=True, document=fact.document, url=fact.url, error=fact.error, committed_at=now, ask_now=True,
        prompt=view.page.prompt, moved_at=view.page.moved_at, began_with=view.page.began_with, began_unread=view.page.began_unread,
        unreadable_since=(view.page.unreadable_since or now) if fact.error else None,
        text_since=view.page.text_since, lifeless_since=view.page.lifeless_since,  # only a report ends these
    )  # fmt: skip
    view = replace(view, page=page)
    if site(view, policy) is not before:
        view = replace(view, page=replace(page, moved_at=now))
    return replace(view, link=replace(view.link, open_since=None, asleep=False, silent=False))


def _answered(view: View, fact: f.PageAnswered, now: float, policy: Policy) -> View:
    page = view.page
    failed = page.error or fact.url.startswith("chrome-error:") or (fact.status is not None and fact.status >= 500)
    blank = fact.ready and not fact.visible
    page = replace(
        page, question=None, report=fact, reported_at=now, url=page.url if failed else fact.url,
        unreadable_since=(page.unreadable_since or now) if failed else None,
        blank_since=(page.blank_since or now) if blank else None,
        text_since=(page.text_since or now) if fact.stuck_text else None,
        lifeless_since=(page.lifeless_since or now) if fact.alive is False else None,
    )  # fmt: skip
    before = site(view, policy)
    view = replace(view, page=page)
    if site(view, policy) is not before:
        view = replace(view, page=replace(page, moved_at=now))
    return follow(view, fact, now, policy)


# --- the server and the deploy ------------------------------------------------------------------


def _server(view: View, fact: f.ServerAnswered, now: float, policy: Policy) -> View:
    server = view.server
    server = replace(server, asked=tuple(item for item in server.asked if item[0] != fact.probe.value))
    if fact.answer is None:  # the probe itself failed: that says nothing
        return replace(view, server=server)
    heard = Heard(fact.answer, now)
    is_socket = fact.probe is Probe.SOCKET
    server = replace(server, socket=heard) if is_socket else replace(server, home=heard)
    if fact.probe.value in server.baselining:
        server = replace(server, baselining=tuple(name for name in server.baselining if name != fact.probe.value))
        if fact.answer.status is not None and fact.answer.status < 500:  # trouble is nobody's normal answer
            server = replace(server, socket_class=fact.answer) if is_socket else replace(server, home_class=fact.answer)
    view = replace(view, server=server)
    up = server_up(view, policy, now)
    if up is False and server.down_since is None:
        server = replace(server, down_since=now, up_since=None)
    elif up and server.down_since is not None:
        server = replace(server, down_since=None, up_since=now)
    return replace(view, server=server)


def _deploy(view: View, fact: f.DeployTouched | f.DeployRead, now: float, policy: Policy) -> View:
    deploy = view.deploy
    if isinstance(fact, f.DeployTouched):
        at = now - min(max(fact.age, 0.0), policy.deploy.settle)
        first = deploy.first_touched_at if deploy.first_touched_at is not None else at
        return replace(view, deploy=replace(deploy, touched_at=at, first_touched_at=first))
    unread = deploy.disk is None
    known = deploy.known
    if fact.version is not None:
        known = (*(version for version in known if version != fact.version), fact.version)[-KNOWN_VERSIONS:]
    page = view.page
    if unread and page.began_unread:  # the load began before anybody had looked: it took what was there
        page = replace(page, began_with=fact.version, began_unread=False)
    return replace(view, deploy=replace(deploy, disk=fact, read_at=now, known=known), page=page)


# --- outcomes -----------------------------------------------------------------------------------


def _outcome(view: View, fact: f.Done | f.Failed, now: float) -> View:
    action = fact.action
    match action:
        case ReadDeploy():
            return replace(view, deploy=replace(view.deploy, reading=False))
        case AskPage() if view.page.question and view.page.question.number == action.question and isinstance(fact, f.Failed):
            return replace(view, page=replace(view.page, question=None))  # a navigation took the question along: unknown is not bad
        case AskBrowser() if view.browser.question and view.browser.question.number == action.question and isinstance(fact, f.Failed):
            return replace(view, browser=replace(view.browser, question=None))
        case ProbeServer() if isinstance(fact, f.Failed):
            asked = tuple(item for item in view.server.asked if item[0] != action.probe.value)
            return replace(view, server=replace(view.server, asked=asked))
    mine = action == view.busy
    if mine:
        view = replace(view, busy=None)
    if isinstance(fact, f.Done) or not mine:
        return view
    # What was ordered did not happen: the view must not go on believing it.
    parts = action.actions if isinstance(action, Steps) else (action,)
    if any(isinstance(part, StartBrowser) and part.generation == view.browser.generation for part in parts):
        return browser_gone(view, fact.reason, died=False, now=now)
    if any(isinstance(part, Navigate | Reload | OpenPage) for part in parts):
        return replace(view, page=replace(view.page, navigating_since=None))
    return view
