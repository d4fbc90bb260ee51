"""The console's way in: a one-time link, a cookie that works only from our own page, live status, pictures; and what is refused."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from kioskd.core.facts import Asked, Command
from kioskd.core.incidents import Entry, Kind
from kioskd.core.steps import Rung
from kioskd.core.verdict import Verdict
from kioskd.edges import access
from kioskd.edges.access import PAIR_S, Pairing
from kioskd.edges.operator import A_WHILE, Glance
from kioskd.wire.incidents import Evidence
from tests.aio import asynctest
from tests.edges.test_http_api import VISIT, Door, until


@contextlib.asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[tuple[Door, aiohttp.ClientSession, aiohttp.ClientSession]]:
    """A door with its rooms at work, a browser outside, and somebody on the unix socket."""
    door = Door(control=str(tmp_path / "control.sock"), state=str(tmp_path))
    door.source.token.make()
    async with asyncio.TaskGroup() as rooms:
        tasks = [rooms.create_task(room) for room in (door.ledger.run(), door.live.follow())]
        async with door.open() as outside:
            await door.api.start_control()
            async with aiohttp.ClientSession("http://kioskd", connector=aiohttp.UnixConnector(door.control)) as inside:
                yield door, outside, inside
        for task in tasks:
            task.cancel()


async def paired(outside: aiohttp.ClientSession, inside: aiohttp.ClientSession) -> str:
    """Open the console as a person does; return the link that was used."""
    async with inside.post("/api/pair", json={}) as answer:
        assert answer.status == 201
        known = await answer.json()
        path = known["path"]
        assert [url.startswith("http://") and url.endswith(path) for url in known["urls"]] == [True, True]
    async with outside.get(path, allow_redirects=False) as answer:
        assert answer.status == 303 and answer.headers["Location"] == "/"
        cookie = answer.cookies["kioskd"]
        assert cookie["httponly"] and cookie["samesite"] == "Strict" and cookie["path"] == "/"
    outside.cookie_jar.update_cookies({"kioskd": cookie.value})  # the jar keeps none of an address
    return str(path)


def console(door: Door) -> dict[str, str]:
    return {"Cookie": f"kioskd={door.source.token.cookie()}"}


@asynctest
async def test_a_link_opens_the_console_once_and_from_then_on_all_may_be_seen_and_done(tmp_path: Path) -> None:
    async with opened(tmp_path) as (door, outside, inside):
        async with outside.get("/api/incidents") as answer:
            assert answer.status == 401
        async with inside.post("/api/pair", json={}) as answer:
            link = (await answer.json())["path"]
        async with outside.head(link) as answer:
            assert answer.status == 405, "who only looks where a link leads does not use it up"
        async with outside.get(link, allow_redirects=False) as answer:
            assert answer.status == 303
        path = await paired(outside, inside)
        async with outside.get(path, allow_redirects=False) as answer:
            assert answer.status == 403 and "kioskctl pair" in (await answer.json())["error"]
        cookie = console(door)
        for wanted in ("/api/incidents", "/api/screenshot", "/api/story"):
            async with outside.get(wanted, headers=cookie) as answer:
                assert answer.status == 200, wanted
        async with outside.post("/api/restart", json={"why": "it looks odd"}, headers=cookie) as answer:
            assert answer.status == 202
        async with outside.post("/api/pause", json={"for": "90s"}, headers=cookie) as answer:
            assert (await answer.json())["screen"] == "left alone for 90s"
        async with outside.post("/api/resume", headers=cookie) as answer:
            assert answer.status == 202
        assert door.facts == [
            Asked(Command.RESTART, why="it looks odd"), Asked(Command.PAUSE, for_s=90.0), Asked(Command.RESUME),
        ]  # fmt: skip


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)  # fmt: skip
@asynctest
async def test_the_cookie_is_worth_nothing_to_a_page_elsewhere(tmp_path: Path, headers: dict[str, str]) -> None:
    async with opened(tmp_path) as (door, outside, _):
        for path in ("/api/restart", "/api/pause", "/api/reload"):
            async with outside.post(path, json={}, headers={**console(door), **headers}) as answer:
                assert answer.status == 403, path
        async with outside.get("/api/screenshot", headers={**console(door), **headers}) as answer:
            assert answer.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await outside.ws_connect("/api/events", headers={**console(door), **headers})
        assert not door.facts


@asynctest
async def test_nor_to_whoever_follows_a_link_from_there(tmp_path: Path) -> None:
    """A browser that does not know SameSite sends it along: what comes is a window of its own, but not what only the operator may see."""
    async with opened(tmp_path) as (door, outside, _):
        for path in ("/api/incidents", "/api/screenshot", "/api/story"):
            async with outside.get(path, headers={**console(door), **VISIT}) as answer:
                assert answer.status == 401, path


@asynctest
async def test_secrets_are_compared_in_constant_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(access.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    async with opened(tmp_path) as (door, outside, inside):
        wrong = "0" * 64
        for headers in ({"Cookie": f"kioskd={wrong}"}, {"Authorization": f"Bearer {wrong}"}):
            async with outside.get("/api/incidents", headers=headers) as answer:
                assert answer.status == 401
        link = (await paired(outside, inside)).encode()
    assert [wrong.encode() in pair or any(link.endswith(part) for part in pair) for pair in compared] == [True] * 3


@asynctest
async def test_cookies_of_another_port_lock_nobody_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as (door, outside, _):
        for others in ("a@b=1; {}", "kioskd=0; {}", "kioskd=" + "0" * 64 + "; {}; (x)=y", '{}; x="'):
            async with outside.get("/api/incidents", headers={"Cookie": others.format(console(door)["Cookie"])}) as answer:
                assert answer.status == 200, others


@asynctest
async def test_a_wrong_cookie_and_an_old_token_open_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as (door, outside, _):
        old = console(door)
        (tmp_path / "token").write_text("another token, long enough\n")
        for headers in (old, {"Cookie": "kioskd=x"}, {"Cookie": "kioskd="}, {"Cookie": "other=1"}):
            async with outside.get("/api/incidents", headers=headers) as answer:
                assert answer.status == 401


def test_a_code_is_good_once_for_five_minutes_and_few_are_kept() -> None:
    now = [1000.0]
    pairing = Pairing(lambda: now[0])
    first = pairing.code()
    assert not pairing.redeem("") and not pairing.redeem(first[:-1])
    assert pairing.redeem(first) and not pairing.redeem(first)
    late = pairing.code()
    now[0] += PAIR_S + 1
    assert not pairing.redeem(late)
    codes = [pairing.code() for _ in range(9)]
    assert [pairing.redeem(code) for code in codes] == [False] * 4 + [True] * 5


@asynctest
async def test_live_tells_how_it_is_and_then_what_changes_and_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path) as (door, outside, _):
        door.state = {"verdict": "HEALTHY", "page": {"url": "http://wall/", "asked": "10:00"}}
        async with outside.ws_connect("/api/events", headers=console(door)) as socket:
            assert json.loads((await socket.receive(timeout=5)).data) == {"verdict": "HEALTHY", "page": {"url": "http://wall/"}}
            door.live.stir()
            assert json.loads((await socket.receive(timeout=5)).data)["verdict"] == "HEALTHY", "the first turn that was looked at"
            door.state = {**door.state, "page": {"url": "http://wall/", "asked": "10:05"}}
            door.live.stir()
            door.state = {"verdict": "STUCK", "page": {"url": "http://wall/", "asked": "10:10"}}
            await asyncio.sleep(0)
            door.live.stir()
            assert json.loads((await socket.receive(timeout=5)).data)["verdict"] == "STUCK"
            await socket.send_str("speak")
            assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        await until(lambda: not door.live._clients)
        async with outside.get("/api/events", headers=console(door)) as answer:
            assert answer.status == 426


@asynctest
async def test_the_pictures_of_an_incident(tmp_path: Path) -> None:
    async with opened(tmp_path) as (door, outside, _):
        door.ledger.add([Entry(Kind.BEGAN, 0.0, Verdict.STUCK, Rung.SUSPECT, "stuck")])
        door.ledger.keep(Evidence(), b"\xff\xd8\xffpicture")
        await until(lambda: not door.ledger._waiting)
        async with outside.get("/api/incidents/1-1.jpg", headers=console(door)) as answer:
            assert answer.status == 200 and answer.content_type == "image/jpeg" and await answer.read() == b"\xff\xd8\xffpicture"
        for name in ("1-2.jpg", "..%2Fincidents.jsonl", "%2e%2e", "token"):
            async with outside.get(f"/api/incidents/{name}", headers=console(door)) as answer:
                assert answer.status in (403, 404), name
        async with outside.get("/api/incidents/1-1.jpg") as answer:
            assert answer.status == 401


@asynctest
async def test_many_who_glance_share_a_picture_and_who_wants_it_exact_gets_their_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as (door, outside, _):

        async def look(kind: str) -> str:
            async with outside.get("/api/screenshot", headers={**console(door), "Accept": kind}) as answer:
                assert answer.status == 200 and await answer.read() == door.shown
                return answer.content_type

        assert set(await asyncio.gather(*[look("image/jpeg") for _ in range(5)])) == {"image/jpeg"}
        assert door.taken == [False]
        assert [await look(kind) for kind in ("*/*", "image/png")] == ["image/png"] * 2
        assert door.taken == [False, True, True]


@asynctest
async def test_a_glance_is_not_older_than_said() -> None:
    door = Door()
    for fresh_s, taken in ((60.0, 1), (0.0, 3)):
        glance = Glance(door.screenshot, fresh_s)
        assert [await glance.picture() for _ in range(2)] == [door.shown] * 2
        assert len(door.taken) == taken


@asynctest
async def test_no_picture_says_why(tmp_path: Path) -> None:
    async with opened(tmp_path) as (door, outside, _):
        door.shown = None
        async with outside.get("/api/screenshot", headers=console(door)) as answer:
            assert answer.status == 503 and (await answer.json())["error"] == "There is no browser"


@pytest.mark.parametrize("path", ["/", "/console.js", "/plots.js", "/words.js", "/console.css"])
@asynctest
async def test_the_console_is_ours_and_runs_only_what_is_ours(tmp_path: Path, path: str) -> None:
    async with opened(tmp_path) as (_, outside, _):
        async with outside.get(path) as answer:
            assert answer.status == 200
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
            assert "<script>" not in await answer.text() and " style=" not in await answer.text()


@pytest.mark.parametrize(("wanted", "seconds"), [("", 600), ("1", 1), ("3600", 3600), ("86400s", 86400), ("1440m", 86400), ("24h", 86400)])
@asynctest
async def test_a_pause_lasts_from_a_second_to_a_day_in_any_unit(tmp_path: Path, wanted: str, seconds: float) -> None:
    async with opened(tmp_path) as (door, outside, _):
        async with outside.post("/api/pause", json={"for": wanted}, headers=console(door)) as answer:
            assert answer.status == 202
        assert door.facts == [Asked(Command.PAUSE, for_s=seconds)]


def test_what_is_told_of_a_pause_is_a_second_to_a_day_to_the_letter() -> None:
    for unit, day in (("", 86400), ("s", 86400), ("m", 1440), ("h", 24)):
        taken = [number for number in range(day + 1000) if re.fullmatch(A_WHILE["pattern"], f"{number}{unit}")]
        assert taken == list(range(1, day + 1)), unit


@pytest.mark.parametrize("wanted", ["soon", "0s", "25h", "-5m", "1e9", "1441m", "86401", "010s", "500ms", "1.5h", " 9", "9\n"])
@asynctest
async def test_a_pause_that_is_none_is_refused(tmp_path: Path, wanted: str) -> None:
    async with opened(tmp_path) as (door, outside, _):
        async with outside.post("/api/pause", json={"for": wanted}, headers=console(door)) as answer:
            assert answer.status == 400 and "for: " in (await answer.json())["error"]
        assert not door.facts
