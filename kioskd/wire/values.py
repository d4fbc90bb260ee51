"""The kinds of value a configuration has: each one reader from text, which says in its ``ValueError`` what to write instead."""

import ipaddress
import re
import warnings
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from kioskd.core.policy import Seconds, Word, origin

Read = TypeVar("Read")
Choice = TypeVar("Choice", bound=Enum)

_NUMBER = r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,20})?"
_DURATION = re.compile(rf"(?P<sign>[-+]?)(?P<number>{_NUMBER})(?P<unit>ms|s|m|h|)", re.ASCII)
_CLOCK = re.compile(r"([0-9]{1,4}):([0-5][0-9])")
_MEMORY = re.compile(rf"(?P<number>{_NUMBER})(?P<unit>%|M|G)")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
PICTURE = re.compile(r"[0-9]+-[0-9]+\.jpg")  # the name of one, and nothing else: a person types it after kioskctl
_LONGEST = 365 * 86400.0
_DURATIONS = "write a duration such as 500ms, 20s, 5m or 2h"
_OUR_FLAGS = {"--remote-debugging-port", "--remote-debugging-pipe", "--user-data-dir"}


def shown(text: str) -> str:
    """Return text fit for one line of a message, and not a long one."""
    cut = text if len(text) <= 60 else text[:57] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def printable(value: Any) -> Any:
    """Return the same JSON with nothing in its texts that would steer a terminal."""
    match value:
        case str():
            return UNPRINTABLE.sub("\ufffd", value)
        case list():
            return [printable(each) for each in value]
        case dict():
            return {printable(key): printable(each) for key, each in value.items()}
    return value


def shown_url(text: str) -> str:
    """Return a URL, or what was meant to be one, in the same way: without a password and a query, which may be secret."""
    return shown(re.split(r"[?#]", re.sub(r"^([^/?#]*//)?[^/?#]*@", r"\1", text), maxsplit=1)[0])


def likely(wrong: str, right: Iterable[str]) -> str | None:
    """Return the one of the right words that was probably meant."""
    near = get_close_matches(wrong.lower(), list(right), n=1)
    return near[0] if near else None


def text(value: str) -> str:
    """Some printable text."""
    if not value.strip():
        raise ValueError("is empty: write some text, or leave the key out")
    if UNPRINTABLE.search(value):
        raise ValueError("holds a control character: write printable text on one line")
    return value


def duration(value: str) -> Seconds:
    """``500ms``, ``20s``, ``5m``, ``2h``, or a number of seconds."""
    found = _DURATION.fullmatch(value)
    if found is None:
        clock = _CLOCK.fullmatch(value)
        advice = f"write {int(clock[1]) * 60 + int(clock[2])}s" if clock else _DURATIONS
        raise ValueError(f'"{shown(value)}" is not a duration: {advice}')
    number = float(found["number"])
    seconds = number / 1000 if found["unit"] == "ms" else number * {"": 1, "s": 1, "m": 60, "h": 3600}[found["unit"]]
    if found["sign"] == "-" or not seconds:
        raise ValueError(f'"{value}" is not positive: {_DURATIONS}')
    if not 0.001 <= seconds <= _LONGEST:
        raise ValueError(f'"{value}" is not between 1ms and a year: {_DURATIONS}')
    return Seconds(seconds)


def write_duration(seconds: float) -> str:
    """Return the duration as ``duration`` reads it: exactly."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0 and seconds > size:
            return f"{seconds / size:.0f}{unit}"
    if seconds < 1 and round(seconds * 1000) / 1000 == seconds:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds!r}s"


def boolean(value: str) -> bool:
    """``true`` or ``false``."""
    answer = {"true": True, "false": False}.get(value.lower())
    if answer is None:
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower(), "true or false")
        raise ValueError(f'"{shown(value)}" is neither true nor false: write {meant}')
    return answer


def count(value: str) -> int:
    """A whole number from 1."""
    if not re.fullmatch("[1-9][0-9]{0,8}", value):
        raise ValueError(f'"{shown(value)}" is not a whole number from 1 up')
    return int(value)


def choice(kind: type[Choice]) -> Callable[[str], Choice]:
    """Return a reader of one of an enum's words."""
    words = [str(member.value) for member in kind]

    def read(value: str) -> Choice:
        if value not in words:
            guess = likely(value, words)
            raise ValueError(f'"{shown(value)}" is not one of {", ".join(words)}' + (f'; did you mean "{guess}"?' if guess else ""))
        return kind(value)

    return read


def or_word(read: Callable[[str], Read], *words: Word) -> Callable[[str], Read | Word]:
    """Return a reader that takes these words as well. YAML 1.1's writers say ``false`` for ``off``."""

    def read_or_word(value: str) -> Read | Word:
        spelled = {"false": "off"}.get(value.lower(), value.lower())
        for word in words:
            if spelled == word.value:
                return word
        try:
            return read(value)
        except ValueError as error:
            raise ValueError(f"{error}, or {' or '.join(word.value for word in words)}") from None

    return read_or_word


def memory(value: str) -> str:
    """A share or an amount of memory."""
    found = _MEMORY.fullmatch(value)
    if found is None or not float(found["number"]) or (found["unit"] == "%" and float(found["number"]) > 100):
        raise ValueError(f'"{shown(value)}" is not a share or an amount of memory: write 80%, 900M or 1.5G')
    return value


def memory_size(value: str, total: int) -> int:
    """Return the bytes that a checked ``memory`` text means on a machine with ``total`` bytes."""
    number, unit = float(value[:-1]), value[-1]
    return int(number * {"%": total / 100, "M": 2**20, "G": 2**30}[unit])


def pattern(value: str) -> str:
    """A regular expression."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            re.compile(text(value))
        except (re.error, OverflowError, RecursionError, Warning) as error:
            raise ValueError(f'"{shown(value)}" is no regular expression ({shown(str(error))}): write \\ before a literal one') from None
    return value


def url(*schemes: str) -> Callable[[str], str]:
    """Return a reader of URLs with one of these schemes, the usual one first."""
    example = f"{schemes[0]}://localhost:3001/"

    def check(value: str) -> str:
        parts = _parts(value)
        if parts.scheme not in schemes:
            raise ValueError(f'"{shown_url(value)}" is not a {" or ".join(f"{scheme}://" for scheme in schemes)} URL')
        if not parts.hostname:
            raise ValueError(f'"{shown_url(value)}" names no host: write {example}')
        right = host(parts.hostname)
        if right != parts.hostname:
            raise ValueError(f'"{shown_url(value)}" spells its host otherwise than Chromium does: write the host as {right}')
        return value

    def read(value: str) -> str:
        if "://" in value:
            return check(value)
        try:
            advice = shown_url(check(f"{schemes[0]}://{value}"))
        except ValueError:
            advice = example
        raise ValueError(f'"{shown_url(value)}" has no scheme: write {advice}')

    return read


def site(value: str) -> str:
    """An origin: scheme, host and port of a site."""
    found = origin(url("http", "https")(value))
    if value.rstrip("/").lower() not in (found, found + ":80", found + ":443"):
        raise ValueError(f'"{shown_url(value)}" is more than an origin: write "{found}"')
    return found


def host(value: str) -> str:
    """Return a host as Chromium spells it, brackets of an IPv6 address left out."""
    try:
        if ":" in value:
            return ipaddress.IPv6Address(value).compressed
        right = value if value.isascii() else value.encode("idna").decode()
        if re.fullmatch(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?", right):
            return str(ipaddress.IPv4Address(right))
    except ValueError:
        right = ""
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?", right):
        raise ValueError(f'"{shown(value)}" is not the name or the address of a host')
    return right


def listen(value: str) -> str:
    """``host:port``; an IPv6 address in brackets."""
    name, colon, port = value.rpartition(":")
    inner = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    bracketed = inner != name
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535 or (":" in inner) != bracketed:
        raise ValueError(f'"{shown(value)}" is not host:port: write 127.0.0.1:8137 or [::1]:8137')
    try:
        host(inner.lower())
    except ValueError as error:
        raise ValueError(f"{error}: write 127.0.0.1:8137, or 0.0.0.0:8137 for every address") from None
    return value


def is_loopback(host: str) -> bool:
    """Tell whether a host's name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def path(value: str) -> str:
    """A full path."""
    if not text(value).startswith("/"):
        raise ValueError(f'"{shown(value)}" is not a full path: begin with "/"')
    return value


def file_path(value: str) -> str:
    """A full path of a file."""
    if path(value).endswith("/"):
        raise ValueError(f'"{shown(value)}" is a folder: name the file in it')
    return value


def profile(value: str) -> str:
    """A full path, or ``volatile``."""
    try:
        return value if value == "volatile" else path(value)
    except ValueError as error:
        raise ValueError(f"{error}, or write volatile") from None


def program(value: str) -> str:
    """The name or the full path of a program."""
    if not text(value).startswith("/") and re.search(r"[\s/]", value):
        raise ValueError(f'"{shown(value)}" is no name or full path: write chromium or /usr/bin/chromium; options go to browser.flags')
    return value


def flag(value: str) -> str:
    """One command-line option of Chromium's."""
    if not text(value).startswith("--") or " --" in value:
        raise ValueError(f'"{shown(value)}" is not one option: write each as an item of its own, such as --force-device-scale-factor=2')
    if value.partition("=")[0] in _OUR_FLAGS:
        raise ValueError(f'"{shown(value)}" is set by kioskd: leave it out; the profile is browser.profile')
    return value


def _parts(value: str) -> SplitResult:
    try:
        if re.search(r"\s", text(value)) or "\\" in value:
            raise ValueError("a blank or a backslash in it")
        parts = urlsplit(value)
        _ = parts.port  # reading it is the check: a port out of range raises
        return parts
    except ValueError as error:
        raise ValueError(f'"{shown_url(value)}" is not a URL: {shown(str(error))}') from None
