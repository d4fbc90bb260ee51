"""How facts about the browser, and about what it is drawn on, change what is known. ``observe.py`` hands them here."""

from dataclasses import replace

from kioskd.core import facts as f
from kioskd.core.policy import Policy
from kioskd.core.view import BrowserView, DisplayView, Life, PageView, View


def display_changed(view: View, fact: f.DisplayStarted | f.DisplayGone, now: float) -> View:
    """Return the view after it; one of another run changes nothing."""
    display = view.display
    match fact:
        case _ if fact.run != display.run:
            return view
        case f.DisplayStarted():
            display = replace(display, life=Life.UP, since=now, reason="", lacks=fact.lacks, failed=False, looked_at=now)
        case f.DisplayGone():
            display = replace(display, life=Life.NONE, since=now, reason=fact.reason, lacks="")
    return replace(view, display=display)


def display_starting(view: View, now: float) -> View:
    """Return the view in which a start of the display has been ordered: after one that failed, the other way of painting."""
    last = view.display
    return replace(view, display=DisplayView(last.run + 1, Life.STARTING, now, software=last.failed and not last.software))


def browser_changed(
    view: View, fact: f.BrowserStarted | f.BrowserGone | f.BrowserAnswered | f.MemoryRead, now: float, policy: Policy
) -> View:
    """Return the view after it. A fact about a browser that is no longer the present one does not get here."""
    browser = view.browser
    match fact:
        case f.BrowserStarted() if browser.life is Life.STARTING:
            browser = replace(browser, life=Life.UP, since=now, pid=fact.pid, product=fact.product, reason="", memory_asked_at=now)
            return replace(view, browser=browser, page=PageView(present=True, committed_at=now, moved_at=now))
        case f.BrowserGone():
            return browser_gone(view, fact.reason, fact.pid is not None, now)
        case f.BrowserAnswered():
            return replace(view, browser=replace(browser, question=None, answered_at=now))
        case f.MemoryRead():
            limit = policy.memory_limit
            first = browser.memory is None and limit is not None and fact.size > limit
            browser = replace(browser, memory=fact.size, memory_at=now, big_from_start=browser.big_from_start or first)
            return replace(view, browser=browser)
        case _:
            return view  # a start that had been given up: the next one ends it


def browser_gone(view: View, reason: str, died: bool, now: float) -> View:
    """Return the view without a browser. ``died``: a process had been there (an absent program costs no profile)."""
    if view.browser.life is Life.NONE:
        return view
    deaths = view.browser.deaths + (died and not view.browser.proved)
    # A program that never ran says nothing about what it would have drawn on.
    painted = view.browser.painted or not died
    browser = replace(
        view.browser, life=Life.NONE, since=now, reason=reason, pid=None, question=None, deaths=deaths, memory=None, painted=painted
    )
    return replace(view, browser=browser, page=PageView())


def browser_starting(view: View, generation: int, now: float, planned: str = "") -> View:
    """Return the view in which a start has been ordered. ``planned``: why, where nothing is wrong."""
    last = view.browser
    again = last.life is Life.NONE and last.generation > 0
    reason = f"starting again: {last.reason}" if again else "starting"  # what is wrong can be read while it is tried again
    reason = f"restarting as planned: {planned}" if planned else reason
    browser = BrowserView(generation, Life.STARTING, now, now, reason, deaths=last.deaths, set_aside=last.set_aside)
    return replace(view, browser=browser, page=PageView())
