"""The observer in a real page: every socket of every frame and worker is known, and the page does not notice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kioskd.core.facts import Connection
from kioskd.edges.page import Terms
from tests.aio import asynctest
from tests.edges.stage import Stage, stage

pytestmark = pytest.mark.chromium

SOCKET = "new WebSocket('ws://127.0.0.1:PORT/ws{}')"


def opens(tag: str) -> str:
    """A document whose socket is named by its URL's path, which is what groups are told apart by."""
    return f"<p>{tag}</p><script>window.s = new WebSocket('ws://127.0.0.1:PORT/ws?{tag}')</script>"


@asynctest
async def test_one_group_for_all_queries_with_its_ages(tmp_path: Path) -> None:
    page = "<p>x</p><script>for (i of [1, 2, 3]) window['s' + i] = " + SOCKET.format("?' + i + '") + "</script>"
    async with stage(tmp_path, {"p": page}) as it:
        await it.start()
        await it.go("p")
        (one,) = await it.connections(lambda found: bool(found) and found[0].open_for is not None)
        assert one.url == f"ws://127.0.0.1:{it.port}/ws"
        assert one.dead_for is None and not one.closed_by_page and one.messages == 0
        await it.until(lambda: len(it.sockets) == 3)
        for socket in it.sockets:
            await socket.send_str("hello")
        (one,) = await it.connections(lambda found: found[0].messages == 3)
        assert one.silent_for < one.open_for
        for socket in it.sockets[:2]:
            await socket.close()
        (one,) = await it.connections(lambda found: found[0].open_for is not None)
        await it.sockets[2].close()
        (one,) = await it.connections(lambda found: found[0].open_for is None)
        assert one.dead_for is not None and not one.closed_by_page


async def _evaluate(it: Stage, expression: str) -> object:
    page = it.screen._now.page  # type: ignore[union-attr]
    asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
    answer = await page._pipe.command("Runtime.evaluate", asked, page._session)
    return answer["result"].get("value")


@asynctest
async def test_who_closed_it(tmp_path: Path) -> None:
    async with stage(tmp_path, {"p": opens("a")}) as it:
        await it.start()
        await it.go("p")
        await it.connections(lambda found: found[0].open_for is not None)
        await _evaluate(it, "s.close()")
        (one,) = await it.connections(lambda found: found[0].open_for is None)
        assert one.closed_by_page
        await _evaluate(it, "s = new WebSocket(s.url)")
        (one,) = await it.connections(lambda found: not found[0].closed_by_page)
        (one,) = await it.connections(lambda found: found[0].open_for is not None)
        await _evaluate(it, "{ try { s.close(7) } catch {} }")  # refused: nothing was closed
        (one,) = (await it.ask()).connections
        assert one.open_for is not None


@asynctest
async def test_event_source_counts_named_events(tmp_path: Path) -> None:
    page = "<p>x</p><script>e = new EventSource('/sse?q=1'); e.addEventListener('tick', () => 0)</script>"
    async with stage(tmp_path, {"p": page}) as it:
        await it.start()
        await it.go("p")
        (one,) = await it.connections(lambda found: bool(found) and found[0].messages == 2)
        assert one.url == it.url("sse") and one.open_for is not None
        await _evaluate(it, "e.close()")
        (one,) = (await it.ask()).connections
        assert one.closed_by_page and one.dead_for is not None


def urls(found: list[Connection]) -> set[str]:
    return {each.url.rpartition("/")[2] for each in found if each.messages}


@asynctest
async def test_connections_to_kioskd_itself_are_marked_and_not_counted(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        asked = []
        async with kioskd_beside(asked) as port:
            it.terms = Terms((port, "5c1e"))
            inside = f"ws://127.0.0.1:{port}/ws"
            it.pages["page"] = f"""<script>
                const urls = ["{inside}", new URL("{inside}?x=1"), "ws://localhost:{port}/ws#", "{inside}2", "ws://127.0.0.1:PORT/ws"];
                window.sockets = urls.map(url => {{ try {{ return new WebSocket(url) }} catch (error) {{ return error.name }} }});
            </script>"""
            await it.start()
            await it.go("page")
            found = await it.connections(lambda found: any(one.open_for is not None for one in found))
            assert {one.url for one in found} == {f"{inside}2", it.url("ws").replace("http", "ws")}
            async with asyncio.timeout(10):
                while len(asked) < 4:
                    await asyncio.sleep(0.05)
            assert sorted(asked) == ["/ws2", "/ws?kioskd=5c1e", "/ws?kioskd=5c1e", "/ws?x=1&kioskd=5c1e"]


@contextlib.asynccontextmanager
async def kioskd_beside(asked: list[str]) -> AsyncIterator[int]:
    """A server that notes what it is asked for."""

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode().split()[1])
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynctest
async def test_every_frame_and_worker(tmp_path: Path) -> None:
    """Sockets to one path each (404s count too: a try is a try), so that each realm shows as a group of its own."""

    def tries(tag: str) -> str:
        return f"new WebSocket('ws://127.0.0.1:PORT/try-{tag}')"

    pages = {
        "p": f"""<p>x</p><script>{tries("main")}; new Worker('w.js'); new SharedWorker('sw.js')</script>
            <iframe src=same></iframe><iframe srcdoc="<script>{tries("srcdoc")}</script>"></iframe>
            <iframe src="data:text/html,<script>{tries("data")}</script>"></iframe>
            <iframe src="http://localhost:PORT/far"></iframe><iframe sandbox="allow-scripts" src=boxed></iframe>""",
        "same": f"<script>{tries('same')}</script><iframe src=inner></iframe>",
        "inner": f"<script>{tries('inner')}</script>",
        "far": f"<script>{tries('far')}; new Worker('farworker.js')</script><iframe src=deep></iframe>",
        "deep": f"<script>{tries('deep')}</script>",
        "boxed": f"<script>{tries('boxed')}</script>",
        "w.js": f"{tries('worker')}; new Worker('w2.js')",
        "w2.js": tries("nested"),
        "sw.js": tries("shared"),
        "farworker.js": tries("farworker"),
    }
    wanted = {"main", "same", "inner", "srcdoc", "data", "far", "deep", "boxed", "worker", "nested", "shared", "farworker"}
    async with stage(tmp_path, pages) as it:
        await it.start()
        await it.go("p")
        found = await it.connections(lambda found: len(found) >= len(wanted))
        assert {each.url.rpartition("try-")[2] for each in found} == wanted


FORGER = """<script>
const name = Object.getOwnPropertyNames(window).find(key => /^_[0-9a-f]{16}$/.test(key))
const said = {open_for: 9, dead_for: null, closed_by_page: false, messages: 1, silent_for: 0, longest_gap: 0}
const lie = path => ({url: "ws://127.0.0.1:PORT/" + path, ...said})
setInterval(() => {
  for (let id = 0; id < 50; id++) top.postMessage([name, "answer", id, {connections: [lie("home"), lie("forged")], stuck: true}], "*")
}, 5)
</script>"""


@asynctest
async def test_a_frame_from_elsewhere_speaks_for_itself_and_for_nobody_else(tmp_path: Path) -> None:
    frames = "".join(f"<iframe src='http://localhost:PORT/{name}'></iframe>" for name in ("forger", "honest"))
    pages = {
        "p": f"<p>x</p><script>s = new WebSocket('ws://127.0.0.1:PORT/home')</script>{frames}",
        "honest": "<script>new WebSocket('ws://127.0.0.1:PORT/honest')</script>",
        "forger": FORGER,
    }
    async with stage(tmp_path, pages) as it:
        await it.start()
        await it.go("p")
        for _ in range(20):
            found = {each.url.rpartition("/")[2]: each for each in await it.connections(lambda found: len(found) == 3)}
            assert found["home"].open_for is None, "it is closed, whatever a frame says"
            assert found["forged"].open_for == 9 and found["honest"].open_for is None
        assert not (await it.ask()).stuck_text, "nobody has asked for that"


SPY = """<script>
const name = Object.getOwnPropertyNames(window).find(key => /^_[0-9a-f]{16}$/.test(key))
onload = () => setTimeout(() => {
  const deaf = document.createElement("iframe")
  document.documentElement.append(deaf)
  deaf.contentWindow.Document.prototype.open.call(document) // takes the observer's listeners away
  addEventListener("message", event => {
    if (event.data[1] === "answer") new WebSocket("ws://127.0.0.1:PORT/told-" + event.data[3].stuck)
  })
  new WebSocket("ws://127.0.0.1:PORT/spying")
  setInterval(() => { for (let i = -1; i < top.length; i++) (top[i] ?? top).postMessage([name, "ask", 1, "secret"], "*") }, 20)
})
</script>"""


@asynctest
async def test_no_frame_is_told_what_another_shows(tmp_path: Path) -> None:
    pages = {
        "p": "<p>secret</p><iframe src='http://localhost:PORT/spy'></iframe><iframe src='http://localhost:PORT/shows'></iframe>",
        "shows": "<p>secret: no connection</p><script>new WebSocket('ws://127.0.0.1:PORT/shows')</script>",
        "spy": SPY,
    }
    async with stage(tmp_path, pages) as it:
        it.terms = Terms(stuck_text="no connection")
        await it.start()
        await it.go("p")
        for _ in range(20):
            found = {each.url.rpartition("/")[2] for each in await it.connections(lambda found: len(found) >= 2)}
            assert found == {"spying", "shows"}
        assert (await it.ask("no connection")).stuck_text


@asynctest
async def test_the_page_does_not_notice(tmp_path: Path) -> None:
    page = """<p>x</p><script>
      window.heard = []; addEventListener('message', e => heard.push(e.data));
      class Mine extends WebSocket { constructor(u) { super(u); this.mine = 1 } }
      const s = new Mine('ws://127.0.0.1:PORT/ws'), plain = new WebSocket('ws://127.0.0.1:PORT/ws');
      window.seen = {
        mine: s instanceof Mine && s instanceof WebSocket && s.mine === 1, plain: plain instanceof WebSocket,
        proto: Object.getPrototypeOf(plain) === WebSocket.prototype, constructor: plain.constructor === WebSocket,
        statics: WebSocket.OPEN === 1 && WebSocket.name === 'WebSocket' && WebSocket.length === 1,
        text: ('' + WebSocket).includes('[native code]') && ('' + WebSocket.prototype.close).includes('[native code]'),
        keys: Object.keys(plain).length === 0, own: Object.getOwnPropertyNames(plain).length === 0,
        global: !Object.keys(window).some(k => k.startsWith('_')),
        without_new: (() => { try { WebSocket('ws://x/'); return false } catch (e) { return e instanceof TypeError } })(),
        bad: (() => { try { new WebSocket('nonsense://'); return false } catch (e) { return e.name === 'SyntaxError' } })(),
      };
    </script><iframe src="data:text/html,x"></iframe>"""
    async with stage(tmp_path, {"p": page}) as it:
        await it.start()
        await it.go("p")
        assert (await it.ask()).url == it.url("p")
        seen = await _evaluate(it, "seen")
        assert isinstance(seen, dict) and [name for name, holds in seen.items() if not holds] == []
        assert await _evaluate(it, "heard") == []  # what kioskd says to the frames is no message of the page's


@asynctest
async def test_a_page_that_breaks_its_own_language(tmp_path: Path) -> None:
    page = """<p>x</p><script>
      s = new WebSocket('ws://127.0.0.1:PORT/ws');
      const broken = () => { throw new Error('broken') };
      for (const type of [Array, String, Map, WeakMap, Object, Element, Node, Document, EventTarget, Performance, Event])
        for (const name of Object.getOwnPropertyNames(type.prototype))
          if (name !== 'constructor') try { Object.defineProperty(type.prototype, name, {get: broken, configurable: true}) } catch {}
      for (const name of ['Promise', 'setTimeout', 'requestAnimationFrame', 'performance', 'Map', 'JSON', 'Symbol', 'WebSocket'])
        try { Object.defineProperty(window, name, {get: broken}) } catch {}
    </script>"""
    async with stage(tmp_path, {"p": page}) as it:
        await it.start()
        await it.go("p")
        (one,) = await it.connections(lambda found: found[0].open_for is not None)
        assert (await it.ask()).visible


@asynctest
async def test_a_thousand_sockets_and_endless_urls_need_no_memory(tmp_path: Path) -> None:
    page = """<p>x</p><script>for (let i = 0; i < 300; i++)
        { new WebSocket('ws://127.0.0.1:1/' + i); new WebSocket('ws://127.0.0.1:1/?' + i) }</script>"""
    async with stage(tmp_path, {"p": page}) as it:
        await it.start()
        await it.go("p")
        assert len((await it.ask()).connections) == 32


GIF = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
BLANK = {
    "nothing": "",
    "spaces": "<p> \n </p><div></div>",
    "script": "<script>'text'</script><style>p {}</style><noscript>no</noscript>",
    "hidden": "<p style='display: none'>x</p><p style='visibility: hidden'>x</p><p style='opacity: 0'>x</p>",
    "away": "<p style='position: absolute; left: -9999px'>x</p>",
    "broken image": "<img src=missing.png>",
    "empty root": "<div id=root style='height: 100vh'></div>",
}
SHOWN = {
    "text": "<p>x</p>",
    "deep text": "<div>" * 50 + "x",
    "canvas": "<canvas></canvas>",
    "svg": "<svg><rect width=9 height=9 /></svg>",
    "iframe": "<iframe src='about:blank'></iframe>",
    "image": f"<img src='{GIF}'>",
    "background": f"<div style='height: 9px; background-image: url({GIF})'></div>",
    "button": "<input value=x>",
    "shadow": "<div id=h></div><script>h.attachShadow({mode: 'open'}).innerHTML = '<b>x</b>'</script>",
    "closed shadow": "<a-b id=h></a-b><script>h.attachShadow({mode: 'closed'}).innerHTML = '<b>x</b>'</script>",
}


@asynctest
async def test_blank_or_not(tmp_path: Path) -> None:
    async with stage(tmp_path, {name: content for name, content in (BLANK | SHOWN).items()} | {"missing.png": ""}) as it:
        await it.start()
        seen = {}
        for name in BLANK | SHOWN:
            await it.go(name)
            seen[name] = (await it.ask()).visible
        assert seen == {**dict.fromkeys(BLANK, False), **dict.fromkeys(SHOWN, True)}


@asynctest
async def test_stuck_text_and_alive(tmp_path: Path) -> None:
    pages = {
        "stuck": "<p>Ingen\n anslutning <b>till</b> servern</p>",
        "upper": "<p style='text-transform: uppercase'>ingen anslutning till servern</p>",
        "hidden": "<p style='display: none'>Ingen anslutning till servern</p><p>x</p>",
        "alive": "<p>x</p><script>kioskd = {alive: () => true}</script>",
        "dead": "<p>x</p><script>kioskd = {alive: () => false}</script>",
        "odd": "<p>x</p><script>kioskd = {alive: () => { throw 1 }}</script>",
        "frame": "<iframe src=stuck></iframe>",
    }
    async with stage(tmp_path, pages) as it:
        await it.start()
        seen = {}
        for name in pages:
            await it.go(name)
            answer = await it.ask("Ingen anslutning till servern")
            seen[name] = (answer.stuck_text, answer.alive)
        assert seen == {
            "stuck": (True, None),
            "upper": (True, None),
            "hidden": (False, None),
            "alive": (False, True),
            "dead": (False, False),
            "odd": (False, None),
            "frame": (True, None),
        }


HELD = {
    "F1": 112, "F12": 123, "Alt+F4": 115, "Ctrl+W": 87, "Ctrl+T": 84, "Ctrl+P": 80, "Ctrl+Shift+I": 73, "Ctrl+Shift+Delete": 46,
    "Alt+ArrowLeft": 37, "Ctrl+Plus": 187, "Ctrl+0": 48, "Shift+Escape": 27, "BrowserHome": 172, "Meta+L": 76,
}  # fmt: skip
LEFT = {
    "F5": 116, "Ctrl+C": 67, "Ctrl+V": 86, "Ctrl+Shift+V": 86, "Ctrl+ArrowLeft": 37, "Ctrl+Backspace": 8, "W": 87, "Shift+W": 87,
    "Enter": 13, "Escape": 27,
}  # fmt: skip
MODIFIERS = {"Alt": 1, "Ctrl": 2, "Meta": 4, "Shift": 8}  # DevTools' bits


@asynctest
async def test_keys_that_lead_out_of_the_page_are_held_and_those_that_edit_are_not(tmp_path: Path) -> None:
    page = "<input autofocus><script>held = {}; addEventListener('keydown', e => held[name] = e.defaultPrevented); name = ''</script>"
    async with stage(tmp_path, {"p": page}) as it:
        await it.start()
        await it.go("p")
        view = it.screen._now.page  # type: ignore[union-attr]
        for chord, code in (HELD | LEFT).items():
            *modifiers, key = chord.split("+")
            bits = sum(MODIFIERS[each] for each in modifiers)
            await _evaluate(it, f"name = '{chord}'")
            down = {"type": "rawKeyDown", "key": key, "windowsVirtualKeyCode": code, "modifiers": bits}
            await view._pipe.command("Input.dispatchKeyEvent", down, view._session)
        assert await _evaluate(it, "held") == {**dict.fromkeys(HELD, True), **dict.fromkeys(LEFT, False)}
        anew = "addEventListener('keydown', e => held.anew = e.defaultPrevented)"
        await _evaluate(it, f"document.open(); document.write('<p>anew</p>'); document.close(); held = {{}}; {anew}")
        down = {"type": "rawKeyDown", "key": "F1", "windowsVirtualKeyCode": 112, "modifiers": 0}
        await view._pipe.command("Input.dispatchKeyEvent", down, view._session)
        assert await _evaluate(it, "held.anew") is True, "document.open() takes all listeners away"
        other = "f = document.createElement('iframe'); document.body.append(f); f.contentWindow.Document.prototype.open.call(document)"
        await _evaluate(it, f"{other}; document.close(); held = {{}}; {anew}")
        await view._pipe.command("Input.dispatchKeyEvent", down, view._session)
        assert await _evaluate(it, "held.anew") is True, "another document's open() does so, too"
        own = "dispatchEvent(new KeyboardEvent('keydown', {key: 'F1', keyCode: 112, cancelable: true}))"
        assert await _evaluate(it, own) is True, "what the page itself sends is its own business"
