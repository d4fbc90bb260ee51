"""The configuration: what is read, what is refused and in which words, what is shown."""

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from kioskd.core.policy import Deploy, Health, JournalRule, Outage, Page, Policy, Reboot, WebSocket, Word
from kioskd.errors import ConfigError
from kioskd.wire.config import Api, Browser, Config, Display, DisplayConfig, in_session, parse, policy, show
from kioskd.wire.document import LIMIT

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.yaml"))
SHIPPED = Path(__file__).parents[2] / "etc" / "kioskd.yaml"

EVERYTHING = """
url: https://user:secret@wall.example:8443/board?room=1#top
allow: [https://login.example/, "http://[::1]:80", HTTP://Cdn.Example:8080]
deploy: {index: /srv/dist/index.html, url: null, also: [/srv/version], settle: 1500ms}
health:
  interval: 0.5
  timeout: 250ms
  websocket: {url: wss://wall.example/ws, reload_after: 2m, restart_after: 2h, silence: OFF, during_outage: restart}
  page: {load_timeout: 90, hang_after: +15s, blank_after: off, stuck_text: Ingen anslutning till servern}
  journal:
  - unit: dashboard
    match: to 0 clients
  - {unit: "404", match: 'x{2}', count: 3, within: 1.5m, clear: "to [1-9]"}
  memory: 1.5G
browser: {command: /opt/my chromium/chrome, flags: [--force-device-scale-factor=2], profile: volatile}
display: {mode: headless}
api: {listen: "[::1]:8137", token_file: /etc/kioskd.token, origins: [http://wall.example]}
reboot: {enabled: true, per_boot: "2"}
state: /data/kioskd
"""


def mistakes(text: str | bytes) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f")
    return caught.value.mistakes


def test_every_key_is_read() -> None:
    assert parse(EVERYTHING, "f") == Config(
        url="https://user:secret@wall.example:8443/board?room=1#top",
        allow=("https://login.example", "http://[::1]", "http://cdn.example:8080"),
        deploy=Deploy(index="/srv/dist/index.html", also=("/srv/version",), settle=1.5),
        health=Health(
            interval=0.5,
            timeout=0.25,
            websocket=WebSocket("wss://wall.example/ws", 120, 7200, Word.OFF, Outage.RESTART),
            page=Page(90, 15, Word.OFF, "Ingen anslutning till servern"),
            journal=(JournalRule("dashboard", "to 0 clients"), JournalRule("404", "x{2}", 3, 90, "to [1-9]")),
            memory="1.5G",
        ),
        browser=Browser("/opt/my chromium/chrome", ("--force-device-scale-factor=2",), "volatile"),
        display=DisplayConfig(Display.HEADLESS),
        api=Api("[::1]:8137", "/etc/kioskd.token", ("http://wall.example",)),
        reboot=Reboot(True, 2),
        state="/data/kioskd",
    )


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing\n", "---\n", "~", "{}", b"", b"\xef\xbb\xbf", "\ufeff{}", "deploy:\nhealth: ~\n", "url: ~"]
)
def test_what_is_left_out_has_its_default(text: str | bytes) -> None:
    assert parse(text, "f") == Config()


def test_the_shipped_file_is_the_defaults() -> None:
    assert parse(SHIPPED.read_bytes(), str(SHIPPED)) == Config()


def test_the_shipped_file_names_every_key() -> None:
    named = {line.strip(" -#").split(":")[0] for line in SHIPPED.read_text().splitlines()}

    def keys(cls: type) -> set[str]:
        kinds = get_type_hints(cls)
        inner = [part for kind in kinds.values() for part in (kind, *get_args(kind)) if is_dataclass(part)]
        return set(kinds).union(*(keys(part) for part in inner))

    assert keys(Config) <= named
    assert {"match", "stuck_text", "per_boot"} <= keys(Config)


def test_the_shipped_file_says_a_line_about_every_key() -> None:
    for line in SHIPPED.read_text().splitlines():
        if ":" in line and not line.startswith("#") and not line.endswith(":"):
            assert "#" in line, line


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_each_bad_file_is_told_in_its_words(file: Path) -> None:
    """Every mistake of it at once; the words are for people, so the whole text is compared."""
    with pytest.raises(ConfigError) as caught:
        parse(file.read_bytes(), file.name)
    assert list(caught.value.mistakes) == file.with_suffix(".txt").read_text().splitlines()


def test_a_likely_key_is_named() -> None:
    assert mistakes("health:\n  intervall: 5s") == ('f:2: health.intervall: unknown key; did you mean "interval"?',)


@pytest.mark.parametrize(
    "text, message",
    [
        (b"state: /srv\nurl: \xff\n", "f:2: holds the byte 0xff, which is not UTF-8: save it as UTF-8 text"),
        ("url: x".encode("utf-16"), "f:1: is UTF-16: save it as UTF-8"),
        ("url: x".encode("utf-16-be"), "f:1: holds the character U+0000: is this a text file?"),
        (b"state: /srv\n\n\x7fELF\x00", "f:3: holds the character U+007F: is this a text file?"),
        ("\ud800", "f:1: holds the character U+D800: is this a text file?"),
        (b"#" * (10 * 2**20), f"f:1: is larger than {LIMIT // 1024} KB: this cannot be a configuration of kioskd"),
        ("[" * 20_000, "f:1: column 17: nested deeper than 16 levels"),
        ("- " * 20_000, "f:1: column 33: nested deeper than 16 levels"),
        ("{a: " * 10_000, "f:1: column 62: nested deeper than 16 levels"),
        ("%YAML " + "9" * 5000 + ".1\n---\n", "f:1: broken YAML: a number or an escape is out of range"),
    ],
    ids=["byte", "utf-16", "utf-16-be", "binary", "surrogate", "10-mb", "lists", "blocks", "mappings", "version"],
)
def test_what_is_no_text_or_no_configuration_is_refused_unread(text: str | bytes, message: str) -> None:
    assert mistakes(text) == (message,)


def test_a_flood_of_mistakes_is_cut() -> None:
    told = mistakes("".join(f"key{n}: x\n" for n in range(300)))
    assert len(told) == 101
    assert told[-1] == "f:101: and 200 more from here on"
    assert len(mistakes("".join(f"key{n}: x\n" for n in range(100)))) == 100


def test_show_writes_every_key_in_the_words_of_the_file() -> None:
    shown = show(parse(EVERYTHING, "f"))
    for line in (
        "settle: 1.5s",
        "timeout: 250ms",
        "reload_after: 2m",
        "restart_after: 2h",
        "silence: off",
        "blank_after: off",
        "- unit: dashboard",
        "- unit: '404'",
        "within: 60s",
        "enabled: true",
        "per_boot: 2",
        "mode: headless",
        "url: null",
    ):
        assert line in [part.strip() for part in shown.splitlines()], line  # fmt: skip
    assert parse(shown, "f") == parse(EVERYTHING, "f")


def test_policy_takes_what_decisions_need() -> None:
    config = parse(EVERYTHING, "f")
    assert policy(config, 4 * 2**30) == Policy(config.url, config.allow, config.deploy, config.health, config.reboot, 1536 * 2**20)


@pytest.mark.parametrize("memory, size", [("80%", 800), ("12.5%", 125), ("900M", 900 * 2**20), ("2G", 2 * 2**30), (Word.OFF, None)])
def test_memory_limit(memory: str | Word, size: int | None) -> None:
    assert policy(replace(Config(), health=Health(memory=memory)), 1000).memory_limit == size


def test_every_leaf_key_has_a_reader() -> None:
    """A new field that nobody taught to read shows here: given nonsense, each key answers with a mistake, never with a crash."""

    def nest(cls: type) -> dict[str, object]:
        hints = get_type_hints(cls)
        return {field.name: nest(hints[field.name]) if is_dataclass(hints[field.name]) else "\x07" for field in fields(cls)}

    def text(tree: dict[str, object], indent: str = "") -> str:
        lines = (f"{indent}{k}:\n{text(v, indent + ' ')}" if isinstance(v, dict) else f'{indent}{k}: "\\a"\n' for k, v in tree.items())
        return "".join(lines)

    leaves = text(nest(Config)).count("\\a")
    assert len(mistakes(text(nest(Config)))) == leaves == 29


def test_in_a_session_the_shipped_folders_and_display_give_way_and_the_owners_do_not() -> None:
    fitted = in_session(Config(), "/home/pi/.config/kioskd")
    assert (fitted.display.mode, fitted.state, fitted.browser.profile) == (
        Display.INHERIT, "/home/pi/.config/kioskd", "/home/pi/.config/kioskd/profile",
    )  # fmt: skip
    own = Config(state="/srv/state", browser=Browser(profile="volatile"), display=DisplayConfig(Display.HEADLESS))
    assert in_session(own, "/home/pi/.config/kioskd") == own
