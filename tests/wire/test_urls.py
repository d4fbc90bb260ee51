import pytest

from kioskd.wire.urls import public, without_secrets

URLS = {
    "https://me:secret@h:1/a/b?secret=1#secret": "https://h:1/a/b",
    "ws://secret@h": "ws://h",
    "http://h/@a?secret": "http://h/@a",
    "data:text/html;charset=utf-8;base64,c2VjcmV0": "data:text/html;charset=utf-8",
    "data:text/html,secret": "data:text/html",
    "about:blank#secret": "about:blank",
    "": "",
}


@pytest.mark.parametrize("url", URLS)
def test_what_may_be_secret_is_left_out(url: str) -> None:
    assert public(url) == URLS[url]


def test_in_a_text_too_and_the_text_stays() -> None:
    text = "no answer from (wss://a:secret@[::1]:2/x?secret), nor from http://h/. Also: data:,secret"
    assert without_secrets(text) == "no answer from (wss://[::1]:2/x), nor from http://h/. Also: data:"
