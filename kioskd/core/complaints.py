"""What a server's own log says of the page: ``health.journal``, for dashboards that cannot be changed but complain.

``count`` matching lines within ``within`` mean that the page is stuck. That ends with a line that matches ``clear``, or with silence for
``within``. A load takes a while to connect: what is said meanwhile is of the page before it, so nothing is heard for ``DEAF_S``, and a rule
that held before the load says nothing of the new page until it is heard again. Nor has it ended: the incident waits for silence.
"""

from dataclasses import replace

from kioskd.core.facts import JournalHeard
from kioskd.core.policy import Policy
from kioskd.core.view import Complaint, View

#: After a load the server may go on complaining until the page has connected.
DEAF_S = 20.0


def heard(view: View, fact: JournalHeard, now: float, policy: Policy) -> View:
    """Return the view after lines of the journal."""
    rule = fact.rule
    if rule not in policy.health.journal:
        return view
    before = next((known for known in view.complaints if known.rule == rule), Complaint(rule))
    others = tuple(known for known in view.complaints if known.rule != rule)
    if fact.cleared:
        before = Complaint(rule)
    matches = 0 if _deaf(view, now) else min(fact.matches, rule.count)
    recent = tuple(at for at in before.heard_at if now - at < rule.within)
    times = (*recent, *(now,) * matches)[-rule.count :]
    since = times[0] if before.since is None and len(times) == rule.count else before.since
    if not times and since is None:
        return replace(view, complaints=others)
    return replace(view, complaints=(*others, Complaint(rule, times, since, now if matches else before.last_at)))


def _deaf(view: View, now: float) -> bool:
    return view.page.navigating_since is not None or now - view.page.committed_at < DEAF_S


def quieted(view: View, now: float) -> View:
    """Return the view without the complaints that silence has ended."""
    if all(now < ends for ends in endings(view)):
        return view
    return replace(view, complaints=tuple(known for known in view.complaints if now < _ends(view, known)))


def endings(view: View) -> list[float]:
    """Return when silence would end each complaint."""
    return [_ends(view, known) for known in view.complaints]


def _ends(view: View, complaint: Complaint) -> float:
    """Lines that do not make the count age by themselves; what holds ends with silence that could have been broken."""
    heard_from = 0.0 if complaint.since is None else view.page.committed_at + DEAF_S
    return max(complaint.last_at, heard_from) + complaint.rule.within
