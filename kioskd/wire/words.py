"""What ``kioskctl`` prints: the status at a glance, incidents as a list, and one incident whole. Pure: dictionaries in, lines out."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from kioskd.wire.pages import place
from kioskd.wire.values import PICTURE

GOOD, WARNING, BAD, FAINT, PLAIN = "32", "33", "31", "2", ""

#: How a verdict looks. What is not here is being mended.
LOOKS = {"HEALTHY": GOOD, "LOADING": WARNING, "PAUSED": WARNING, "SERVER_DOWN": WARNING, "STALE": WARNING}


class Paint:
    """Colours, or none."""

    def __init__(self, colours: bool) -> None:
        self._colours = colours

    def __call__(self, colour: str, text: str) -> str:
        """Return the text in a colour."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours and colour else text


def status_lines(known: dict[str, Any], now: datetime, paint: Paint) -> Iterator[str]:
    """Return ``GET /api/status`` as a person reads it. ``now``: with its time zone."""
    verdict, page, browser, coming = known["verdict"], known["page"], known["browser"], known["next"]
    yield f"{paint(LOOKS.get(verdict, BAD), f'● {verdict}')}  {known['why']}{paint(FAINT, _since(known, now))}"
    if known["needs_person"]:
        yield paint(BAD, "  A person is needed: all that kioskd has was done three times. kioskctl incidents says what.")
    for name, text in (
        ("page", _page(page, now)),
        ("server", _server(known["server"], now)),
        ("version", _versions(known["versions"], now)),
        ("browser", _browser(browser, now)),
        ("next", f"{coming['action']} {_when(coming['at'], now)}" if coming else "nothing to do"),
        ("paused", f"until {_clock(known['paused_until'], now)}; kioskctl resume ends it" if known["paused_until"] else ""),
    ):
        if text:
            yield f"  {paint(FAINT, f'{name:8}')} {text}"
    for name, text in known["problems"].items():
        yield f"  {paint(WARNING, f'{name:8}')} {text}"
    for text in known["configuration"]["mistakes"]:
        yield f"  {paint(BAD, 'config  ')} {text}"


def _since(known: dict[str, Any], now: datetime) -> str:
    """Return for how long: ``since`` is when the incident began or, without one, when the document came."""
    if known["since"] is None or known["verdict"] == "PAUSED":  # for how long that is, its own line says
        return ""
    past, rung = ago(known["since"], now), known["rung"].lower()
    if rung == "calm":
        return f" for {past}"
    return f"; {rung}, the first sign was {past} ago" if known["verdict"] == "HEALTHY" else f" for {past}, {rung}"


def _page(page: dict[str, Any], now: datetime) -> str:
    if not page["url"]:
        return "none"
    own = place(page["url"])
    parts, connection = [f"kioskd's own: {own.value}" if own else page["url"]], page["connection"]
    if connection["dead_since"]:
        parts.append(f"its connection has been dead for {ago(connection['dead_since'], now)}")
    elif connection["closed_by_page"]:
        parts.append("it has closed its connection itself")
    elif connection["open_since"]:
        parts.append(f"its connection has been open for {ago(connection['open_since'], now)}")
    return ", ".join(parts)


def _server(server: dict[str, Any], now: datetime) -> str:
    heard = server["home"] or server["socket"]
    if heard is None:
        return "not asked: all is well"
    said = f"answered {heard['status']}" if heard["status"] else heard["error"] or "no answer"
    state = {True: "up: ", False: "down: ", None: ""}[server["up"]]
    return f"{state}{said}, {ago(heard['at'], now)} ago"


def _versions(versions: dict[str, Any], now: datetime) -> str:
    screen, disk = versions["screen"], versions["disk"]
    if disk is None:
        return ""
    of = _clock(datetime.fromtimestamp(disk["version"], UTC).isoformat(), now)
    if versions["missing"]:
        return f"{disk['version']} on disk is not complete: {versions['missing'][0]}"
    if screen == disk:
        return f"{disk['version']} ({of}), on the screen"
    return f"{disk['version']} ({of}) on disk; on the screen {screen['version'] if screen else 'one that is not known'}"


def _browser(browser: dict[str, Any], now: datetime) -> str:
    if browser["state"] != "up":
        return f"{browser['state']}: {browser['reason']}" if browser["reason"] else str(browser["state"])
    memory = f", {browser['memory'] / 1e6:.0f} MB" if browser["memory"] else ""
    return f"{browser['product']}, up for {ago(browser['since'], now)}{memory}"


def incident_lines(incidents: Iterable[dict[str, Any]], now: datetime, paint: Paint) -> Iterator[str]:
    """Return incidents as a list, one line each, in the order given."""
    for each in incidents:
        colour, end = _end(each)
        moment = _clock(each["began"], now)
        yield f"{each['id']:>5}  {moment:>19}  {each['verdict']:12} {paint(colour, f'{end:22}')}  {each['why']}"


def incident_text(incident: dict[str, Any], now: datetime, paint: Paint) -> Iterator[str]:
    """Return one incident whole."""
    colour, end = _end(incident)
    title = f"● Incident {incident['id']}"
    yield f"{paint(colour, title)}  {incident['verdict']}: {incident['why']}"
    yield f"  {_clock(incident['began'], now)}, {end}" + (f" by: {incident['cure']}" if incident["cure"] not in (None, "by itself") else "")
    yield ""
    told = [(incident["began"], incident["verdict"], incident["why"], "")]
    told += [(each["at"], each["verdict"], each["why"], "") for each in incident["seen"]]
    told += [(each["at"], "  →", each["what"], each["outcome"] or "…") for each in incident["actions"]]
    for at, what, why, outcome in sorted(told, key=lambda each: each[0]):
        then = f"  ({outcome})" if outcome else ""
        yield f"  {paint(FAINT, _exact(at, now))}  {what:12} {why}{paint(GOOD if outcome == 'helped' else FAINT, then)}"
    if incident["left_out"]:
        yield paint(FAINT, f"  {incident['left_out']} more of the same were not kept")
    for each in incident["evidence"]:
        yield ""
        memory = f", the browser had {each['memory'] / 1e6:.0f} MB" if each["memory"] else ""
        yield f"  {paint(FAINT, _exact(each['at'], now))}  evidence{memory}"
        if PICTURE.fullmatch(each["picture"] or ""):
            yield f"    picture: kioskctl show {incident['id']} --picture {each['picture']}"
        for name in ("errors", "requests", "journal"):
            for text in each[name]:
                yield f"    {NAMES[name]}: {text}"


NAMES = {"errors": "script", "requests": "not loaded", "journal": "journal"}


def _end(incident: dict[str, Any]) -> tuple[str, str]:
    if incident["interrupted"]:
        return WARNING, "interrupted: kioskd ended in the middle"
    if incident["seconds"] is None:
        return BAD, "not over"
    return GOOD, f"over after {seconds(incident['seconds'])}"


# --- moments and durations ---------------------------------------------------------------------------


def seconds(number: float) -> str:
    """Return a duration for people: two units at most."""
    if number < 10:
        return f"{number:.1f} s"
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if number >= size:
            whole, rest = int(number // size), int(number % size // smaller)
            return f"{whole} {unit}" + (f" {rest} {name}" if rest and whole < 10 else "")
    return f"{number:.0f} s"


def ago(moment: str | None, now: datetime) -> str:
    """Return how long a moment (ISO 8601) is past."""
    if moment is None:
        return "never"
    return seconds(max(0.0, (now - datetime.fromisoformat(moment)).total_seconds()))


def _when(moment: str, now: datetime) -> str:
    left = (datetime.fromisoformat(moment) - now).total_seconds()
    return "now" if left < 1 else f"in {seconds(left)}"


def _clock(moment: str, now: datetime) -> str:
    """Return a moment in the clock of ``now``, the day only where it is another."""
    there = datetime.fromisoformat(moment).astimezone(now.tzinfo)
    return f"{there:%H:%M:%S}" if there.date() == now.date() else f"{there:%Y-%m-%d %H:%M:%S}"


def _exact(moment: str, now: datetime) -> str:
    there = datetime.fromisoformat(moment).astimezone(now.tzinfo)
    return f"{there:%H:%M:%S}.{there.microsecond // 1000:03}"


def doctor_lines(findings: Iterable[Any], paint: Paint) -> Iterator[str]:
    """Return what ``kioskctl doctor`` has found, each with its advice below."""
    marks = {"good": (GOOD, "ok"), "hint": (WARNING, "hint"), "bad": (BAD, "BAD"), "unknown": (FAINT, "?")}
    for each in findings:
        colour, mark = marks[each.state.value]
        yield f"{paint(colour, f'{mark:5}')} {each.about}: {each.says}"
        if each.advice:
            yield paint(FAINT, f"      → {each.advice}")
