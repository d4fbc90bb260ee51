"""The console, as an operator has it: in front of a real kioskd whose page was really broken, at a desk and on a phone."""

import signal
import time
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from kioskd.core.incidents import Entry, Kind
from kioskd.core.kernel import Kernel
from kioskd.core.steps import Remedy, Rung
from kioskd.core.verdict import Verdict
from kioskd.demo.kiosk import Kiosk
from kioskd.wire.incidents import Evidence, entry_line, evidence_line, interrupted_line
from kioskd.wire.status import Clocks, status
from tests.aio import lasting
from tests.edges.test_console import opened
from tests.edges.test_http_api import Door
from tests.faults.stage import START_S, Stage, kept
from tests.pages.eye import SIZES, Eye, eye

pytestmark = pytest.mark.chromium

WALL, TOUCH, PHONE = SIZES
#: What devices ask for: a language, and each size and colours to look at in it.
LOOKS = {
    "en": [*[(size, "dark") for size in SIZES], (WALL, "light"), (PHONE, "light")],
    "sv": [(TOUCH, "dark"), (PHONE, "dark")],
}

OPEN_TWO = "document.querySelectorAll('#incidents details').forEach((each, number) => each.open = number < 2)"
PICTURES = "[...document.querySelectorAll('img')].filter(it => it.checkVisibility()).every(it => it.complete && it.naturalWidth)"
LONG = "http://dashboards.building-7.example-company.internal:3001/assets/" + "a7f3c9" * 60 + ".js: net::ERR_CONNECTION_REFUSED"


async def pairing(kiosk: Kiosk) -> str:
    """The link that ``kioskctl pair`` prints."""
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(kiosk.control)) as session:
        async with session.post("http://kioskd/api/pair", json={}) as answer:
            return f"http://127.0.0.1:{kiosk.port}{(await answer.json())['path']}"


def has(id: str, text: str) -> str:
    """The element says this."""
    return f"document.getElementById('{id}').textContent.includes('{text}')"


async def walked(it: Eye) -> list[str]:
    """The elements that Tab leads to, until it leaves the page."""
    await it.evaluate("document.activeElement.blur()")
    seen: list[str] = []
    while len(seen) < 100:
        await it.key("Tab")
        name = await it.evaluate("document.activeElement.id || document.activeElement.closest('details')?.dataset.id || ''")
        if not name or name in seen:
            return seen
        seen.append(name)
    raise AssertionError(f"Tab never leaves the page: {seen}")


BUTTON, SURE = (f"document.getElementById('{id}')" for id in ("restart", "sure"))
FOCUS = "document.activeElement.id"
SAID_LOST = "!document.getElementById('lost').hidden && document.getElementById('lost').textContent.includes('is gone since')"
DIALOG = f"{SURE}.open"


async def confirmed_by_keyboard(it: Eye, stage: Stage) -> None:
    """Reach the button by Tab alone, be asked, and answer by key."""
    names = await walked(it)
    assert names[:3] == ["reload", "restart", "pause"] and len(names) > 3, names
    await it.evaluate("document.activeElement.blur()")
    while await it.evaluate(FOCUS) != "restart":
        await it.key("Tab")
    await it.key("Enter", "\r")
    await it.sees(f"{DIALOG} && {FOCUS} === 'no'")  # what is not meant does nothing
    seen = set()
    for _ in range(6):
        await it.key("Tab")
        seen.add(await it.evaluate(f"{FOCUS} || document.activeElement.localName"))
    assert {"yes", "no"} <= seen <= {"yes", "no", "sure", "body"}, f"Tab left the dialog for {seen}"  # "body" is the browser's own
    await it.key("Escape")
    await it.sees(f"!{DIALOG} && {FOCUS} === 'restart'")
    pid = stage.victim.pid
    await it.key("Enter", "\r")
    await it.sees(f"{DIALOG} && {FOCUS} === 'no'")
    while await it.evaluate(FOCUS) != "yes":
        await it.key("Tab")
    await it.key("Enter", "\r")
    await it.sees(f"!{DIALOG} && {FOCUS} === 'restart' && {has('said', 'restarting')}")
    await stage.shows(START_S, browser__state="up", browser__pid=lambda now: now not in (None, pid))
    assert not psutil.pid_exists(pid)


async def gone_and_back(it: Eye, kiosk: Kiosk) -> None:
    """kioskd stops to answer, as behind a network that has gone, and goes on; then it is killed, and starts again."""
    assert await it.evaluate("document.getElementById('lost').hidden")
    kiosk.strike(signal.SIGSTOP)
    await it.sees(SAID_LOST)
    kiosk.strike(signal.SIGCONT)
    await it.sees("document.getElementById('lost').hidden", START_S)
    kiosk.strike(signal.SIGKILL)
    kiosk.signal(signal.SIGKILL, None)
    assert kiosk.process is not None
    await kiosk.process.wait()
    await it.sees(SAID_LOST)
    wrong = await it.looked("console-gone", scrolls=True)
    assert not wrong, "\n".join(wrong)
    await kiosk.start()
    await it.sees("document.getElementById('lost').hidden", START_S)
    await it.sees(has("verdict", "All is well"), START_S)


@lasting(120)
async def test_the_browser_is_restarted_by_keyboard_only_and_a_lost_kioskd_is_said(tmp_path: Path) -> None:
    async with eye(tmp_path) as it, kept(tmp_path) as stage:
        assert stage.kiosk is not None
        await stage.proven()
        stage.victim.kill()  # so there is an incident to step on
        await it.turn(WALL)
        await it.go("", await pairing(stage.kiosk))
        await it.sees(f"{has('verdict', 'All is well')} && document.querySelectorAll('#incidents details').length > 0", START_S)
        await confirmed_by_keyboard(it, stage)
        await gone_and_back(it, stage.kiosk)


# --- what a real kioskd cannot have on command: none, many, endless texts, memory that grows


def history(clocks: Clocks, number: int, long: bool) -> str:
    """One of fifty incidents in a week, from a second to hours: the newest is not over, some were interrupted."""
    text, at, verdict = LONG if long else "the server is up", clocks.monotonic - number * 12000.0, list(Verdict)[1 + number % 12]
    began = Entry(Kind.BEGAN, at, verdict, Rung.SUSPECT, text)
    done = Entry(Kind.DONE, at + 1, verdict, Rung.RELOADED, "", Remedy.RELOAD_FRESH)
    cured = Entry(Kind.CURED, at + 2, Verdict.HEALTHY, Rung.RELOADED, "", Remedy.RELOAD_FRESH, 1.8 ** (number % 18))
    lines = [entry_line(51 - number, each, clocks) for each in (began, done, *([cured] if number % 9 and number > 1 else []))]
    evidence = Evidence("", (text,) * 3, (text,), (text,), (200 + 9 * number) * 1_000_000)
    lines.append(evidence_line(51 - number, evidence, clocks.exact(at + 1)))
    return "".join([*lines, *([] if number % 9 else [interrupted_line(51 - number, clocks.exact(at + 900))])])


def known(problem: str = "", memory: int | None = None) -> dict[str, Any]:
    """What a kioskd says that has just started."""
    told = status(Kernel(), Clocks(time.monotonic(), time.time()), {"incidents": problem or None})
    told["browser"].update(state="up", product="Chrome/156", since="2026-11-26T12:00:00Z", memory=memory)
    told["why"] = problem or told["why"]
    return told


async def places_are_kept(it: Eye, door: Door) -> None:
    """Nobody loses the focus to what comes, nor an answer to the question before."""
    await it.evaluate("document.querySelector('#incidents details').old = true; document.querySelector('#incidents summary').focus()")
    door.state = {**known(LONG), "verdict": "HUNG"}
    door.live.stir()
    await it.sees("!document.querySelector('#incidents details').old && document.activeElement.localName === 'summary'")

    # A question that follows closely on another has its own answer: what ended the first comes late.
    late = f"new Promise(then => {SURE}.addEventListener('close', () => then()))"
    await it.evaluate(f"{BUTTON}.click(), {SURE}.close(), {BUTTON}.click(), {late}")
    await it.evaluate("document.getElementById('yes').click()")
    await it.sees(has("said", "restarting"))


@lasting(120)
async def test_nothing_and_very_much_have_room_and_the_plots_say_what_they_show(tmp_path: Path) -> None:
    async with eye(tmp_path) as it, opened(tmp_path) as (door, _, inside):
        here, wrong = f"http://127.0.0.1:{door.api.port}", []
        async with inside.post("/api/pair", json={}) as answer:
            path = (await answer.json())["path"]
        door.state, door.shown = known(), None
        await it.turn(PHONE)
        await it.go("", here + path)
        await it.sees(has("incidents", "Nothing has ever been wrong."))
        assert await it.evaluate("document.querySelectorAll('#plots svg').length") == 0
        wrong += await it.looked("console-nothing", scrolls=True)

        clocks = Clocks(time.monotonic(), time.time())
        (tmp_path / "incidents.jsonl").write_text("".join(history(clocks, number, number % 2 == 0) for number in range(50, 0, -1)))
        for size, scheme, language in ((WALL, "dark", "en"), (TOUCH, "light", "en"), (PHONE, "dark", "sv")):
            door.state = known(LONG)
            await it.turn(size, scheme, language)
            await it.go("", here)
            await it.sees("document.querySelectorAll('#incidents details').length === 50")
            await it.evaluate(OPEN_TWO)
            for memory in (310, 340, 330, 390):
                door.state = known(LONG, memory * 1_000_000)
                door.live.stir()
                await it.sees(has("signals", f"{memory} MB"))
            assert await it.evaluate("document.querySelectorAll('#plots line.data').length") == 3
            wrong += await it.looked(f"console-much-{size[0]}x{size[1]}-{scheme}-{language}", scrolls=True)
            lengths, memories = await it.evaluate("[...document.querySelectorAll('#plots svg[role=img]')].map(it => it.ariaLabel)")
            assert ("50 in seven days" if language == "en" else "50 på sju dagar") in lengths
            assert all(figure in memories for figure in ("209", "650", "390")), memories

        await places_are_kept(it, door)
        assert not wrong, "\n".join(wrong)


# --- a page that was really broken, and a server that is away


async def unpaired(it: Eye, here: str) -> list[str]:
    """Look at it before it is paired: how the screen is may be known to all, the rest is not offered."""
    wrong = []
    await it.go("", here)
    await it.sees(f"document.getElementById('verdict').textContent && {has('said', 'kioskctl pair')}")
    assert await it.evaluate("['lost', 'history'].every(id => document.getElementById(id).hidden)")
    assert await it.evaluate("[...document.querySelectorAll('main button')].every(it => it.disabled)")
    for size in SIZES:
        await it.turn(size)
        wrong += await it.looked(f"console-unpaired-{size[0]}x{size[1]}", scrolls=True)
    return wrong


@lasting(120)
async def test_it_fits_every_screen_in_every_colour_and_language(tmp_path: Path) -> None:
    async with eye(tmp_path) as it, kept(tmp_path) as stage:
        await stage.proven()
        await stage.shows(START_S, rung="CALM")
        await stage.dashboard.do("give_up")
        await stage.shows(START_S, verdict="STUCK")
        here = f"http://127.0.0.1:{stage.kiosk.port}/"
        wrong = await unpaired(it, here)  # while the page is stuck, and mended
        await it.sees(has("verdict", "All is well"), START_S)
        await stage.shows(START_S, rung="CALM")
        await stage.dashboard.kill()
        await it.sees(has("verdict", "Waiting for the server"), START_S)
        await it.evaluate(f"fetch('{await pairing(stage.kiosk)}').then(answer => answer.ok)")  # in another tab of this browser
        await it.sees("!document.getElementById('restart').disabled && !document.getElementById('history').hidden")
        for language, looks in LOOKS.items():
            await it.turn(WALL, language=language)
            await it.go("", here)
            await it.sees(f"document.querySelectorAll('#incidents details').length > 1 && {has('verdict', 'serve')}")
            assert await it.evaluate("document.documentElement.lang") == language
            await it.evaluate(OPEN_TWO)
            await it.sees(PICTURES)
            for size, scheme in looks:
                await it.turn(size, scheme, language)
                assert await it.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
                wrong += await it.looked(f"console-{size[0]}x{size[1]}-{scheme}-{language}", scrolls=True)
        assert not wrong, "\n".join(wrong)
