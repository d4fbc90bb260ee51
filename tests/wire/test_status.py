"""What kioskd says of itself, from a kernel that has lived a little."""

from kioskd.core.actions import Navigate, Place, Probe, ReadDeploy, StartBrowser, StartDisplay, Steps
from kioskd.core.facts import (
    Answer,
    BrowserAnswered,
    BrowserStarted,
    ConfigRead,
    ConfigRejected,
    Connection,
    DeployRead,
    DisplayStarted,
    DocumentCommitted,
    Done,
    Fact,
    MemoryRead,
    NavigationEnded,
    PageAnswered,
    ServerAnswered,
    Version,
    Woke,
)  # fmt: skip
from kioskd.core.kernel import Kernel
from kioskd.core.policy import Deploy, Health, Policy, WebSocket
from kioskd.wire.pages import data_url
from kioskd.wire.status import BIG, Clocks, line, status

HOME = "http://user:secret@127.0.0.1:3001/board?key=1"
SHOWN = "http://127.0.0.1:3001/board"
WALL = 1_763_000_000.0


def tell(kernel: Kernel, fact: Fact, now: float) -> None:
    """Hand over a fact, with every turn of the loop that comes before it, and a browser that answers."""
    while kernel.wake_at < now:
        moment = kernel.wake_at
        kernel.handle(Woke(moment), moment)
        if question := kernel.view.browser.question:
            kernel.handle(BrowserAnswered(1, question.number), moment)
    kernel.handle(fact, now)


def lived(until: float = 20.0) -> Kernel:
    kernel = Kernel()
    tell(kernel, ConfigRead(Policy(url=HOME, deploy=Deploy(index="/srv/index.html"))), 0.0)
    tell(kernel, DeployRead(Version(5, "sha256:aa")), 0.0)
    tell(kernel, Done(ReadDeploy()), 0.0)
    tell(kernel, ServerAnswered(Probe.HOME, HOME, Answer(200, html=True, at_home=True)), 0.1)
    tell(kernel, DisplayStarted(1), 0.5)
    tell(kernel, BrowserStarted(1, 77, "Chrome/156"), 1.0)
    tell(kernel, Done(Steps((StartDisplay(1), StartBrowser(1)))), 1.0)
    tell(kernel, DocumentCommitted(1, "D", HOME), 1.5)
    tell(kernel, Done(Navigate(1, Place.HOME)), 1.5)
    tell(kernel, NavigationEnded(1), 1.6)
    for moment in (2.0, *range(8, int(until), 6), until):
        sockets = (Connection("ws://127.0.0.1:3001/ws", moment - 1.5, None, messages=3),)
        tell(kernel, PageAnswered(1, kernel.view.questions, HOME, ready=True, status=200, visible=True, connections=sockets), moment)
    return kernel


def test_a_moment_of_the_monotonic_clock_becomes_a_time_of_day() -> None:
    clocks = Clocks(monotonic=100.0, wall=WALL)
    assert clocks.text(40.0) == "2025-11-13T02:12:20Z"
    assert clocks.text(None) is None


def test_an_expected_connection_goes_without_its_password() -> None:
    kernel = lived()
    link = WebSocket(url="wss://user:secret@127.0.0.1:3001/ws?key=secret")
    kernel.handle(ConfigRead(Policy(url=HOME, health=Health(websocket=link))), 20.0)
    known = status(kernel, Clocks(20.0, WALL), {})
    assert known["page"]["connection"]["expected"] == "wss://127.0.0.1:3001/ws" and "secret" not in str(known)


def test_a_healthy_screen() -> None:
    known = status(lived(until=120.0), Clocks(120.0, WALL), {"inotify": None})
    assert (known["verdict"], known["rung"], known["next"]) == ("HEALTHY", "CALM", None)
    assert known["page"]["url"] == SHOWN, "neither the password nor the query"
    assert known["page"]["connection"]["expected"] == "ws://127.0.0.1:3001/ws" and "secret" not in str(known)
    assert known["browser"]["pid"] == 77
    assert known["versions"]["screen"] == {"version": 5, "digest": "sha256:aa"}
    assert known["versions"]["complete"] is True
    assert known["server"]["home"]["status"] == 200 and known["server"]["socket"] is None
    assert known["problems"] == {}


def test_before_anything_is_known() -> None:
    known = status(Kernel(), Clocks(0.0, WALL), {})
    assert known["verdict"] == "NO_BROWSER"
    assert known["versions"] == {"screen": None, "disk": None, "complete": None, "missing": []}
    assert line(Kernel(), Clocks(0.0, WALL)).startswith("NO_BROWSER: ")


def test_what_kioskd_lacks_and_what_is_wrong_with_its_file_are_said() -> None:
    kernel = lived()
    tell(kernel, ConfigRejected(("/etc/kioskd.yaml:1: url: has no scheme",)), 21.0)
    known = status(kernel, Clocks(21.0, WALL), {"api": "port in use", "inotify": None})
    assert known["problems"] == {"api": "port in use"}
    assert known["configuration"] == {"mistakes": ["/etc/kioskd.yaml:1: url: has no scheme"]}
    assert "bad configuration: /etc/kioskd.yaml:1" in line(kernel, Clocks(21.0, WALL))


def test_a_browser_that_is_too_big_from_the_start_is_said_and_no_more() -> None:
    kernel = lived()
    tell(kernel, ConfigRead(Policy(url=HOME, memory_limit=100)), 21.0)
    tell(kernel, MemoryRead(1, 101), 22.0)
    known = status(kernel, Clocks(22.0, WALL), {})
    assert known["problems"] == {"memory": BIG} and known["verdict"] == "HEALTHY"


def test_a_display_that_is_less_than_was_wanted_says_what_it_lacks() -> None:
    kernel = Kernel()
    tell(kernel, ConfigRead(Policy(url=HOME)), 0.0)
    tell(kernel, DisplayStarted(kernel.view.display.run, "no screen: the HDMI cable"), 0.5)
    assert status(kernel, Clocks(1.0, WALL), {})["display"]["lacks"] == "no screen: the HDMI cable"
    assert line(kernel, Clocks(1.0, WALL)).endswith("; no screen: the HDMI cable")


def test_the_line_reads_like_an_answer_and_names_no_secret() -> None:
    text = line(lived(), Clocks(20.0, WALL))
    assert text == f"HEALTHY: the page is as it should be; {SHOWN}; version 5"


def test_a_cut_connection_names_the_next_step_and_its_time() -> None:
    kernel = lived()
    dead = (Connection("ws://127.0.0.1:3001/ws", None, 1.0, messages=3),)
    tell(kernel, PageAnswered(1, kernel.view.questions, HOME, ready=True, status=200, visible=True, connections=dead), 24.0)
    tell(kernel, ServerAnswered(Probe.HOME, HOME, Answer(200, html=True, at_home=True)), 24.1)
    tell(kernel, ServerAnswered(Probe.SOCKET, "ws://127.0.0.1:3001/ws", Answer(101)), 24.1)
    known = status(kernel, Clocks(25.0, WALL), {})
    assert known["verdict"] == "STUCK" and known["rung"] == "SUSPECT"
    assert known["next"] == {"action": "reload the page", "at": Clocks(25.0, WALL).text(43.0), "asks_server_first": True}
    assert line(kernel, Clocks(25.0, WALL)).endswith(f"next: reload the page at {Clocks(25.0, WALL).text(43.0)}")


def test_half_a_build_is_what_the_next_step_waits_for() -> None:
    kernel = lived()
    tell(kernel, DeployRead(Version(9, "sha256:9"), ("/assets/app.js",)), 24.0)
    dead = (Connection("ws://127.0.0.1:3001/ws", None, 1.0, messages=3),)
    tell(kernel, PageAnswered(1, kernel.view.questions, HOME, ready=True, status=200, visible=True, connections=dead), 24.0)
    tell(kernel, ServerAnswered(Probe.HOME, HOME, Answer(200, html=True, at_home=True)), 24.1)
    tell(kernel, ServerAnswered(Probe.SOCKET, "ws://127.0.0.1:3001/ws", Answer(101)), 24.1)
    for now in (25.0, 44.0):
        at = Clocks(now, WALL).text(54.0)
        assert line(kernel, Clocks(now, WALL)).endswith(f"; next: reload the page at {at}, or once the build on the disk is whole")
        assert status(kernel, Clocks(now, WALL), {})["next"]["at"] == at
    assert line(kernel, Clocks(54.0, WALL)).endswith("; next: reload the page")


def test_a_page_of_our_own_is_named_without_its_content() -> None:
    kernel = lived()
    tell(kernel, DocumentCommitted(1, "E", data_url(Place.HOLDING, "<p>")), 30.0)
    assert status(kernel, Clocks(30.0, WALL), {})["page"]["url"] == "data:text/html;charset=utf-8;kioskd=holding"
