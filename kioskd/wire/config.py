"""``/etc/kioskd.yaml`` as frozen data: text in, ``Config`` or every mistake at once out. No file is opened here."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any, get_args

import yaml
from cattrs import ClassValidationError, Converter
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn

from kioskd.core.policy import Deploy, Health, JournalRule, Outage, Policy, Reboot, Seconds, WebSocket, Word
from kioskd.errors import ConfigError
from kioskd.wire import values
from kioskd.wire.document import Item, Mistake, Mistakes, load


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


_MOST = 100  # mistakes told: they go to the screen, the journal and the status


def parse(text: str | bytes, file: str) -> Config:
    """Return the configuration that the text means. Raise ``ConfigError`` with every mistake in it, in the order of lines."""
    try:
        root, mistakes = load(text)
        try:
            config: Config = _converter.structure(root, Config)
        except Mistakes as found:
            mistakes.extend(found.mistakes)
        if mistakes:
            raise Mistakes(*sorted(mistakes))
        return config
    except Mistakes as found:
        raise ConfigError(_sentences(found.mistakes, file)) from None


def show(config: Config) -> str:
    """Return the configuration as YAML with every key; ``parse`` reads the same back."""
    plain = _converter.unstructure(config)
    text: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=10**6)
    return text


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

_Reader = Callable[[str], object]

_READERS: dict[str, _Reader] = {
    "url": values.url("http", "https"),
    "deploy.index": values.file_path,
    "deploy.url": values.url("http", "https"),
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
    "browser.profile": values.profile,
    "display.mode": values.choice(Display),
    "api.listen": values.listen,
    "api.token_file": values.file_path,
    "reboot.enabled": values.boolean,
    "reboot.per_boot": values.count,
    "state": values.path,
}
_LISTS: dict[str, _Reader] = {
    "allow": values.site,
    "deploy.also": values.file_path,
    "browser.flags": values.flag,
    "api.origins": values.site,
}


def _contradiction(section: object) -> str | None:
    """Return what two keys of one section, each good by itself, cannot mean together."""
    match section:
        case Deploy(index=str(), url=str()):
            return "index and url are both given: keep the one that is where the page is built"
        case WebSocket(reload_after=reload_after, restart_after=restart_after) if restart_after < reload_after:
            return "restart_after is shorter than reload_after: a restart is what follows a reload that did not help"
    return None


# --- structure, by cattrs -----------------------------------------------------------------------

_converter = Converter()
_INDEX = re.compile(r"\[[0-9]+\]")


def _section(cls: type) -> Callable[[Item, type], object]:
    fill: Callable[[dict[str, Item], type], object] = make_dict_structure_fn(cls, _converter, _cattrs_forbid_extra_keys=True)

    def structure(item: Item, _: type) -> object:
        if isinstance(item.value, str | list):
            what = "a list" if isinstance(item.value, list) else f'"{values.shown(item.value)}"'
            where = "" if item.key else "the file "
            raise Mistakes(item.mistake(f"{where}is {what} where `key: value` lines belong; known keys: {_names(cls)}"))
        given = item.value or {}
        try:
            made = fill(given, cls)
        except ClassValidationError as group:
            raise Mistakes(*(found for error in group.exceptions for found in _mistakes(error, item, given, cls))) from None
        if contradiction := _contradiction(made):
            raise Mistakes(item.mistake(contradiction))
        return made

    return structure


def _mistakes(error: Exception, item: Item, given: dict[str, Item], cls: type) -> Iterator[Mistake]:
    if isinstance(error, Mistakes):
        yield from error.mistakes
    elif isinstance(error, ForbiddenExtraKeysError):
        yield from (given[name].mistake(_unknown(name, cls)) for name in error.extra_fields)
    else:  # cattrs: the KeyError of a field without default
        yield item.mistake(f"{error.args[0]} is missing: a rule needs it")


def _unknown(name: str, cls: type) -> str:
    if guess := values.likely(name, [field.name for field in fields(cls)]):
        return f"unknown key{guess}"
    for parts in (key.replace("[]", "").split(".") for key in _READERS | _LISTS):
        if name in parts:
            return f'unknown key; did you mean "{".".join(parts[: parts.index(name) + 1])}"?'
    return f"unknown key; known here: {_names(cls)}"


def _names(cls: type) -> str:
    return ", ".join(field.name for field in fields(cls))


def _list(item: Item, type_: Any) -> tuple[object, ...]:
    if not isinstance(item.value, list):
        raise Mistakes(item.mistake("is not a list: write [] or one `- item` a line, or leave the key out for the default"))
    made: list[object] = []
    mistakes: list[Mistake] = []
    for part in item.value:
        try:
            made.append(_converter.structure(part, JournalRule) if type_ == tuple[JournalRule, ...] else _read(part, _LISTS[item.key]))
        except Mistakes as found:
            mistakes.extend(found.mistakes)
    if mistakes:
        raise Mistakes(*mistakes)
    return tuple(made)


def _value(item: Item, type_: Any) -> object:
    if item.value is None and type(None) in get_args(type_):
        return None
    return _read(item, _READERS[_INDEX.sub("[]", item.key)])


def _read(item: Item, read: _Reader) -> object:
    if item.value is None:
        raise Mistakes(item.mistake("has no value: write one, or leave the key out for the default"))
    if not isinstance(item.value, str):
        raise Mistakes(item.mistake(f"is a {'list' if isinstance(item.value, list) else 'section'}: a single value belongs here"))
    try:
        return read(item.value)
    except ValueError as error:
        raise Mistakes(item.mistake(str(error))) from None


def _is_list(type_: Any) -> bool:
    return get_args(type_)[1:] == (...,)


for _kind in (str, int, bool, Enum):  # cattrs has hooks for these, and asks them before any predicate
    _converter.register_structure_hook(_kind, _value)
_converter.register_structure_hook_func(lambda type_: not is_dataclass(type_), _value)
_converter.register_structure_hook_func(_is_list, _list)
_converter.register_structure_hook_factory(is_dataclass, _section)


def _word_or_duration(value: Seconds | Word) -> str:
    return value.value if isinstance(value, Word) else values.write_duration(value)


_converter.register_unstructure_hook_func(lambda type_: type_ in (Seconds, Seconds | Word), _word_or_duration)


class _Dumper(yaml.SafeDumper):
    """Writes ``off`` bare: here it is a word."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }


_Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), ["t", "f"])
