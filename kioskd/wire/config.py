"""``/etc/kioskd.yaml`` as frozen data: text in, ``Config`` or every mistake at once out. No file is opened here."""

import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum

import yaml

from kioskd.core.policy import Deploy, Health, Outage, Policy, Reboot, Seconds, WebSocket, Word
from kioskd.errors import ConfigError
from kioskd.wire import values
from kioskd.wire.document import LIMIT, Mistake, Mistakes, load
from kioskd.wire.structure import Reader, Structure


class Display(Enum):
    """Where the picture goes."""

    AUTO = "auto"  # the session's display if there is one, cage on a bare console, else headless
    CAGE = "cage"
    INHERIT = "inherit"  # WAYLAND_DISPLAY or DISPLAY of the environment
    HEADLESS = "headless"


@dataclass(frozen=True, slots=True)
class Browser:
    """Which Chromium, and how it is started."""

    command: str | Word = Word.AUTO
    flags: tuple[str, ...] = ()
    profile: str = "/var/lib/kioskd/profile"  # or "volatile"


@dataclass(frozen=True, slots=True)
class DisplayConfig:
    """The display."""

    mode: Display = Display.AUTO


@dataclass(frozen=True, slots=True)
class Api:
    """The HTTP door."""

    listen: str = "127.0.0.1:8137"
    token_file: str | None = None
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. Keys are field names."""

    url: str | None = None
    allow: tuple[str, ...] = ()
    deploy: Deploy = field(default_factory=Deploy)
    health: Health = field(default_factory=Health)
    browser: Browser = field(default_factory=Browser)
    display: DisplayConfig = field(default_factory=DisplayConfig)
    api: Api = field(default_factory=Api)
    reboot: Reboot = field(default_factory=Reboot)
    state: str = "/var/lib/kioskd"


_RESCUED = ("browser", "display", "api", "state")
_BLOCK = re.compile(r"^(?=[^\s#])", re.MULTILINE)  # where a section of its own begins
_MOST = 100  # mistakes told: they go to the screen, the journal and the status


def parse(text: str | bytes, file: str) -> Config:
    """Return the configuration that the text means. Raise ``ConfigError`` with every mistake in it, in the order of lines."""
    try:
        root, mistakes = load(text)
        try:
            config = _STRUCTURE.read(root, Config)
        except Mistakes as found:
            mistakes.extend(found.mistakes)
        if mistakes:
            raise Mistakes(*sorted(mistakes))
        return config
    except Mistakes as found:
        raise ConfigError(_sentences(found.mistakes, file)) from None


def rescue(text: str | bytes) -> Config:
    """Return what a bad file says by good sections of where to draw, keep and listen: there its mistakes are to be shown."""
    config = Config()
    for block in _BLOCK.split((text if isinstance(text, str) else text.decode(errors="replace"))[:LIMIT]):
        section = block.partition(":")[0]
        if section in _RESCUED:
            with suppress(ConfigError):
                config = replace(config, **{section: getattr(parse(block, ""), section)})
    return config


def show(config: Config) -> str:
    """Return the configuration as YAML with every key; ``parse`` reads the same back."""
    plain = _STRUCTURE.converter.unstructure(config)
    text: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=10**6)
    return text


def in_session(config: Config, folder: str) -> Config:
    """Return the configuration for a desktop session: drawn there and kept in ``folder``, where the file says nothing else."""
    shipped = Config()
    mode = Display.INHERIT if config.display.mode is Display.AUTO else config.display.mode
    config = replace(config, display=DisplayConfig(mode))
    if config.state == shipped.state:
        config = replace(config, state=folder)
    if config.browser.profile == shipped.browser.profile:
        config = replace(config, browser=replace(config.browser, profile=f"{folder}/profile"))
    return config


def policy(config: Config, total_memory: int) -> Policy:
    """Return what decisions may depend on. ``total_memory``: bytes of RAM, of which ``health.memory`` may be a share."""
    memory = config.health.memory
    return Policy(
        url=config.url,
        allow=config.allow,
        deploy=config.deploy,
        health=config.health,
        reboot=config.reboot,
        memory_limit=None if isinstance(memory, Word) else values.memory_size(memory, total_memory),
    )


def _sentences(mistakes: tuple[Mistake, ...], file: str) -> tuple[str, ...]:
    sentences = tuple(mistake.sentence(file) for mistake in mistakes[:_MOST])
    more = len(mistakes) - _MOST
    return sentences + (f"{file}:{mistakes[_MOST].line}: and {more} more from here on",) if more > 0 else sentences


# --- what each key may hold ---------------------------------------------------------------------

_READERS: dict[str, Reader] = {
    "url": values.url("http", "https"),
    "allow[]": values.site,
    "deploy.index": values.file_path,
    "deploy.url": values.url("http", "https"),
    "deploy.also[]": values.file_path,
    "deploy.settle": values.duration,
    "health.interval": values.duration,
    "health.timeout": values.duration,
    "health.websocket.url": values.or_word(values.url("ws", "wss"), Word.AUTO, Word.OFF),
    "health.websocket.reload_after": values.duration,
    "health.websocket.restart_after": values.duration,
    "health.websocket.silence": values.or_word(values.duration, Word.AUTO, Word.OFF),
    "health.websocket.during_outage": values.choice(Outage),
    "health.page.load_timeout": values.duration,
    "health.page.hang_after": values.duration,
    "health.page.blank_after": values.or_word(values.duration, Word.OFF),
    "health.page.stuck_text": values.text,
    "health.journal[].unit": values.text,
    "health.journal[].match": values.pattern,
    "health.journal[].count": values.count,
    "health.journal[].within": values.duration,
    "health.journal[].clear": values.pattern,
    "health.memory": values.or_word(values.memory, Word.OFF),
    "browser.command": values.or_word(values.program, Word.AUTO),
    "browser.flags[]": values.flag,
    "browser.profile": values.profile,
    "display.mode": values.choice(Display),
    "api.listen": values.listen,
    "api.token_file": values.file_path,
    "api.origins[]": values.site,
    "reboot.enabled": values.boolean,
    "reboot.per_boot": values.count,
    "state": values.path,
}


def _contradiction(section: object) -> str | None:
    """Return what two keys of one section, each good by itself, cannot mean together."""
    match section:
        case Deploy(index=str(), url=str()):
            return "index and url are both given: keep the one that is where the page is built"
        case WebSocket(reload_after=reload_after, restart_after=restart_after) if restart_after < reload_after:
            return "restart_after is shorter than reload_after: a restart is what follows a reload that did not help"
        case Api(listen=listen, token_file=None) if not values.is_loopback(listen.rpartition(":")[0].strip("[]")):
            own = "such as /var/lib/kioskd/token, which kioskd makes itself (in a desktop session: /home/NAME/.local/state/kioskd/token)"
            return f"listen lets others in, and token_file is missing: name one, {own}"
    return None


_STRUCTURE = Structure(_READERS, _contradiction)


def _duration_or_word(value: Seconds | Word) -> str:
    return value.value if isinstance(value, Word) else values.write_duration(value)


_STRUCTURE.converter.register_unstructure_hook_func(lambda type_: type_ in (Seconds, Seconds | Word), _duration_or_word)


class _Dumper(yaml.SafeDumper):
    """Writes ``off`` bare: here it is a word."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }


_Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), ["t", "f"])
