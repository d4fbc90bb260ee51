"""kioskd's own pages: escaped, self-contained, and recognised again."""

import base64
import hashlib

import pytest

from kioskd.core.actions import Place
from kioskd.web import template
from kioskd.wire import pages, qr
from kioskd.wire.flags import START_PAGE

NASTY = '<script>alert("1")</script>{{home}}&'
ESCAPED = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;{{home}}&amp;"


def test_holding_says_what_is_waited_for_and_why() -> None:
    page = pages.holding(template("holding"), "tick()", pages.Waiting("http://wall:3001/?a=1&b=2", NASTY, "2026-11-26T12:00:00Z", "<wall>"))
    assert "http://wall:3001/?a=1&amp;b=2" in page and "&lt;wall&gt;" in page and 'data-since="2026-11-26T12:00:00Z"' in page
    assert ESCAPED in page and NASTY not in page
    assert "<script>tick()</script>" in page


def test_of_scripts_only_this_one_may_run() -> None:
    digest = base64.b64encode(hashlib.sha256(b"tick()").digest()).decode()
    assert pages.script_source("tick()") == f"'sha256-{digest}'"
    only_this = "default-src 'none'; script-src 'sha256-" + digest + "'; style-src 'unsafe-inline';"
    assert only_this in pages.holding(template("holding"), "tick()", pages.Waiting("", ""))
    for page in (pages.welcome(template("welcome"), "", "", ""), pages.mistake(template("mistake"), (NASTY,))):
        assert "content=\"default-src 'none'; style-src 'unsafe-inline';" in page


def test_welcome_names_the_file_to_write() -> None:
    page = pages.welcome(template("welcome"), "/tmp/<mine>.yaml", "", "wall · 192.0.2.7")
    assert "# /tmp/&lt;mine&gt;.yaml" in page and "wall · 192.0.2.7" in page
    assert "<aside>" not in page and "qrline" not in page


def test_welcome_shows_a_phone_the_way_to_the_console_where_there_is_one() -> None:
    page = pages.welcome(template("welcome"), "/etc/kioskd.yaml", "http://192.0.2.7:8137", "wall")
    assert "<b>http://192.0.2.7:8137</b>" in page and qr.svg("http://192.0.2.7:8137") in page


def test_a_code_for_a_terminal_is_made_of_half_blocks() -> None:
    lines = qr.terminal("http://192.0.2.7:8137/pair?code=x").splitlines()
    assert len({len(line) for line in lines if line}) == 1 and set("".join(lines)) == set(" ▀▄█")


def test_one_mistake() -> None:
    page = pages.mistake(template("mistake"), (NASTY,))
    assert "The configuration has a mistake" in page
    assert f"<li>{ESCAPED}</li>" in page
    assert "more" not in page.split("<main>")[1]


def test_exactly_as_many_mistakes_as_fit() -> None:
    page = pages.mistake(template("mistake"), tuple(f"line {n}" for n in range(pages.MISTAKES_SHOWN)))
    assert f"has {pages.MISTAKES_SHOWN} mistakes" in page
    assert page.count("<li") == pages.MISTAKES_SHOWN


def test_more_mistakes_than_fit_are_counted() -> None:
    page = pages.mistake(template("mistake"), tuple(f"line {n}" for n in range(pages.MISTAKES_SHOWN + 3)))
    assert f"has {pages.MISTAKES_SHOWN + 3} mistakes" in page
    assert "<li>line 0</li>" in page and f"line {pages.MISTAKES_SHOWN}<" not in page
    assert "and 3 more" in page


def test_a_sentence_that_quotes_a_whole_file_is_cut() -> None:
    page = pages.mistake(template("mistake"), ("x" * 1_000_000,))
    assert "x" * pages.SENTENCE_SHOWN in page and "x" * (pages.SENTENCE_SHOWN + 1) not in page


@pytest.mark.parametrize("name", ["holding", "welcome", "mistake"])
def test_templates_need_nothing_from_anywhere_and_are_dark_from_the_first_byte(name: str) -> None:
    text = template(name)
    assert text.count("http-equiv") == text.count('http-equiv="Content-Security-Policy"')
    assert "src=" not in text and "url(" not in text and "<script src" not in text and "@import" not in text
    assert "background: #0b0f14" in text and "color-scheme: dark" in text
    assert text.index("background: #0b0f14") < 500


@pytest.mark.parametrize("where", [Place.HOLDING, Place.WELCOME, Place.MISTAKE])
def test_a_page_is_recognised_by_its_url(where: Place) -> None:
    url = pages.data_url(where, "<p>Tillbaka om ett ögonblick</p>")
    assert url.startswith(f"data:text/html;charset=utf-8;kioskd={where.value};base64,")
    assert base64.b64decode(url.partition(",")[2]).decode() == "<p>Tillbaka om ett ögonblick</p>"
    assert pages.place(url) is where


@pytest.mark.parametrize(
    "url",
    [
        "",
        START_PAGE,
        "about:blank",
        "http://wall/;kioskd=holding;base64,",
        "data:text/html,kioskd=holding",
        "data:text/html;charset=utf-8;kioskd=home;base64,",
        "data:text/html;charset=utf-8;kioskd=cellar;base64,",
        "chrome-error://chromewebdata/",
    ],
)
def test_other_urls_are_none_of_ours(url: str) -> None:
    assert pages.place(url) is None
