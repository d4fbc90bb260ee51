"""The configuration file on disk, and the copy of the last good one. Neither is ever waited for."""

import logging
import os
import stat
from pathlib import Path

from kioskd.errors import ConfigError, EdgeUnavailable
from kioskd.wire.config import Config, parse, rescue
from kioskd.wire.document import LIMIT

log = logging.getLogger(__name__)

_GOOD = "last-good.yaml"


def read(path: Path) -> Config:
    """Return the configuration in a file. Raise ``ConfigError`` where it is bad or cannot be read."""
    return parse(content(path), str(path))


def rescued(path: Path) -> Config:
    """Return what of a bad file can be used; the defaults for the rest."""
    try:
        return rescue(content(path))
    except ConfigError:
        return Config()


def content(path: Path) -> bytes:
    """Return the file's bytes, never many more than a configuration may have. Raise ``ConfigError`` where it cannot be read."""
    try:
        _check_kind(path, os.stat(path))  # before it is opened: opening a device can do things (/dev/watchdog reboots)
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _check_kind(path, os.fstat(file.fileno()))
            return file.read(LIMIT + 1)
    except FileNotFoundError:
        raise ConfigError((f"{path}:1: is not there: write it; one line is enough, `url: …` (man kioskd.yaml)",)) from None
    except PermissionError:
        raise ConfigError((f"{path}:1: may not be read by this user: make it readable (chmod a+r {path})",)) from None
    except (OSError, ValueError) as error:
        raise ConfigError((f"{path}:1: cannot be read: {_reason(error)}",)) from None


def keep_good(config_text: bytes, state: Path) -> None:
    """Keep a copy of a configuration that was good; nothing is written where the same one is kept already.

    Raise ``EdgeUnavailable`` where ``state`` cannot be written; the copy from before is then untouched.
    """
    good, fresh = state / _GOOD, state / f"{_GOOD}.new"
    try:
        if _same(good, config_text):
            return
        state.mkdir(parents=True, exist_ok=True)
        try:
            _write(fresh, config_text)
            fresh.replace(good)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise EdgeUnavailable(f"Cannot keep the last good configuration in {state}: {_reason(error)}") from error


def last_good(state: Path) -> Config | None:
    """Return the configuration kept in ``state``; None where there is none, or none that this version can read."""
    good = state / _GOOD
    if not os.path.lexists(good):
        return None
    try:
        return read(good)
    except ConfigError as error:
        log.warning("Cannot use the last good configuration: %s", error.mistakes[0])
        return None


def _check_kind(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "not a file but a device, a pipe or a socket"
        raise ConfigError((f"{path}:1: is {what}: give the path of a YAML file",))


def _same(good: Path, config_text: bytes) -> bool:
    try:
        return good.read_bytes() == config_text
    except OSError:
        return False


def _write(path: Path, config_text: bytes) -> None:
    # 0600: the page's URL may hold a password.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(config_text)
        file.flush()
        os.fsync(file.fileno())


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
