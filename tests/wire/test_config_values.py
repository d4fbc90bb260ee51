"""Each kind of value: what is taken, and what is answered to the rest."""

import pytest

from kioskd.core.policy import Word
from kioskd.wire import values
from kioskd.wire.config import Display

HTTP = values.url("http", "https")


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("500ms", 0.5),
        ("20s", 20),
        ("5m", 300),
        ("2h", 7200),
        ("20", 20),
        ("0.5", 0.5),
        ("+1.5h", 5400),
        ("1ms", 0.001),
        ("8760h", 31536000),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert values.duration(text) == seconds


@pytest.mark.parametrize(
    "text, answer",
    [
        ("-5s", '"-5s" is not positive: write a duration such as 500ms, 20s, 5m or 2h'),
        ("-0.0", '"-0.0" is not positive: write'),
        ("0", '"0" is not positive: write'),
        ("0h", '"0h" is not positive: write'),
        ("0.5ms", '"0.5ms" is not between 1ms and a year: write'),
        ("8761h", '"8761h" is not between 1ms and a year: write'),
        ("999999999999h", "is not between 1ms and a year"),
        ("9" * 400, "is not a duration"),
        ("1e3", "is not a duration"),
        ("nan", '"nan" is not a duration: write a duration such as 500ms, 20s, 5m or 2h'),
        ("inf", "is not a duration"),
        ("-.inf", "is not a duration"),
        ("true", "is not a duration"),
        ("017", "is not a duration"),
        ("5 min", "is not a duration"),
        ("5M", "is not a duration"),
        ("٣s", "is not a duration"),
        ("1s\n", "is not a duration"),
        ("1:30", '"1:30" is not a duration: write 90s'),
        ("", '"" is not a duration'),
    ],
)
def test_what_is_no_duration(text: str, answer: str) -> None:
    with pytest.raises(ValueError) as caught:
        values.duration(text)
    assert answer in str(caught.value)


@pytest.mark.parametrize(
    "seconds, text",
    [(0.05, "50ms"), (0.0015, "0.0015s"), (1, "1s"), (1.5, "1.5s"), (60, "60s"), (61, "61s"), (120, "2m"), (3600, "60m"), (7200, "2h")],
)
def test_durations_are_written_back(seconds: float, text: str) -> None:
    assert values.write_duration(seconds) == text
    assert values.duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["http://localhost:3001/", "https://a.b-c_d/x?y#z", "HTTP://10.0.0.1", "http://[::1]:80/", "http://u:p@h/", "http://xn--4ca/"]
)
def test_urls(text: str) -> None:
    assert HTTP(text) == text


@pytest.mark.parametrize(
    "text, answer",
    [
        ("localhost:3001/", '"localhost:3001/" has no scheme: write http://localhost:3001/'),
        ("about:blank", "has no scheme: write http://localhost:3001/"),
        ("", "has no scheme: write http://localhost:3001/"),
        ("file:///srv/index.html", '"file:///srv/index.html" is not a http:// or https:// URL'),
        ("ws://x/", "is not a http:// or https:// URL"),
        ("http://", '"http://" names no host: write http://localhost:3001/'),
        ("http:///path", "names no host"),
        ("http://:80/", "names no host"),
        ("http://x:port/", "is not a URL: Port could not be cast"),
        ("http://x:65536/", "is not a URL: Port out of range"),
        ("http://[::1/", "is not a URL"),
        ("http://a b/", "is not a URL: a blank or a backslash in it"),
        ("http://a\\b/", "is not a URL: a blank or a backslash in it"),
        ("http://a/\x00", "is not a URL: holds a control character"),
        ("http://münchen.example/", "write the host as xn--mnchen-3ya.example"),
        ("http://127.1/", '"127.1" is not the name or the address of a host'),
        ("http://0x7f000001/", "is not the name or the address"),
        ("http://[0:0::1]/", "write the host as ::1"),
        ("http://[::g]/", "is not "),
        ("http://a..b/", "is not the name or the address"),
        ("http://a%20b/", "is not the name or the address"),
        ("http://ä..b/", "is not the name or the address"),
    ],
)
def test_what_is_no_url(text: str, answer: str) -> None:
    with pytest.raises(ValueError) as caught:
        HTTP(text)
    assert answer in str(caught.value)


@pytest.mark.parametrize(
    "text, origin",
    [("http://x", "http://x"), ("https://x/", "https://x"), ("https://X:443/", "https://x"), ("http://[::1]:8080", "http://[::1]:8080")],
)
def test_sites(text: str, origin: str) -> None:
    assert values.site(text) == origin


@pytest.mark.parametrize("text", ["http://x/y", "http://x?y", "http://u@x", "http://x#", "ws://x", "x", "*"])
def test_what_is_no_site(text: str) -> None:
    with pytest.raises(ValueError):
        values.site(text)


@pytest.mark.parametrize("text", ["127.0.0.1:8137", "localhost:0", "[::1]:8137", "0.0.0.0:65535", "Wall.example:1"])
def test_listen(text: str) -> None:
    assert values.listen(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "8137",
        ":8137",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:8137",
        "[x]:1",
        "[127.0.0.1]:1",
        "*:8137",
        "a b:1",
        "[]:1",
        "1.2.3:4",
    ],
)
def test_what_is_not_listened_on(text: str) -> None:
    with pytest.raises(ValueError, match="write 127.0.0.1:8137"):
        values.listen(text)


@pytest.mark.parametrize("text, answer", [("true", True), ("True", True), ("false", False), ("FALSE", False)])
def test_booleans(text: str, answer: bool) -> None:
    assert values.boolean(text) is answer


@pytest.mark.parametrize(
    "text, advice",
    [("yes", "write true"), ("On", "write true"), ("no", "write false"), ("off", "write false"), ("1", "write true or false")],
)
def test_what_is_no_boolean(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=f"{advice}$"):
        values.boolean(text)


def test_counts() -> None:
    assert values.count("1") == 1
    assert values.count("999999999") == 999999999
    for text in ("0", "-1", "1.0", "true", "010", "1_000", "0x1", "9" * 5000, "", "٣"):
        with pytest.raises(ValueError, match="is not a whole number from 1 up"):
            values.count(text)


def test_choices() -> None:
    read = values.choice(Display)
    assert [read(member.value) for member in Display] == list(Display)
    with pytest.raises(ValueError, match='did you mean "headless"'):
        read("headles")
    with pytest.raises(ValueError, match="is not one of auto, cage, inherit, headless$"):
        read("zzz")


def test_words() -> None:
    read = values.or_word(values.duration, Word.AUTO, Word.OFF)
    assert read("auto") is Word.AUTO
    assert read("off") is read("OFF") is read("false") is read("False") is Word.OFF
    assert read("3s") == 3
    for text in ("on", "yes", "no", "true"):
        with pytest.raises(ValueError, match=f'"{text}" is not a duration: .*, or auto or off$'):
            read(text)
    with pytest.raises(ValueError, match="2h, or off$"):
        values.or_word(values.duration, Word.OFF)("auto")


@pytest.mark.parametrize("text", ["80%", "100%", "0.5%", "900M", "1.5G"])
def test_memory(text: str) -> None:
    assert values.memory(text) == text


@pytest.mark.parametrize("text", ["0%", "101%", "900", "0M", "-5M", "900 M", "900MB", "lots", "", "9" * 400 + "G"])
def test_what_is_no_memory(text: str) -> None:
    with pytest.raises(ValueError, match="write 80%, 900M or 1.5G"):
        values.memory(text)


@pytest.mark.parametrize("text", ["(", "a{99999999999999999999}", "(" * 5000, "[[a]", "*", "(?P<a>)(?P<a>)"])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="is no regular expression"):
        values.pattern(text)


def test_patterns() -> None:
    assert values.pattern("to [1-9]") == "to [1-9]"
    with pytest.raises(ValueError, match="control character"):
        values.pattern("\x00")


def test_paths() -> None:
    assert values.path("/srv/") == "/srv/"
    assert values.file_path("/srv/a b") == "/srv/a b"
    assert values.profile("volatile") == "volatile"
    assert values.profile("/p") == "/p"
    for read, text, answer in (
        (values.path, "srv", 'begin with "/"'),
        (values.path, "~/x", 'begin with "/"'),
        (values.path, "", "is empty"),
        (values.path, " ", "is empty"),
        (values.path, "/\x00", "control character"),
        (values.file_path, "/srv/", "name the file in it"),
        (values.profile, "here", "or write volatile"),
    ):
        with pytest.raises(ValueError, match=answer):
            read(text)


def test_programs() -> None:
    for text in ("chromium", "/opt/a b/chrome"):
        assert values.program(text) == text
    for text in ("chromium --kiosk", "./chromium", "bin/chromium"):
        with pytest.raises(ValueError, match="is no name or full path"):
            values.program(text)


def test_flags() -> None:
    for text in ("--kiosk", "--user-agent=Wall 1", "--remote-debugging-portal"):
        assert values.flag(text) == text
    for text in ("kiosk", "-k", "--a --b"):
        with pytest.raises(ValueError, match="is not one option"):
            values.flag(text)
    for text in ("--remote-debugging-port=9222", "--remote-debugging-pipe", "--user-data-dir=/tmp/x"):
        with pytest.raises(ValueError, match="is set by kioskd"):
            values.flag(text)


def test_shown_is_one_short_line() -> None:
    assert values.shown("å\n\x00\ud800\u2028") == "å\\n\\x00\\ud800\\u2028"
    assert values.shown("x" * 60) == "x" * 60
    assert values.shown("x" * 61) == "x" * 57 + "..."


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LocalHost"])
def test_a_loopback_by_number_and_by_name(host: str) -> None:
    assert values.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "wall", "localhost.example", ""])
def test_everything_else_is_none(host: str) -> None:
    assert not values.is_loopback(host)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("htp://admin:hunter2@dash/", "htp://dash/"), ("ws://x/live?token=secret", "ws://x/live"), ("admin:secret@dash/x#y", "dash/x"),
        ("http://a/b@c", "http://a/b@c"), ("http://a?secret@b", "http://a"), ("plain", "plain"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_what_may_be_secret(text: str, said: str) -> None:
    assert values.shown_url(text) == said


@pytest.mark.parametrize(
    "wrong", ["htp://admin:secret@dash/", "dash.example/?token=secret", "http://admin:secret@/", "http://u:secret@D%41SH/"]
)
def test_a_mistake_in_a_url_tells_no_secret(wrong: str) -> None:
    with pytest.raises(ValueError, match="write|is not") as said:
        values.url("http", "https")(wrong)
    assert "secret" not in str(said.value)


def test_nothing_in_json_steers_a_terminal() -> None:
    told = {"a\x1b": ["b\x07", 1, None, {"c": "\udcff"}], "d": "plain ä"}
    assert values.printable(told) == {"a\ufffd": ["b\ufffd", 1, None, {"c": "\ufffd"}], "d": "plain ä"}
