"""The page's own connection: which of its sockets it is, and since when it has been dead.

The page reports its WebSockets and EventSources in groups, one a URL. Counted are those of the page's own site. The
connection that home is expected to hold is the configured one, or the one it has been seen to hold for ``PROVEN_S``
(of several, the one that carried the most messages: a development reload socket carries next to none). A document that
never tries the expected one is judged by what it does hold, because a deploy may have moved it; if it holds none, the
connection is dead.

``dead_since`` starts when none is open and ends only after one has been open for ``PROVEN_S`` without a break.
Reloads, flaps and the page's own reloads do not reset it.
"""

from dataclasses import replace

from kioskd.core.facts import Connection, PageAnswered
from kioskd.core.policy import Policy, Word, path
from kioskd.core.readings import expected_link, same_site, site
from kioskd.core.view import PROVEN_S, Link, Site, View

#: ``silence: auto`` — only a connection that talks is expected to talk.
TALKATIVE_MESSAGES = 20
AUTO_SILENCE_S = 90.0
AUTO_SILENCE_GAPS = 5.0

#: Connections whose longest gap is kept, the last ones looked at: a URL may carry a session.
KNOWN_GAPS = 16

#: What a document has to open its connection in, before it is said to have none. Its patience counts from its beginning all the same.
CONNECT_S = 2.0


def follow(view: View, report: PageAnswered, now: float, policy: Policy) -> View:
    """Return the view after the page's report of its connections."""
    if policy.health.websocket.url is Word.OFF or site(view, policy) is not Site.HOME or view.page.error:
        return view
    expected = expected_link(view, policy)
    group = _pick(report.connections, expected, policy)
    if group is None and expected is None:
        return replace(view, link=Link())
    view, limit = _silence(view, group, policy)
    return replace(view, link=_judge(view.link, group, expected, limit, view.page.committed_at, now))


def learnt(view: View, report: PageAnswered, policy: Policy) -> str | None:
    """Return the connection that home is to be remembered by, where the report teaches a new one."""
    if policy.health.websocket.url is not Word.AUTO or site(view, policy) is not Site.HOME:
        return None
    counted = {group.url: group for group in _counted(report.connections, policy)}
    held = [group for group in counted.values() if group.open_for is not None and group.open_for >= PROVEN_S]
    best = max(held, key=lambda group: group.messages, default=None)
    expected = expected_link(view, policy)
    if best is None or best.url == expected:
        return None
    present = counted.get(expected or "")
    # Twice as talkative, or the choice would swing between two equals and be written each time.
    return best.url if present is None or best.messages > 2 * present.messages else None


def _counted(groups: tuple[Connection, ...], policy: Policy) -> list[Connection]:
    configured = policy.health.websocket.url
    if isinstance(configured, str):
        return [group for group in groups if group.url == path(configured)]
    return [group for group in groups if same_site(group.url, policy.url or "")]


def _pick(groups: tuple[Connection, ...], expected: str | None, policy: Policy) -> Connection | None:
    counted = _counted(groups, policy)
    for group in counted:
        if group.url == expected:
            return group
    if expected is not None:  # moved by a deploy? then what the document does hold
        counted = [group for group in counted if group.open_for is not None]
    return max(counted, key=lambda group: (group.open_for is not None, group.messages), default=None)


def _silence(view: View, group: Connection | None, policy: Policy) -> tuple[View, float | None]:
    """Return after how many silent seconds an open connection counts as dead; the longest gap ever seen is kept."""
    silence = policy.health.websocket.silence
    if group is None or silence is Word.OFF:
        return view, None
    if not isinstance(silence, Word):
        return view, silence
    longest = max(dict(view.gaps).get(group.url, 0.0), group.longest_gap)
    others = (item for item in view.gaps if item[0] != group.url)
    view = replace(view, gaps=(*others, (group.url, longest))[-KNOWN_GAPS:])
    if group.messages < TALKATIVE_MESSAGES:
        return view, None
    return view, max(AUTO_SILENCE_S, AUTO_SILENCE_GAPS * longest)


def _judge(link: Link, group: Connection | None, expected: str | None, limit: float | None, committed_at: float, now: float) -> Link:
    if group is None:  # the document holds none: since its beginning, or since the frame or worker that held it has gone
        return link if link.asleep else _dead(link, expected, committed_at if link.open_since is None else now, committed_at, now)
    if group.open_for is None and (expected is None or group.closed_by_page):
        return Link(url=group.url, asleep=group.closed_by_page)
    if expected is None and group.open_for is not None:
        return Link(url=group.url, open_since=now - group.open_for)
    if group.open_for is None:
        return _dead(link, group.url, now - (group.dead_for or 0.0), committed_at, now)
    if limit is not None and group.silent_for >= limit:
        return replace(_dead(link, group.url, now - (group.silent_for - limit), committed_at, now), silent=True)
    opened = now - group.open_for
    if group.open_for >= PROVEN_S:
        return Link(url=group.url, open_since=opened)
    return Link(url=group.url, open_since=opened, dead_since=link.dead_since)


def _dead(link: Link, url: str | None, since: float, committed_at: float, now: float) -> Link:
    if link.dead_since is not None:
        return Link(url=url, dead_since=link.dead_since)
    if link.open_since is None and now - committed_at < CONNECT_S:  # a new document, and nothing was wrong before it
        return Link(url=url)
    return Link(url=url, dead_since=since)
