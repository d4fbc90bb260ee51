"""How a fact about the page changes what is known: loads, documents, answers. What it says of its connection: ``link.py``."""

from dataclasses import replace

from kioskd.core import facts as f
from kioskd.core.facts import Fact
from kioskd.core.link import follow
from kioskd.core.policy import Policy
from kioskd.core.readings import site, unread
from kioskd.core.view import PageView, Site, View


def page_changed(view: View, fact: Fact, now: float, policy: Policy) -> View:
    """Return the view after ``fact``."""
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
            browser = replace(view.browser, proved=True, deaths=0, set_aside=False) if proved else view.browser
            return replace(view, page=loaded(page, now), browser=browser)
        case f.DocumentCommitted():
            return _committed(view, fact, now, policy)
        case f.Prompted():
            # The load waits for a person, for ever: it is no longer pending.
            return replace(view, page=replace(page, prompt=fact.what, moved_at=now, navigating_since=None))
        case f.PageAnswered():
            return _answered(view, fact, now, policy)
        case f.DocumentRead() if fact.document == page.document:
            return replace(view, page=replace(page, digest=fact.digest))
        case _:
            return view  # dialogs and pop-ups are answered, not remembered


def loading(view: View, now: float) -> PageView:
    """Return the page with a navigation begun (ordered by us, or seen)."""
    since = now if view.page.navigating_since is None else view.page.navigating_since
    # What has changed before and is not read yet is what this load takes, unless it changes again meanwhile.
    began = None if unread(view) else view.deploy.disk
    ordered = view.page.ordered and (view.page.navigating_since is not None or view.page.error)
    return replace(view.page, navigating_since=since, began=began, amid=False, load_at=since, loaded_at=None, ordered=ordered)


def loaded(page: PageView, now: float) -> PageView:
    """Return the page with its load over.

    A page that waits for its server answers nothing: that time does not count against it.
    """
    question = page.question
    if page.navigating_since is not None and question is not None:
        question = replace(question, asked_at=now)
    return replace(page, navigating_since=None, loaded_at=now, question=question, ask_now=True)


def _committed(view: View, fact: f.DocumentCommitted, now: float, policy: Policy) -> View:
    before = site(view, policy)
    page = PageView(
        present=True, document=fact.document, url=fact.url, error=fact.error, committed_at=now, ask_now=True, asked_before=view.questions,
        prompt=view.page.prompt, moved_at=view.page.moved_at, began=view.page.began, amid=view.page.amid, load_at=view.page.load_at,
        ordered=view.page.ordered,
        unreadable_since=_since(view.page.unreadable_since, fact.error, now),
        text_since=view.page.text_since, lifeless_since=view.page.lifeless_since,  # only a report ends these
    )  # fmt: skip
    view = replace(view, page=page)
    if site(view, policy) is not before:
        view = replace(view, page=replace(page, moved_at=now))
    return replace(view, link=replace(view.link, open_since=None, asleep=False, silent=False))


def _answered(view: View, fact: f.PageAnswered, now: float, policy: Policy) -> View:
    page = view.page
    if fact.question <= page.asked_before:  # the last word of the document before
        return view
    failed = page.error or fact.url.startswith("chrome-error:") or (fact.status is not None and fact.status >= 500)
    page = replace(
        page, question=None, report=fact, reported_at=now, url=page.url if failed else fact.url,
        unreadable_since=_since(page.unreadable_since, failed, now),
        blank_since=_since(page.blank_since, fact.ready and not fact.visible, now),
        text_since=_since(page.text_since, fact.stuck_text and policy.health.page.stuck_text is not None, now),
        lifeless_since=_since(page.lifeless_since, fact.alive is False, now),
    )  # fmt: skip
    before = site(view, policy)
    view = replace(view, page=page, browser=replace(view.browser, painted=True), display=replace(view.display, painted=True))
    if site(view, policy) is not before:
        view = replace(view, page=replace(page, moved_at=now))
    return follow(view, fact, now, policy)


def _since(before: float | None, holds: bool, now: float) -> float | None:
    """Since when something holds: the beginning of a stretch stays."""
    if not holds:
        return None
    return now if before is None else before
