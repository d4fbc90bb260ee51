"""The browser's profile folder: made, freed of a dead predecessor's locks, set aside when it is broken."""

import errno
import hashlib
import json
import logging
import os
import shutil
from pathlib import Path

from kioskd.errors import EdgeUnavailable

log = logging.getLogger(__name__)

VOLATILE = "volatile"
_LOCKS = ("SingletonLock", "SingletonCookie", "SingletonSocket")


class Profile:
    """``path`` is where the profile is now: the configured folder, or one in memory where that cannot be written."""

    def __init__(self, configured: str) -> None:
        self.path = _volatile() if configured == VOLATILE else Path(configured)
        self._configured = self.path
        self.trouble: str | None = None  # why the profile is not where it was configured

    @property
    def marker(self) -> str:
        """Names this profile's browser in its processes' environment; the same in every run of kioskd."""
        return hashlib.sha256(os.fsencode(self._configured)).hexdigest()[:16]

    def prepare(self) -> None:
        """Make the folder ready for a start. Raise ``EdgeUnavailable`` where no folder at all can be had."""
        self.path = self._configured
        try:
            _make(self.path)
            self.trouble = None
        except OSError as error:
            self.trouble = f"Cannot use the profile {self.path}: {error.strerror}; the login is lost at the next start of kioskd"
            log.warning("%s", self.trouble)
            self.path = _volatile()
            try:
                _make(self.path)
            except OSError as worse:
                raise EdgeUnavailable(f"Cannot make a profile: {self.path}: {worse.strerror}") from worse
        _remove_socket_folder(self.path / "SingletonSocket")
        try:
            for name in _LOCKS:  # of a killed browser, or of another host: Chromium would show a dialog
                _remove(self.path / name)
        except OSError as error:
            raise EdgeUnavailable(f"Cannot unlock the profile {self.path}: {error.strerror}") from error
        _say_it_ended_well(self.path / "Default" / "Preferences")

    def set_aside(self) -> None:
        """Move the profile to ``<name>.old``, in place of an earlier one. Raise ``EdgeUnavailable`` where that is impossible.

        What lies below an overlay (a card that is kept read-only) can be deleted, but not renamed.
        """
        old = self.path.with_name(self.path.name + ".old")
        try:
            shutil.rmtree(old, ignore_errors=True)
            if self.path.exists():
                try:
                    self.path.rename(old)
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    shutil.rmtree(self.path)
        except OSError as error:
            raise EdgeUnavailable(f"Cannot set the profile aside: {error.strerror}") from error


def _make(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() not in (0, path.stat().st_uid):
        raise PermissionError(errno.EACCES, f"it is somebody else's (sudo chown -R {os.geteuid()} {path})")
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)
    probe = path / ".kioskd"  # a folder on a read-only file system looks writable
    probe.write_bytes(b"")
    probe.unlink()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():  # a repaired file system's doing; no browser starts over it
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_socket_folder(link: Path) -> None:
    """A killed browser leaves a folder in the temporary directory each time: in years they would fill it."""
    try:
        folder = Path(os.readlink(link)).parent
    except OSError:
        return
    if folder.name.startswith("org.chromium.") and folder.parent == Path(os.environ.get("TMPDIR", "/tmp")):
        shutil.rmtree(folder, ignore_errors=True)


def _volatile() -> Path:
    for base in ("/run/kioskd", os.environ.get("XDG_RUNTIME_DIR", "")):
        if base and os.access(base, os.W_OK):
            return Path(base) / "kioskd-profile"
    return Path("/tmp") / f"kioskd-profile-{os.getuid()}"


def _say_it_ended_well(preferences: Path) -> None:
    """Chromium asks "Restore pages?" where its last end was no good one; what cannot be read is its own to mend."""
    try:
        content = json.loads(preferences.read_bytes())
        profile = content["profile"]
        if profile.get("exit_type") == "Normal" and profile.get("exited_cleanly") is True:
            return
        profile.update(exit_type="Normal", exited_cleanly=True)
        new = preferences.with_name("Preferences.kioskd")
        new.write_text(json.dumps(content, separators=(",", ":")))
        new.replace(preferences)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        log.debug("Left the profile's preferences as they are: %s", error)
