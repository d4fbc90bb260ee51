"""Whatever stands in the file: a ``Config``, or mistakes a person can be told. And what is shown is read back."""

import re
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kioskd.core.policy import Deploy, Health, JournalRule, Outage, Page, Reboot, Seconds, WebSocket, Word
from kioskd.errors import ConfigError
from kioskd.wire.config import Api, Browser, Config, Display, DisplayConfig, parse, policy, show

SENTENCE = re.compile(r"/etc/kioskd\.yaml:[1-9][0-9]*: \S.*")


def holds(text: str | bytes) -> None:
    """The property: nothing but ConfigError, and each mistake is one printable line with file and line."""
    try:
        config = parse(text, "/etc/kioskd.yaml")
    except ConfigError as error:
        assert error.mistakes
        lines = (text.encode("utf-8", "replace") if isinstance(text, str) else text).count(b"\n")
        for mistake in error.mistakes:
            assert SENTENCE.fullmatch(mistake), mistake
            assert len(mistake.splitlines()) == 1
            assert len(mistake) < 600
            mistake.encode()  # no lone surrogate: it goes to the journal
            if isinstance(text, bytes):
                assert int(mistake.split(":")[1]) <= lines + 1 or b"\r" in text or not text.isascii()
    else:
        assert parse(show(config), "shown") == config
        policy(config, 10**9)


def keys(cls: type) -> list[str]:
    hints = get_type_hints(cls)
    return [name for field in fields(cls) for name in (field.name, *(keys(hints[field.name]) if is_dataclass(hints[field.name]) else ()))]


KEYS = st.sampled_from(sorted({*keys(Config), "unit", "match", "count", "within", "clear"})) | st.text(max_size=5)
WORDS = st.sampled_from(
    ["auto", "off", "on", "yes", "true", "null", "~", "", "5s", "-1", "0", "1:30", "017", ".nan", "2001-01-01", "80%", "1.5G", "http://x/",
     "ws://x", "http://[", "/srv/x", "(", "127.0.0.1:1", "hold", "cage", "--x"]
)  # fmt: skip
SCALARS = WORDS | st.text(max_size=8) | st.none() | st.booleans() | st.integers() | st.floats()
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | SCALARS, inner, max_size=5), max_leaves=20)
MARKS = st.sampled_from(
    [": ", ":", "\n", "\n  ", "\n\t", "- ", "? ", "[", "]", "{", "}", ",", "&a ", "*a", "!x ", "!!int ", "|\n", ">\n", '"', "'",
     "#", "---\n", "...\n", "%YAML 1.1\n", "<<", "@", "\\U00110000", "\r", "\x85", "\u2028", "\ufeff", "\x00"]
)  # fmt: skip
YAMLISH = st.lists(KEYS | WORDS | MARKS, max_size=40).map("".join)


@given(st.text() | YAMLISH)
@settings(max_examples=200)
def test_any_text(text: str) -> None:
    holds(text)


@given(st.binary() | YAMLISH.map(lambda text: text.encode("utf-8", "replace")) | YAMLISH.map(lambda text: text.encode("utf-16", "replace")))
@settings(max_examples=100)
def test_any_bytes(text: bytes) -> None:
    holds(text)


@given(st.dictionaries(KEYS, TREES, max_size=6) | TREES)
@settings(max_examples=200)
def test_any_yaml(tree: Any) -> None:
    holds(yaml.safe_dump(tree, allow_unicode=True))


@given(st.data())
@settings(max_examples=100)
def test_any_value_at_any_key(data: st.DataObject) -> None:
    """Each known key at its place, with whatever value."""

    def section(cls: type) -> dict[str, Any]:
        hints = get_type_hints(cls)
        chosen = [field.name for field in fields(cls) if data.draw(st.booleans())]
        return {name: section(hints[name]) if is_dataclass(hints[name]) else data.draw(TREES) for name in chosen}

    holds(yaml.safe_dump(section(Config)))


TEXT = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1).filter(str.strip)
PATHS = TEXT.map(lambda text: "/" + text.rstrip("/") + "x")
HOSTS = st.sampled_from(["localhost", "wall.example", "10.0.0.7", "[::1]", "xn--4ca.example"])
ORIGINS = st.builds("{}://{}{}".format, st.sampled_from(["http", "https"]), HOSTS, st.sampled_from(["", ":3001"]))
TAILS = st.sampled_from(["", "/", "/a?b=c&d=%20#e", "/#{}", "/: x".replace(" ", ""), "/å"])
URLS = st.builds("{}{}".format, ORIGINS, TAILS)
DURATIONS = st.floats(0.001, 86400) | st.integers(1, 86400).map(float) | st.sampled_from([60.0, 3600.0, 7200.0, 0.25])
RULES = st.builds(
    JournalRule,
    TEXT,
    st.sampled_from(["to 0 clients", "a{2}: #", "^- "]),
    st.integers(1, 99),
    DURATIONS.map(Seconds),
    st.none() | st.just("to [1-9]"),
)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    patience = sorted((draw(DURATIONS), draw(DURATIONS)))
    index = draw(st.none() | PATHS)
    return Config(
        url=draw(st.none() | URLS),
        allow=tuple(draw(st.lists(ORIGINS, max_size=2))),
        deploy=Deploy(index, None if index else draw(st.none() | URLS), tuple(draw(st.lists(PATHS, max_size=2))), Seconds(draw(DURATIONS))),
        health=Health(
            interval=Seconds(draw(DURATIONS)),
            timeout=Seconds(draw(DURATIONS)),
            websocket=WebSocket(
                url=draw(st.sampled_from([*Word, "ws://x/y", "wss://[::1]:1/"])),
                reload_after=Seconds(patience[0]),
                restart_after=Seconds(patience[1]),
                silence=draw(st.sampled_from(Word) | DURATIONS.map(Seconds)),
                during_outage=draw(st.sampled_from(Outage)),
            ),
            page=Page(
                Seconds(draw(DURATIONS)), Seconds(draw(DURATIONS)), draw(st.just(Word.OFF) | DURATIONS.map(Seconds)), draw(st.none() | TEXT)
            ),
            journal=tuple(draw(st.lists(RULES, max_size=2))),
            memory=draw(st.sampled_from(["80%", "900M", "1.5G", Word.OFF])),
        ),
        browser=Browser(
            draw(st.just(Word.AUTO) | st.just("chromium") | PATHS),
            tuple(draw(st.lists(st.just("--x=a b"), max_size=2))),
            draw(st.just("volatile") | PATHS),
        ),
        display=DisplayConfig(draw(st.sampled_from(Display))),
        api=Api(draw(st.sampled_from(["127.0.0.1:1", "[::1]:8137"])), draw(st.none() | PATHS), tuple(draw(st.lists(ORIGINS, max_size=2)))),
        reboot=Reboot(draw(st.booleans()), draw(st.integers(1, 9))),
        state=draw(PATHS),
    )


@given(configs())
@settings(max_examples=100)
def test_what_is_shown_is_read_back(config: Config) -> None:
    assert parse(show(config), "shown") == config


@given(st.floats(0.001, 365 * 86400))
def test_every_duration_is_written_exactly(seconds: float) -> None:
    shown = show(Config(deploy=Deploy(settle=Seconds(seconds))))
    assert parse(shown, "shown").deploy.settle == seconds
