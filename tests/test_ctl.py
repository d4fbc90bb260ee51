"""What kioskctl makes of kioskd's answers: lines for people, and for programs nothing but JSON; and where it asks."""

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from kioskd import asking, ctl


class FakeKioskd(socketserver.UnixStreamServer):
    """Gives one answer after the other, and then has no more: that ends who looks again and again."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "control.sock")
        self.answers: list[dict[str, Any]] = []
        super().__init__(self.path, _Answerer)

    def get_request(self) -> tuple[Any, Any]:
        return super().get_request()[0], ("", 0)  # http.server wants to know who asks

    def will_say(self, *answers: dict[str, Any]) -> None:
        self.answers += answers

    def is_asked(self, *words: str) -> int:
        return ctl.main([*words, "--socket", self.path])


class _Answerer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, FakeKioskd)
        status, content = (200, self.server.answers.pop(0)) if self.server.answers else (503, {"error": "that is all"})
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def kioskd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKioskd]:
    monkeypatch.setattr(ctl, "WATCH_S", 0.0)
    with FakeKioskd(tmp_path) as it:
        thread = threading.Thread(target=it.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield it
        it.shutdown()
        thread.join()


def incident(number: int, ended: str | None = None) -> dict[str, Any]:
    return {
        "id": number, "verdict": "STUCK", "why": "cut off", "began": "2026-11-26T12:00:00.000Z", "ended": ended,
        "seconds": 20.0 if ended else None, "interrupted": False,
    }  # fmt: skip


def kept(*incidents: dict[str, Any]) -> dict[str, Any]:
    return {"incidents": list(incidents), "torn_lines": 0}


def test_who_follows_incidents_as_json_gets_a_line_for_each_and_again_for_its_end(
    kioskd: FakeKioskd, capsys: pytest.CaptureFixture[str]
) -> None:
    over = incident(2, ended="2026-11-26T12:00:20.000Z")
    kioskd.will_say(kept(incident(2), incident(1, ended="then")), kept(incident(2), incident(1, ended="then")), kept(over))
    assert kioskd.is_asked("incidents", "--follow", "--json") == 1
    said = capsys.readouterr()
    assert [json.loads(line) for line in said.out.splitlines()] == [incident(1, ended="then"), incident(2), over]
    assert said.err == "kioskd refused: that is all\n"


def test_who_follows_incidents_reads_a_line_for_each(kioskd: FakeKioskd, capsys: pytest.CaptureFixture[str]) -> None:
    kioskd.will_say(kept(), kept(incident(1)))
    kioskd.is_asked("incidents", "--follow")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split()[0] == "1" and "not over" in line


def test_who_watches_the_status_as_json_gets_a_line_whenever_it_has_changed(
    kioskd: FakeKioskd, capsys: pytest.CaptureFixture[str]
) -> None:
    kioskd.will_say({"verdict": "HEALTHY"}, {"verdict": "HEALTHY"}, {"verdict": "STUCK"})
    assert kioskd.is_asked("status", "--watch", "--json") == 1
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"verdict": "HEALTHY"}, {"verdict": "STUCK"}]


def test_in_a_desktop_session_it_asks_there_and_names_that_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(asking, "CONTROL", str(tmp_path / "system/kioskd/control.sock"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert ctl.main(["resume"]) == 1 and "(systemctl status kioskd)" in capsys.readouterr().err, "neither has ever run"
    (tmp_path / "kioskd").mkdir()
    assert ctl.main(["resume"]) == 1 and "(systemctl --user status kioskd)" in capsys.readouterr().err
    (tmp_path / "system/kioskd").mkdir(parents=True)
    assert ctl.main(["resume"]) == 1 and "(systemctl status kioskd)" in capsys.readouterr().err, "there is one of the system's"
