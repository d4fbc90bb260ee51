"""What the view means: small readings that several rows share. Whoever decides asks these, so no two read the same differently."""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from kioskd.core.facts import Answer, Version
from kioskd.core.policy import Policy, Word, origin, path
from kioskd.core.view import Heard, Site, View

#: After a turn that came late the answers behind it are waited for so long before anything is done.
CATCH_UP_S = 1.0

#: Two late turns within this time: the host is starved.
STARVED_S = 60.0

#: For so long half a build is waited for. One that is never whole lacks what nobody misses, perhaps.
HALF_S = 30.0

#: For so long one that is being made, and has not settled yet.
MAKING_S = 5.0

#: kioskd's own pages are data: URLs that name themselves, so that they need no server and no memory.
_OWN = re.compile(r"data:text/html;charset=utf-8;kioskd=(\w+)[;,]")


def own_page(url: str) -> str | None:
    """Return the name of one of kioskd's own pages ("holding", "start", …), or None."""
    found = _OWN.match(url)
    return found.group(1) if found else None


def site(view: View, policy: Policy) -> Site:
    """Return where the main document is."""
    name = own_page(view.page.url)
    if name == "start" or view.page.url in ("", "about:blank"):
        return Site.START
    if name is not None:
        return Site.OWN
    return Site.HOME if origin(view.page.url) in homes(policy) else Site.ELSEWHERE


def homes(policy: Policy) -> frozenset[str]:
    """Return the origins that count as home: its own, and the allowed ones."""
    return _origins(policy.url or "", policy.allow)


@lru_cache(maxsize=8)
def _origins(url: str, allow: tuple[str, ...]) -> frozenset[str]:
    return frozenset({origin(url), *(origin(other) or other for other in allow)} - {""})


def same_site(one: str, other: str) -> bool:
    """Tell whether two URLs are of one site: the same host, or names that share their last two labels."""
    a, b = (urlsplit(origin(url)).hostname or "" for url in (one, other))
    if a == b:
        return bool(a)
    if a.replace(".", "").isdigit() or ":" in a:  # an address has no parents
        return False
    return a.split(".")[-2:] == b.split(".")[-2:] and "." in a


def expected_link(view: View, policy: Policy) -> str | None:
    """Return the connection that home is expected to hold: the configured one, or the one it has been seen to hold."""
    configured = policy.health.websocket.url
    if configured is Word.OFF or policy.url is None:
        return None
    if isinstance(configured, str):
        return path(configured)
    return dict(view.expected).get(path(policy.url))


def well_since(view: View, policy: Policy) -> float | None:
    """Return since when home has been as it should be: its connection open, or, where none is expected, loaded."""
    page = view.page
    if site(view, policy) is not Site.HOME or page.report is None or not page.report.ready or page.unreadable_since is not None:
        return None
    if expected_link(view, policy) is None:
        return page.committed_at
    return None if view.link.open_since is None else max(page.committed_at, view.link.open_since)


def owes(view: View, policy: Policy, now: float) -> bool:
    """Tell whether the page has owed an answer for so long that its last word is old."""
    question = view.page.question
    return question is not None and now - question.asked_at > policy.health.timeout


def server_up(view: View, policy: Policy, now: float) -> bool | None:
    """Tell whether the server is up, by the answers of the last rounds; None: not known."""
    if expected_link(view, policy) is None:
        return home_good(view, policy, now)
    return _good(view.server.socket, view.server.socket_class, policy, now)


def home_good(view: View, policy: Policy, now: float) -> bool | None:
    """Tell whether home can be shown: it answers as it did when it last loaded well, or with 2xx HTML of its own origin."""
    return _good(view.server.home, view.server.home_class, policy, now)


def _good(heard: Heard | None, baseline: Answer | None, policy: Policy, now: float) -> bool | None:
    if heard is None or now - heard.at > 2 * policy.health.interval + policy.health.timeout:
        return None
    answer = heard.answer
    if baseline is not None and (answer.status, answer.html, answer.at_home) == (baseline.status, baseline.html, baseline.at_home):
        return True
    # Also where the baseline is another one: it may have been taken just as something stood in front of the server.
    return answer.status == 101 or (answer.status is not None and 200 <= answer.status < 300 and answer.html and answer.at_home)


def shown(view: View) -> Version | None:
    """Return the version on the screen: by the document's digest where it is a known one, else what was on disk when the load began.

    None where that is not known, or where it was loaded amid a deploy: its parts may be of none, whatever the document says.
    """
    page, began = view.page, view.page.began
    if began is None or began.missing or page.amid:
        return None
    if began.version is not None and began.version.digest == page.digest:
        return began.version
    matching = [version for version in view.deploy.known if version.digest == page.digest]
    return matching[-1] if matching else began.version


def unread(view: View) -> bool:
    """Tell whether the disk may hold another build than is known."""
    return view.deploy.touched_at is not None or view.deploy.reading


def waits_for_build(view: View, due: float, now: float, policy: Policy) -> float | None:
    """Return until when, at the latest, a guarded step that was due at ``due`` waits for the build on the disk; None: it does not.

    Half a build is not to be shown, nor one that is being made. Where something beside it changes for ever, it is not being made for ever.
    """
    deploy, until = view.deploy, now
    if deploy.disk is not None and (deploy.disk.version is None or deploy.disk.missing):
        until = deploy.found_since + HALF_S
    if unread(view) and policy.deploy.url is None:  # an endpoint elsewhere is asked again and again, and knows nothing of changes
        until = max(until, deploy.first_touched_at + MAKING_S)
    until = min(until, due + HALF_S)
    return until if now < until else None


def strain(view: View, now: float) -> float:
    """Return what every patience is multiplied by: 3 while the host is starved (own loop late again and again)."""
    return 3.0 if len([at for at in view.late_at if now - at < STARVED_S]) >= 2 else 1.0


def catching_up(view: View, now: float) -> bool:
    """Tell whether a single turn has just come late. Where many do, ``strain`` is the answer: waiting each time would be for ever."""
    return bool(view.late_at) and now - view.late_at[-1] < CATCH_UP_S and strain(view, now) == 1.0
