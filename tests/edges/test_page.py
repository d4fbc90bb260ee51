"""What the page does is told as facts, what is ordered is done: a real Chromium before a real server."""

import asyncio
import hashlib
import json
import os
import signal
from pathlib import Path

import pytest
from aiohttp import web

from kioskd.core.actions import (
    AskBrowser,
    ClosePopup,
    DismissDialog,
    DropConnections,
    EndScript,
    KillRenderer,
    Navigate,
    OpenPage,
    Place,
    ReadDocument,
    Reload,
    StopLoading,
)
from kioskd.core.facts import (
    BrowserAnswered,
    DialogOpened,
    DocumentCommitted,
    DocumentRead,
    NavigationEnded,
    NavigationStarted,
    PageGone,
    PageOpened,
    PopupOpened,
    Prompted,
    RendererGone,
)
from kioskd.edges.confinement import DENIED
from kioskd.edges.processes import NETWORK
from kioskd.errors import KioskdError
from tests.aio import asynctest
from tests.edges.stage import Stage, stage

pytestmark = pytest.mark.chromium


@asynctest
async def test_a_load_and_its_document(tmp_path: Path) -> None:
    content = "<p>å, ü, 漢字</p>\r\n<p>second\n"
    async with stage(tmp_path, {"p": content}) as it:
        await it.start()
        await it.go("p")
        kinds = [type(fact) for fact in it.facts[1:]]
        assert kinds == [NavigationStarted, DocumentCommitted, NavigationEnded]  # nothing about the start page
        answer = await it.ask()
        assert (answer.url, answer.ready, answer.status, answer.visible) == (it.url("p"), True, 200, True)
        await it.do(ReadDocument(1, it.document))
        assert it.last(DocumentRead).digest == "sha256:" + hashlib.sha256(content.encode()).hexdigest()
        with pytest.raises(KioskdError, match="replaced"):
            await it.do(ReadDocument(1, "another"))


@asynctest
async def test_both_ways_to_reload(tmp_path: Path) -> None:
    async with stage(tmp_path, {"p": "<p>old</p>"}) as it:
        await it.start()
        await it.go("p")
        for fresh in (False, True):
            it.pages["p"] = f"<p>new {fresh}</p>"
            seen = len(it.facts)
            await it.do(Reload(1, fresh))
            await it.heard(NavigationEnded, since=seen)
            assert (await it.ask(f"new {fresh}")).stuck_text
        assert len({fact.document for fact in it.all(DocumentCommitted)}) == 3


@asynctest
async def test_error_pages_and_bad_answers(tmp_path: Path) -> None:
    pages = {"500": web.Response(status=500, text="sorry"), "502": web.Response(status=502)}
    async with stage(tmp_path, pages) as it:
        await it.start()
        await it.go("500")
        assert (await it.ask()).status == 500 and not it.last(DocumentCommitted).error
        await it.go("502")
        assert (await it.ask()).status == 502 and it.last(DocumentCommitted).error
        await it.go("", url="http://127.0.0.1:1/x")
        committed = it.last(DocumentCommitted)
        assert committed.error and committed.url == "http://127.0.0.1:1/x"
        assert (await it.ask()).status in (0, None)


@asynctest
async def test_a_sign_in_that_nobody_can_give(tmp_path: Path) -> None:
    pages = {"p": web.Response(status=401, text="denied", headers={"WWW-Authenticate": 'Basic realm="x"'})}
    async with stage(tmp_path, pages) as it:
        await it.start()
        await it.go("p")
        assert (await it.heard(Prompted)).what == "a sign-in"
        await it.ask()
        assert len(it.all(Prompted)) == 1


@asynctest
async def test_a_server_that_never_answers(tmp_path: Path) -> None:
    never = asyncio.Event()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await never.wait()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with stage(tmp_path, {"p": "<p>readable</p>"}) as it:
        await it.start()
        await it.go("p")
        document, seen = it.document, len(it.facts)
        it._url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await it.do(Navigate(1, Place.HOME))
        await it.heard(NavigationStarted, since=seen)
        await it.do(AskBrowser(1, 9))
        assert it.last(BrowserAnswered).question == 9
        assert not any(isinstance(fact, NavigationEnded) for fact in it.facts[seen:])
        await it.do(StopLoading(1))
        await it.heard(NavigationEnded, since=seen)
        assert it.document == document and (await it.ask()).url == it.url("p")
    never.set()
    server.close()
    await server.wait_closed()


@asynctest
async def test_dialogs(tmp_path: Path) -> None:
    pages = {
        name: f"<p>x</p><script>onload = () => setTimeout(() => {{ window.said = {call} }})</script>"
        for name, call in {"alert": "alert(1)", "confirm": "confirm(1)", "prompt": "prompt(1)"}.items()
    } | {"print": "<p>x</p><script>print()</script>"}
    async with stage(tmp_path, pages) as it:
        await it.start()
        for kind in ("alert", "confirm", "prompt"):
            seen = len(it.facts)
            await it.go(kind)
            dialog = await it.heard(DialogOpened, since=seen)
            assert dialog.kind == kind
            await it.do(DismissDialog(1, kind))
            assert (await it.ask()).url == it.url(kind)
        await it.go("print")
        assert (await it.ask()).visible


async def hangs(it: Stage) -> None:
    """Wait until the page leaves a question unanswered: ended any sooner, the script would only begin afterwards."""
    answered = True
    while answered:
        asking = asyncio.ensure_future(it.ask())
        answered = bool((await asyncio.wait([asking], timeout=2))[0])
        asking.cancel()
        await asyncio.wait([asking])


@asynctest
async def test_the_renderer_killed_and_frozen_and_an_endless_loop(tmp_path: Path) -> None:
    async with stage(tmp_path, {"p": "<p>x</p>", "loop": "<p>x</p><script>setTimeout(() => { for (;;); }, 50)</script>"}) as it:
        await it.start()
        await it.go("p")
        for stopped in (False, True):
            if stopped:
                for each in it.screen._browser.tree():
                    if each.kind == "renderer":
                        os.kill(each.pid, signal.SIGSTOP)
            seen = len(it.facts)
            await it.do(KillRenderer(1))
            await it.heard(RendererGone, since=seen)
            await it.do(Reload(1))
            await it.heard(NavigationEnded, since=seen)
            assert (await it.ask()).visible
        assert len(it.all(RendererGone)) == 2
        await it.go("loop")
        await hangs(it)
        it.pages["loop"] = "<p>mended</p>"
        seen = len(it.facts)
        await it.do(EndScript(1))
        await it.do(Reload(1))
        await it.heard(NavigationEnded, since=seen)
        assert (await it.ask("mended")).stuck_text


@asynctest
async def test_connections_dropped_the_network_service_is_another_and_a_load_is_not_lost(tmp_path: Path) -> None:
    def services(it: Stage) -> set[int]:
        return {each.pid for each in it.screen._browser.tree() if each.service == NETWORK}

    told = "document.write(document.cookie || 'a stranger')"
    made = "document.cookie = 'signed=in'; document.cookie = 'for=years; max-age=9999999'"
    async with stage(tmp_path, {"p": f"<script>{told}; {made}</script>"}) as it:
        await it.start()
        await it.go("p")
        assert (await it.ask("a stranger")).stuck_text
        old, seen = services(it), len(it.facts)
        await it.do(DropConnections(1))
        assert services(it) and not services(it) & old
        await it.do(Reload(1))
        await it.heard(NavigationEnded, since=seen)
        assert (await it.ask("signed=in; for=years")).stuck_text


@asynctest
async def test_no_permission_is_asked_for(tmp_path: Path) -> None:
    """Each has its answer, which is no: a prompt could not be seen, and nobody could answer it."""
    states = "Promise.all(NAMES.map(name => navigator.permissions.query({name}).then(({state}) => state, () => 'unknown here')))"
    # Who may call this machine: tests/web. A no to storage access looks like a question, so that no page learns of it.
    names = [name for name in DENIED if "network" not in name and name != "storage-access"]
    async with stage(tmp_path, {"p": "<p>x</p>"}) as it:
        await it.start()
        await it.go("p")
        assert it.screen._now is not None and it.screen._now.page is not None
        asked = {"expression": states.replace("NAMES", json.dumps(names)), "awaitPromise": True, "returnByValue": True}
        answer = await it.screen._now.page._pipe.command("Runtime.evaluate", asked, it.screen._now.page._session)
        assert dict(zip(names, answer["result"]["value"], strict=True)) == dict.fromkeys(names, "denied")


@asynctest
async def test_a_popup_goes_and_the_page_is_in_front_again(tmp_path: Path) -> None:
    pages = {"p": "<p>x</p><script>open('/q')</script>", "q": "<p>q</p>"}
    async with stage(tmp_path, pages, flags=("--disable-popup-blocking",)) as it:
        await it.start()
        await it.go("p")
        popup = await it.heard(PopupOpened)
        await it.do(ClosePopup(1, popup.target))
        assert (await it.ask()).url == it.url("p")
        assert (await it.screen.screenshot()).startswith(b"\x89PNG")
        assert not it.all(PageGone)


@asynctest
async def test_a_page_that_closes_itself(tmp_path: Path) -> None:
    async with stage(tmp_path, {"p": "<p>x</p>"}) as it:
        await it.start()
        await it.go("p")
        page = it.screen._now.page  # type: ignore[union-attr]
        await page._pipe.command("Target.closeTarget", {"targetId": page._target})
        await it.heard(PageGone)
        with pytest.raises(KioskdError):
            await it.ask()
        await it.do(OpenPage(1))
        assert it.last(PageOpened).generation == 1
        await it.go("p")
        assert (await it.ask()).visible


@asynctest
async def test_a_page_that_reloads_for_ever_is_told_in_few_facts(tmp_path: Path) -> None:
    async with stage(tmp_path, {"p": "<p>x</p><script>location.reload()</script>"}) as it:
        await it.start()
        it._url = it.url("p")
        await it.do(Navigate(1, Place.HOME))
        await it.until(lambda: len(it.all(DocumentCommitted)) > 5)
        assert len(it.facts) < 200
